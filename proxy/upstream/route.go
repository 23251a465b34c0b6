package upstream

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/names"
	"tlslift/proxy/upstream/pool"
)

const (
	portHTTP  = 80
	portHTTPS = 443
)

// Snapshot is one configuration of a Transport, immutable and safe for concurrent
// use. Take one per request, and use it throughout.
type Snapshot struct {
	opts       Options
	now        func() time.Time
	buffers    *http1.Buffers
	background pool.Background
	dialer     *dial.Dialer
	groups     []*group // those of opts.Hosts, and the one of foreign hosts
	exact      map[host.Name]*Route
	domains    map[host.Name]*group // by the domain of *.domain
	foreign    *group
}

// Route is where a request or tunnel goes; see Snapshot.Route and Snapshot.Foreign.
// It is immutable and safe for concurrent use.
type Route struct {
	Label      string    // the matching Host's Pattern, or call.LabelOther
	Host       host.Name // the host that was asked for
	HostHeader string    // the Host header's value, with the port unless it is the scheme's

	target   dial.Target
	snapshot *Snapshot
	group    *group
}

// foreign reports whether the host is not one of ours.
func (r *Route) foreign() bool { return r.group == r.snapshot.foreign }

// Given returns the host name that the upstream is given as its own, and its port.
func (r *Route) Given() (host.Name, uint16) { return r.target.ServerName, r.group.port() }

// untouched returns the target of a tunnel. Host.To does not apply, because the
// client verifies the host that it asked for.
func (r *Route) untouched() dial.Target {
	t := r.target
	if conf := r.group.conf; !conf.To.IsZero() && conf.Address.IsZero() {
		t.Host, t.Direct = r.Host, r.snapshot.opts.pastParent(r.Host)
	}
	return t
}

// newSnapshot makes the Snapshot of opts. It reuses the groups of old that did not
// change. The error is about the parent proxy.
func newSnapshot(t *Transport, opts Options, old *Snapshot) (*Snapshot, error) {
	s := &Snapshot{
		opts: opts, now: t.now, buffers: &t.buffers, background: pool.Background{Context: t.ctx, Go: t.spawn, Now: t.now, Logger: opts.Logger},
		exact: make(map[host.Name]*Route), domains: make(map[host.Name]*group),
	}
	s.dialer = &dial.Dialer{
		Loops: &t.Loops, Own: opts.Own, Timeout: opts.DialTimeout, TLSTimeout: opts.TLSTimeout,
		Now: t.now, Observer: opts.Observer, Logger: opts.Logger, Net: opts.net,
	}
	if opts.ParentProxy != nil {
		var err error
		if s.dialer.Parent, err = dial.NewParent(opts.ParentProxy, opts.ParentProxyPassword); err != nil {
			return nil, err
		}
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
	s.foreign = s.groupOf(call.LabelOther, Host{}, old)
	return s, nil
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

// Port returns the port on which clients know one of our hosts. Exact patterns take
// precedence over *.domain, and longer domains over shorter ones.
func (s *Snapshot) Port(name host.Name) (port uint16, ours bool) {
	if r := s.exact[name]; r != nil {
		return r.group.port(), true
	}
	if g := s.domain(name); g != nil {
		return g.port(), true
	}
	return 0, false
}

// Route returns the route to one of our hosts, which it finds as Port does.
func (s *Snapshot) Route(name host.Name) (r *Route, ours bool) {
	if r := s.exact[name]; r != nil {
		return r, true
	}
	if g := s.domain(name); g != nil {
		return s.makeRoute(g, name), true
	}
	return nil, false
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
	name, port := cmp.Or(g.conf.To, asked), g.port()
	header := port
	if port == portHTTPS {
		header = 0
	}
	r := &Route{
		Label: g.label, Host: asked, HostHeader: name.Join(header), snapshot: s, group: g,
		target: dial.Target{Host: name, Port: port, ServerName: name, Exempt: s.opts.AllowInternal},
	}
	if !g.conf.Address.IsZero() {
		r.target.Host, r.target.Port = g.conf.Address, cmp.Or(g.conf.AddressPort, port)
		r.target.Exempt, r.target.AsSystem = true, true
	}
	r.target.Direct = s.opts.pastParent(name, r.target.Host)
	return r
}

// Foreign returns the route to a host that is not ours. It is plain HTTP with Do and
// a bare connection with DialTunnel, never TLS. Port 0 is 80. guard refuses internal
// addresses, and direct always bypasses the parent proxy.
func (s *Snapshot) Foreign(name host.Name, port uint16, guard, direct bool) *Route {
	port = cmp.Or(port, portHTTP)
	header := port
	if port == portHTTP {
		header = 0
	}
	return &Route{
		Label: call.LabelOther, Host: name, HostHeader: name.Join(header), snapshot: s, group: s.foreign,
		target: dial.Target{Host: name, Port: port, Exempt: !guard, AsSystem: true, Direct: direct || s.opts.pastParent(name)},
	}
}

// ownerWait limits the lookups of OwnerOf.
const ownerWait = 2 * time.Second

// OwnerOf returns who an address belongs to, for callers that the kernel redirected
// here, and the upstream that has it or had it in the last 24 hours. Hosts that are
// configured by name are looked up if necessary. For OwnerUnresolved, the name is one
// that could not be resolved. Below a *.domain, only names that were used are known.
func (s *Snapshot) OwnerOf(addr netip.Addr) (host.Name, call.Owner) {
	addr = host.Canonical(addr)
	byName := func(a, b host.Name) int { return cmp.Compare(a.String(), b.String()) }
	hosts := slices.SortedFunc(maps.Keys(s.exact), byName) // of several, always the same one
	for _, name := range hosts {
		if s.exact[name].target.Host == host.OfAddr(addr) {
			return name, call.OwnerUpstream
		}
	}
	if !s.opts.AllowInternal && dial.Internal(addr) {
		return host.Name{}, call.OwnerForeign
	}
	ctx, cancel := context.WithTimeout(s.background.Context, ownerWait)
	defer cancel()
	var failed host.Name
	for _, name := range hosts {
		if s.exact[name].target.Host != name {
			continue
		}
		switch addrs, _, err := s.dialer.Names.Lookup(ctx, name, func(netip.Addr) bool { return false }); {
		case err == nil && slices.Contains(addrs, addr):
			return name, call.OwnerUpstream
		case err != nil && !errors.Is(err, names.ErrNoAddress):
			failed = cmp.Or(failed, name)
		}
	}
	ours := func(name host.Name) bool { return s.exact[name] != nil || s.domain(name) != nil }
	switch name, known := s.dialer.Names.Known.Find(addr, s.now(), ours); {
	case known:
		return name, call.OwnerUpstream
	case !failed.IsZero():
		return failed, call.OwnerUnresolved
	default:
		return host.Name{}, call.OwnerUnknown
	}
}
