package proxy

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/identity"
	"tlslift/proxy/legacy"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// Settings is what a reload replaces, as a whole.
type Settings struct {
	Listeners     []Listener
	Others        decide.Others
	AllowInternal bool // every caller may reach foreign hosts at internal addresses

	Resolver *identity.Resolver
	Rewrite  rewrite.Options
	Limits   Limits

	CA        *authority.CA  // nil: legacy hellos are refused, counted and explained
	LeafNames []host.Pattern // in the leaf for callers that name no host
	// Legacy is the TLS side towards old clients. The Server sets Certificates,
	// Tickets and CA.
	Legacy    legacy.Options
	Terminate []string // clients that are terminated even at TLS 1.2 and above

	// Upstream is the side towards the upstreams. The Server sets Own, Logger and
	// Observer.
	Upstream upstream.Options
}

// Listener is one listening address.
type Listener struct {
	call.Listener
	Allow             []netip.Prefix // who may connect; empty = everyone
	ProxyProtocolFrom []netip.Prefix // who must send a PROXY protocol header
}

// Limits bound what callers can cost. Sizes are in bytes.
type Limits struct {
	HeaderBytes          int
	BodyBytes            int64
	Memory               int64 // held in total; 0 = no limit
	Connections          int
	ConnectionsPerClient int           // per IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // until a head is complete
	BodyTimeout          time.Duration // without progress of a body
	IdleTimeout          time.Duration // between two requests
	TunnelIdleTimeout    time.Duration // without a byte in either direction
}

// settings is one snapshot of Settings, with what was built from it. A call reads it
// once.
type settings struct {
	Settings
	decide    decide.Settings
	legacy    *legacy.Server // nil without a CA
	terminate map[string]bool
	http      http1.Limits
	upstream  *upstream.Snapshot
	// upgraded reports whether requests to a host are upgraded. Links to such a host
	// stay http for a caller that cannot follow https.
	upgraded func(host.Name) bool
}

// use completes the settings with the upstream side built from them.
func (st *settings) use(up *upstream.Snapshot) {
	st.upstream, st.decide.Upstream, st.decide.OwnerOf = up, up.Port, up.OwnerOf
	st.upgraded = func(n host.Name) bool { _, ours := up.Port(n); return ours }
}

// foreign returns the route to a host that is not ours, as decided.
func (st *settings) foreign(d decide.Decision) *upstream.Route {
	return st.upstream.Foreign(d.Host, d.Port, d.Guard, d.Direct)
}

// newSettings builds everything except the upstream side.
func (s *Server) newSettings(set Settings) *settings {
	st := &settings{Settings: set, terminate: make(map[string]bool)}
	for _, c := range set.Terminate {
		st.terminate[c] = true
	}
	st.decide = decide.Settings{
		Others: set.Others, Local: s.local.Has, Authenticated: set.Resolver.Authenticates(), AllowInternal: set.AllowInternal, CA: set.CA != nil,
		Own: s.Own, Listens: s.listensAt, Lookup: s.lookup,
	}
	st.http = http1.Limits{
		HeaderBytes: set.Limits.HeaderBytes, BodyBytes: set.Limits.BodyBytes,
		HeaderTimeout: set.Limits.HeaderTimeout, BodyTimeout: set.Limits.BodyTimeout, IdleTimeout: set.Limits.IdleTimeout,
	}
	if set.CA == nil {
		return st
	}
	if s.authority == nil {
		s.authority = authority.New(authority.Options{CA: set.CA, Names: set.LeafNames, OnMint: s.metrics.LeafMinted})
		s.tickets = legacy.NewTickets(nil, s.keys)
		s.keys = legacy.TicketKeys{}
	}
	st.Legacy.Certificates, st.Legacy.Tickets, st.Legacy.CA = s.authority, s.tickets, set.CA.Fingerprint()
	st.legacy = legacy.NewServer(st.Legacy)
	return st
}

// upstreamOptions returns the options of set, with the Server's own values filled in.
func (s *Server) upstreamOptions(set *Settings) upstream.Options {
	o := set.Upstream
	o.Own, o.Logger, o.Observer = s.Own, s.log, s.metrics
	return o
}

// adoptCA puts the CA of the settings in force. A reload cannot fail any more at this
// point, so an error is only logged.
func (s *Server) adoptCA(st *settings) {
	if st.CA == nil {
		s.metrics.CANotAfter(time.Time{})
		return
	}
	s.authority.Reload(st.CA, st.LeafNames)
	s.metrics.CANotAfter(st.CA.Cert.NotAfter)
}

// Reload puts settings in force as a whole or, on error, not at all. Listeners are
// matched by address, and added, removed or kept. Calls in flight finish with the
// settings that they began with. Only one Reload may run at a time.
func (s *Server) Reload(set Settings) error {
	st := s.newSettings(set)
	change, err := s.prepare(set.Listeners)
	if err != nil {
		return err
	}
	if err := s.transport.Reconfigure(s.upstreamOptions(&set)); err != nil {
		change.undo()
		return fmt.Errorf("reconfigure the upstream side: %w", err)
	}
	st.use(s.transport.Snapshot())
	s.adoptCA(st)
	s.settings.Store(st)
	s.shared.SetLimits(frontLimits(set.Limits))
	s.budget.SetLimit(set.Limits.memory())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reconcile(change)
	return nil
}

// memory returns the limit on what is held, in bytes.
func (l *Limits) memory() int64 {
	if l.Memory <= 0 {
		return math.MaxInt64
	}
	return l.Memory
}

func frontLimits(l Limits) front.Limits {
	return front.Limits{Connections: l.Connections, ConnectionsPerClient: l.ConnectionsPerClient, HeaderTimeout: l.HeaderTimeout}
}

// CAPEM returns the root that clients install, in PEM, or nil without a CA.
func (s *Server) CAPEM() []byte {
	if ca := s.settings.Load().CA; ca != nil {
		return ca.RootPEM()
	}
	return nil
}

// SentTo returns the name of the host that calls for a host go to, or the zero Name
// if that is not one of our upstreams.
func (s *Server) SentTo(asked host.Name) (given host.Name) {
	if route, ours := s.settings.Load().upstream.Route(asked); ours {
		given, _ = route.Given()
	}
	return given
}

// CA returns the CA that old clients are terminated with, or nil.
func (s *Server) CA() *authority.CA { return s.settings.Load().CA }

// Resolver returns the resolver that names callers at the moment.
func (s *Server) Resolver() *identity.Resolver { return s.settings.Load().Resolver }
