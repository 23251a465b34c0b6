package decide

import (
	"slices"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// TLS alerts (RFC 8446 section 6) that a decision can ask for.
const (
	alertHandshakeFailure = 40
	alertAccessDenied     = 49
	alertProtocolVersion  = 70
	alertInternalError    = 80
	alertUnrecognizedName = 112
)

// Connect decides about a CONNECT (RFC 9110 section 9.3.6) to a host and port.
// Port 0 is 443.
func (s *Settings) Connect(c *call.Conn, n host.Name, port uint16, a Head) Decision {
	switch {
	case c.Denied:
		return refuse(problem.ACL, detailBarred)
	case a.Unadmitted != nil:
		return refuse(problem.ProxyAuth, a.Unadmitted.Error())
	case n.IsZero():
		return refuse(problem.Malformed, detailAuthority)
	case !c.Authority.IsZero() || c.Handling == call.Terminated:
		return refuse(problem.Method, detailNested)
	case !c.Listener.Accept.Has(call.Connect):
		return refuse(problem.ACL, detailNoConnect)
	case a.OwnVia:
		return refuse(problem.Loop, detailVia)
	}
	if port == 0 {
		port = portHTTPS
	}
	if n == selfTest {
		return Decision{Action: Inspect, Host: n, Port: port, Ours: true}
	}
	if own, ours := s.Upstream(n); ours {
		if port != portHTTPS && port != own {
			return refuse(problem.Port, detailConnectPort)
		}
		return Decision{Action: Inspect, Host: n, Port: port, Ours: true}
	}
	return s.foreign(c, n, port, Relay, OthersTunnel)
}

// Hello is what a ClientHello says, as far as it matters for the decision.
type Hello struct {
	Modern     bool   // it offers TLS 1.2 or higher
	ServerName string // SNI, "" = none
	Own        bool   // it is one that we are sending ourselves
	Terminate  bool   // the client is listed in legacy_tls.terminate_clients
}

// Hello decides about a ClientHello, inside a CONNECT or at the start of a
// connection. The Host of a Terminate is the zero Name if only the inner Host knows
// it.
func (s *Settings) Hello(c *call.Conn, h Hello) Decision {
	if h.Own {
		return Decision{Reason: problem.Loop, Detail: detailOwnHello, Alert: alertInternalError}
	}
	d := Decision{Action: Splice, Host: c.Authority, Ours: true}
	if c.Authority.IsZero() {
		if d = s.chooseHost(c, h); d.Action != Splice {
			return d
		}
	}
	switch {
	case d.Host == selfTest && !s.CA:
		return Decision{Ours: true, Reason: problem.Host, Detail: detailSelfTestCA, Alert: alertProtocolVersion}
	case d.Host == selfTest, !h.Modern, h.Terminate:
		d.Action = Terminate
	}
	return d
}

// chooseHost finds the host for a ClientHello that no CONNECT preceded. It uses the
// SNI, else the original destination, else default_upstream. Failing these, the inner
// Host decides, so TLS must be terminated here. Unless the Action is Splice, the
// decision is final.
func (s *Settings) chooseHost(c *call.Conn, h Hello) Decision {
	switch {
	case c.Denied:
		return Decision{Reason: problem.ACL, Detail: detailBarred, Alert: alertAccessDenied}
	case !s.accepts(c.Listener, c.Ingress):
		return Decision{Reason: problem.ACL, Detail: s.notAccepted(c.Listener, c.Ingress), Alert: alertHandshakeFailure}
	}
	name, err := host.Parse(h.ServerName)
	if err == nil && name.IsAddr() {
		h.ServerName = "" // an address is not a server name (RFC 6066 section 3)
	} else if err == nil {
		if _, ours := s.Upstream(name); ours || name == selfTest {
			return Decision{Action: Splice, Host: name, Ours: true}
		}
	}
	if c.OriginalDst.IsValid() {
		return s.redirected(c, h)
	}
	_, byDefault := s.Upstream(c.Listener.DefaultUpstream)
	if byDefault && h.ServerName == "" {
		return toDefault(c.Listener.DefaultUpstream, h)
	}
	misnamed := h.ServerName != "" && (byDefault || err == nil && name.Loopback())
	if h.Modern && !h.Terminate {
		d := Decision{Reason: problem.Host, Detail: detailModernOther, Alert: alertUnrecognizedName}
		switch {
		case h.ServerName == "": // it may be for one of ours: no other clients are led here
			d.Ours, d.Detail, d.Failure = true, detailModernNone, call.HandshakeNoServerName
		case misnamed: // the client calls us by our own name, or by an alias
			d.Ours, d.Misnamed, d.Failure = true, true, call.HandshakeOther
		}
		return d
	}
	return Decision{Action: Terminate, Ours: true, Misnamed: misnamed}
}

// toDefault decides about a caller that names no host but may mean n. A modern client
// is spliced to n. Any other is terminated with the leaf for all names, and its inner
// Host decides.
func toDefault(n host.Name, h Hello) Decision {
	if h.Modern && !h.Terminate {
		return Decision{Action: Splice, Host: n, DefaultHost: n, Ours: true}
	}
	return Decision{Action: Terminate, DefaultHost: n, Ours: true}
}

// redirected decides about a redirected ClientHello whose SNI is not ours. An address
// that our hosts resolve to is ours; any other connection goes where it was going.
func (s *Settings) redirected(c *call.Conn, h Hello) Decision {
	if h.ServerName == "" {
		if n, owner := s.OwnerOf(c.OriginalDst.Addr()); owner == call.OwnerUpstream {
			return toDefault(n, h)
		}
	}
	if s.Own(c.OriginalDst) {
		return Decision{Reason: problem.Loop, Detail: detailOwnDst, Alert: alertInternalError}
	}
	return s.relayOnward(c)
}

// relayOnward relays a redirected connection to where it was going.
func (s *Settings) relayOnward(c *call.Conn) Decision {
	return Decision{Action: Relay, Host: host.OfAddr(c.OriginalDst.Addr()), Port: c.OriginalDst.Port(), Guard: s.guard(c)}
}

// Silent decides about a redirected connection whose caller has sent nothing for a
// second. It chooses Relay, since the server may speak first, or Inspect, to wait for
// the caller's first bytes. It chooses Inspect on port 80, and at an address that is
// or was one of our upstreams'.
func (s *Settings) Silent(c *call.Conn) Decision {
	if c.OriginalDst.Port() == portHTTP {
		return Decision{Action: Inspect}
	}
	if _, owner := s.OwnerOf(c.OriginalDst.Addr()); owner == call.OwnerUpstream {
		return Decision{Action: Inspect}
	}
	return s.untouched(c)
}

// Opening is how a redirected plaintext connection begins.
type Opening struct {
	OtherProtocol bool        // it is not HTTP
	Hosts         []host.Name // those that its first head names
	Certain       bool        // the head names no others
}

// Redirected decides about a redirected plaintext connection. It chooses Relay to
// send it where it was going, Upgrade to decide its requests one by one, or a refusal
// of its first request.
//
// A relay is final and stays plaintext, so a call that may be for one of our hosts is
// never relayed. The head must be complete and name only other hosts, or the address
// must certainly not be an upstream's.
func (s *Settings) Redirected(c *call.Conn, o Opening) Decision {
	if !s.accepts(c.Listener, call.Transparent) {
		return Decision{Action: Upgrade} // each request is refused
	}
	if slices.ContainsFunc(o.Hosts, s.knows) {
		return Decision{Action: Upgrade}
	}
	named := o.Certain && len(o.Hosts) > 0
	if named && !slices.ContainsFunc(o.Hosts, func(n host.Name) bool { return called(c, n) }) {
		return s.untouched(c)
	}
	switch n, owner := s.OwnerOf(c.OriginalDst.Addr()); {
	case owner == call.OwnerUpstream:
		return Decision{Action: Upgrade, DefaultHost: n}
	case named, o.OtherProtocol, owner == call.OwnerForeign:
		return s.untouched(c)
	case s.knows(c.Listener.DefaultUpstream):
		return Decision{Action: Upgrade, DefaultHost: c.Listener.DefaultUpstream}
	case owner == call.OwnerUnresolved:
		return Decision{Reason: problem.DNS, Detail: detailUnresolved, Host: n}
	default:
		return Decision{Action: Upgrade} // refused: it names no host
	}
}

// called reports whether a host is the very address that a redirected caller called.
// The address then shows whose it is.
func called(c *call.Conn, n host.Name) bool {
	return c.OriginalDst.IsValid() && n == host.OfAddr(c.OriginalDst.Addr())
}

// untouched is relayOnward for bytes that are not TLS, which a parent proxy does not
// take.
func (s *Settings) untouched(c *call.Conn) Decision {
	d := s.relayOnward(c)
	d.Direct = true
	return d
}
