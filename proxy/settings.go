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

// Settings is what a reload replaces as a whole.
type Settings struct {
	Listeners     []Listener
	Others        decide.Others
	AllowInternal bool // foreign hosts may be internal addresses for every caller

	Resolver *identity.Resolver
	Rewrite  rewrite.Options
	Limits   Limits

	CA        *authority.CA  // nil: legacy hellos are refused, counted and explained
	LeafNames []host.Pattern // of the leaf for callers that name no host
	// Legacy is the TLS side towards old clients. Certificates, Tickets and CA are
	// the Server's own.
	Legacy    legacy.Options
	Terminate []string // clients that are terminated even at TLS 1.2 and above

	// Upstream is the side towards the upstreams. Own, Logger and Observer are
	// the Server's own.
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
	Memory               int64 // held in sum; 0 = no limit
	Connections          int
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // until a head is complete
	BodyTimeout          time.Duration // without progress of a body
	IdleTimeout          time.Duration // between two requests
	TunnelIdleTimeout    time.Duration // without a byte in either direction
}

// settings is one snapshot of Settings with what was made of it. A call reads
// it once.
type settings struct {
	Settings
	decide    decide.Settings
	legacy    *legacy.Server // nil without a CA
	terminate map[string]bool
	http      http1.Limits
	upstream  *upstream.Snapshot
	// upgraded reports whether requests to a host are upgraded: links to it are to
	// stay http for a caller that cannot follow https.
	upgraded func(host.Name) bool
}

// use completes the settings with the upstream side made of them.
func (st *settings) use(up *upstream.Snapshot) {
	st.upstream, st.decide.Upstream, st.decide.OwnerOf = up, up.Port, up.OwnerOf
	st.upgraded = func(n host.Name) bool { _, ours := up.Port(n); return ours }
}

// foreign is the way to a host that is not ours, as was decided.
func (st *settings) foreign(d decide.Decision) *upstream.Route {
	return st.upstream.Foreign(d.Host, d.Port, d.Guard, d.Direct)
}

// newSettings makes everything that can fail but the upstream side.
func (s *Server) newSettings(set Settings) (*settings, error) {
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
		return st, nil
	}
	var err error
	if s.authority == nil {
		s.authority, err = authority.New(authority.Options{CA: set.CA, Names: set.LeafNames, OnMint: s.metrics.LeafMinted})
		if err != nil {
			return nil, fmt.Errorf("prepare the CA: %w", err)
		}
		s.tickets = legacy.NewTickets(nil, s.keys)
		s.keys = legacy.TicketKeys{}
	}
	st.Legacy.Certificates, st.Legacy.Tickets, st.Legacy.CA = s.authority, s.tickets, set.CA.Fingerprint()
	if st.legacy, err = legacy.NewServer(st.Legacy); err != nil {
		return nil, fmt.Errorf("prepare legacy TLS: %w", err)
	}
	return st, nil
}

// upstreamOptions are the snapshot's, with what is the Server's own.
func (s *Server) upstreamOptions(set *Settings) upstream.Options {
	o := set.Upstream
	o.Own, o.Logger, o.Observer = s.Own, s.log, s.metrics
	return o
}

// adoptCA puts the CA of the settings in force: the last step of a reload,
// which cannot fail any more.
func (s *Server) adoptCA(st *settings) {
	if st.CA == nil {
		s.metrics.CANotAfter(time.Time{})
		return
	}
	if err := s.authority.Reload(st.CA, st.LeafNames); err != nil {
		s.log.Error("the CA could not be put in force", errField(err))
		return
	}
	s.metrics.CANotAfter(st.CA.Cert.NotAfter)
}

// Reload puts settings in force as a whole or, with an error, not at all.
// Listeners are added, removed and kept by their addresses. Calls under way
// finish with what they began with. There may be one Reload at a time.
func (s *Server) Reload(set Settings) error {
	st, err := s.newSettings(set)
	if err != nil {
		return err
	}
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

// memory is the budget of what is held, in bytes.
func (l *Limits) memory() int64 {
	if l.Memory <= 0 {
		return math.MaxInt64
	}
	return l.Memory
}

func frontLimits(l Limits) front.Limits {
	return front.Limits{Connections: l.Connections, ConnectionsPerClient: l.ConnectionsPerClient, HeaderTimeout: l.HeaderTimeout}
}

// CAPEM is the root that clients install, in PEM; nil without a CA.
func (s *Server) CAPEM() []byte {
	if ca := s.settings.Load().CA; ca != nil {
		return ca.RootPEM()
	}
	return nil
}

// CA is the CA that old clients are terminated with; nil = none.
func (s *Server) CA() *authority.CA { return s.settings.Load().CA }

// Resolver is how callers are named at the moment.
func (s *Server) Resolver() *identity.Resolver { return s.settings.Load().Resolver }
