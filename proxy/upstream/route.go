package upstream

import (
	"cmp"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/pool"
)

// Verdict says whether a host and port are ours.
type Verdict uint8

// The verdicts.
const (
	ForeignHost Verdict = iota // no upstream of this name
	PortRefused                // ours, but not on this port
	Ours                       // an upstream
)

// LabelOther is the metrics label of foreign traffic.
const LabelOther = "_other"

const (
	portHTTP  = 80
	portHTTPS = 443
)

// Snapshot is one configuration of a Transport, immutable and safe for
// concurrent use. Take one per request, and ask it all questions.
type Snapshot struct {
	opts       Options
	now        func() time.Time
	buffers    *http1.Buffers
	background pool.Background
	dialer     *dial.Dialer
	groups     []*group // those of opts.Hosts, and that of foreign hosts
	exact      map[host.Name]*Route
	domains    map[host.Name]*group // by the domain of *.domain
	foreign    *group
}

// Route is where a request or tunnel goes, from Snapshot.Route or
// Snapshot.Foreign. It is immutable and safe for concurrent use.
type Route struct {
	Label      string    // the matching Host's Pattern, or LabelOther
	Host       host.Name // the host that was asked for
	HostHeader string    // the Host header's value, with the port when it is not the scheme's

	target     dial.Target
	tunnelPort uint16 // the port this host is known by to its clients
	snapshot   *Snapshot
	group      *group
}

// AllowsConnect reports whether a CONNECT to this route may name port: 443, or
// the port the upstream is configured with (RFC 9110 section 9.3.6).
func (r *Route) AllowsConnect(port uint16) bool {
	return port == portHTTPS || port == r.tunnelPort
}

// untouched is the target of a tunnel. Host.To does not apply: the client
// verifies the host that it asked for.
func (r *Route) untouched() dial.Target {
	t := r.target
	if conf := r.group.conf; !conf.To.IsZero() && conf.Address.IsZero() {
		t.Host = r.Host
	}
	return t
}

// newSnapshot makes the Snapshot of opts, with the groups of old that did not
// change.
func newSnapshot(t *Transport, opts Options, old *Snapshot) *Snapshot {
	s := &Snapshot{
		opts: opts, now: t.now, buffers: &t.buffers, background: pool.Background{Context: t.ctx, Go: t.spawn, Now: t.now},
		exact: make(map[host.Name]*Route), domains: make(map[host.Name]*group),
	}
	s.dialer = &dial.Dialer{
		Loops: &t.Loops, Own: opts.Own, Parent: opts.parent, Timeout: opts.DialTimeout, TLSTimeout: opts.TLSTimeout,
		Now: t.now, Observer: opts.Observer, Logger: opts.Logger, Net: opts.net,
	}
	if old != nil && old.opts.sameNames(&opts) {
		s.dialer.Names = old.dialer.Names
	} else {
		s.dialer.Names = t.newNames(&opts)
	}
	for _, conf := range opts.Hosts {
		g := s.groupOf(conf.Pattern.String(), conf, old)
		if domain := conf.Pattern.Domain(); conf.Pattern.Wild() {
			s.domains[domain] = g
		} else {
			s.exact[domain] = s.makeRoute(g, domain)
		}
	}
	s.foreign = s.groupOf(LabelOther, Host{}, old)
	return s
}

// groupOf returns old's group for a host if its connections may still be used,
// else a new one.
func (s *Snapshot) groupOf(label string, conf Host, old *Snapshot) *group {
	var g *group
	if old != nil && old.opts.sameWay(&s.opts) {
		for _, o := range old.groups {
			if o.label == label && o.conf.same(&conf) {
				g = o
			}
		}
	}
	if g == nil {
		g = &group{label: label, conf: conf, pools: make(map[dial.Target]*member), tls: dial.NewTLS(s.opts.MinTLS, conf.Roots, conf.Pins, conf.ClientCertificate)}
	}
	s.groups = append(s.groups, g)
	return g
}

// Route finds the upstream for a host and the port that a client named with it
// (0 = none). Exact patterns go before *.domain, longer domains before shorter
// ones. Ports 80 and 443 and the upstream's own are allowed: for a CONNECT ask
// Route.AllowsConnect too. The Route is nil unless the verdict is Ours.
func (s *Snapshot) Route(name host.Name, port uint16) (*Route, Verdict) {
	r := s.find(name)
	switch {
	case r == nil:
		return nil, ForeignHost
	case port != 0 && port != portHTTP && port != portHTTPS && port != r.tunnelPort:
		return nil, PortRefused
	default:
		return r, Ours
	}
}

func (s *Snapshot) find(name host.Name) *Route {
	if r := s.exact[name]; r != nil {
		return r
	}
	if g := s.domain(name); g != nil {
		return s.makeRoute(g, name)
	}
	return nil
}

// domain returns the group of the longest *.domain that name is below.
func (s *Snapshot) domain(name host.Name) *group {
	for domain := range name.Parents {
		if g := s.domains[domain]; g != nil {
			return g
		}
	}
	return nil
}

func (s *Snapshot) makeRoute(g *group, asked host.Name) *Route {
	name, port := cmp.Or(g.conf.To, asked), cmp.Or(g.conf.Port, portHTTPS)
	header := port
	if port == portHTTPS {
		header = 0
	}
	r := &Route{
		Label: g.label, Host: asked, HostHeader: name.Join(header), tunnelPort: port, snapshot: s, group: g,
		target: dial.Target{Host: name, Port: port, ServerName: name, Exempt: s.opts.AllowInternal},
	}
	if !g.conf.Address.IsZero() {
		r.target.Host, r.target.Port = g.conf.Address, cmp.Or(g.conf.AddressPort, port)
		r.target.Exempt, r.target.AsSystem = true, true
	}
	return r
}

// Foreign makes the route of a host that is not ours: plain HTTP when used
// with Do, a bare connection with DialTunnel; never TLS. port 0 is 80. With
// guard, internal addresses are refused.
func (s *Snapshot) Foreign(name host.Name, port uint16, guard bool) *Route {
	port = cmp.Or(port, portHTTP)
	header := port
	if port == portHTTP {
		header = 0
	}
	return &Route{
		Label: LabelOther, Host: name, HostHeader: name.Join(header), tunnelPort: port, snapshot: s, group: s.foreign,
		target: dial.Target{Host: name, Port: port, Exempt: !guard, AsSystem: true},
	}
}

// TunnelPort is the port that the host is known by to its clients.
func (r *Route) TunnelPort() uint16 { return r.tunnelPort }
