package upstream

import (
	"sync/atomic"

	"tlslift/proxy/host"
)

// Verdict says whether a host and port are ours.
type Verdict uint8

// The verdicts.
const (
	ForeignHost Verdict = iota // no upstream of this name
	PortRefused                // ours, but not on this port
	Ours                       // an upstream
)

func (v Verdict) String() string {
	switch v {
	case Ours:
		return "ours"
	case PortRefused:
		return "port"
	default:
		return "foreign"
	}
}

// LabelOther is the metrics label of foreign traffic.
const LabelOther = "_other"

const (
	portHTTP  = 80
	portHTTPS = 443
)

// Route says where a request or tunnel goes. It is made by Transport.Route or
// Transport.Foreign, immutable, and safe for concurrent use.
type Route struct {
	Label      string    // the matching Host's Pattern, or LabelOther
	Host       host.Name // the host that was asked for
	DialHost   host.Name // the name that is resolved, or the configured address
	Port       uint16    // the port that is connected to
	ServerName host.Name // for SNI and verification
	HostHeader string    // the Host header's value, with the port when it is not the scheme's

	tunnelPort uint16 // the port this host is known by to its clients
	plain      bool   // no TLS: foreign
	exempt     bool   // from the guard: a configured address, or guarding is off
	asSystem   bool   // DialHost is resolved as the system would, hosts file and all
	host       *hostState
	pool       atomic.Pointer[pool]
}

// AllowsConnect reports whether a CONNECT to this route may name port: 443, or
// the port the upstream is configured with (RFC 9110 9.3.6).
func (r *Route) AllowsConnect(port uint16) bool {
	return port == portHTTPS || port == r.tunnelPort
}

// Plain reports whether requests on this route go out without TLS, which only
// those to foreign hosts do.
func (r *Route) Plain() bool { return r.plain }

// poolKey identifies the connections that routes of one hostState can share.
type poolKey struct {
	dialHost, serverName host.Name
	port                 uint16
	exempt               bool
}

func (r *Route) key() poolKey {
	return poolKey{dialHost: r.DialHost, serverName: r.ServerName, port: r.Port, exempt: r.exempt}
}

// Route finds the upstream for a host and the port a client named with it (0 =
// none). Exact patterns go before *.domain, longer domains before shorter
// ones. Ports 80 and 443 and the upstream's own are allowed: for a CONNECT ask
// Route.AllowsConnect too. The Route is nil unless the verdict is Ours.
func (t *Transport) Route(name host.Name, port uint16) (*Route, Verdict) {
	r := t.state.Load().find(name)
	if r == nil {
		return nil, ForeignHost
	}
	if v := r.judge(port); v != Ours {
		return nil, v
	}
	return r, Ours
}

func (s *state) find(name host.Name) *Route {
	if r := s.exact[name]; r != nil {
		return r
	}
	if h := s.wildcard(name); h != nil {
		return h.route(name)
	}
	return nil
}

func (r *Route) judge(port uint16) Verdict {
	switch port {
	case 0, portHTTP, portHTTPS, r.tunnelPort:
		return Ours
	default:
		return PortRefused
	}
}

// wildcard returns the host whose *.domain is the longest that name is below.
func (s *state) wildcard(name host.Name) *hostState {
	for domain := range name.Parents {
		if h := s.domains[domain]; h != nil {
			return h
		}
	}
	return nil
}

// Foreign makes the route of a host that is not ours: plain HTTP when used
// with Do, a bare connection with DialTunnel; never TLS. port 0 is 80. With
// guardInternal, internal addresses are refused.
func (t *Transport) Foreign(name host.Name, port uint16, guardInternal bool) *Route {
	if port == 0 {
		port = portHTTP
	}
	header := port
	if port == portHTTP {
		header = 0
	}
	return &Route{
		Label: LabelOther, Host: name, DialHost: name, Port: port, HostHeader: name.Join(header),
		tunnelPort: port, plain: true, exempt: !guardInternal, asSystem: true, host: t.state.Load().other,
	}
}

// TunnelPort is the port that the host is known by to its clients.
func (r *Route) TunnelPort() uint16 { return r.tunnelPort }
