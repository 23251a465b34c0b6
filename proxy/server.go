package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/elazarl/goproxy"
	"go.uber.org/zap"

	"tlslift/proxy/authority"
	"tlslift/proxy/budget"
	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/legacy"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// Metrics is what the Server records into; *metrics.Metrics implements it.
type Metrics interface {
	upstream.Observer
	Record(*call.Outcome)
	Rewrite(kind rewrite.Kind)
	OpenConnection(h call.Handling, delta int)
	LeafMinted()
	CANotAfter(time.Time)
}

// Ledger is the registry of clients; *ledger.Ledger implements it.
type Ledger interface {
	Record(*call.Outcome)
}

// Options are the dependencies and settings of a Server.
type Options struct {
	Settings Settings
	Logger   *zap.Logger
	Metrics  Metrics
	Ledger   Ledger
	Clock    func() time.Time // nil means time.Now
	// Inherited are listening sockets that another process opened for us; nil means
	// none.
	Inherited *Sockets
	// Secrets are those of the process that this one replaces, as its Server.Secrets
	// returned them; nil means none.
	Secrets []byte
	// Own reports whether an address is another of this process's, such as the admin
	// listener's. Requests to such an address are loops. nil means none.
	Own func(netip.AddrPort) bool
}

// Server is the proxy. Listen opens its listeners, Serve runs it, Reload
// changes its settings, Shutdown drains it.
type Server struct {
	log     *zap.Logger
	metrics Metrics
	ledger  Ledger
	now     func() time.Time
	ownElse func(netip.AddrPort) bool
	viaName string
	via     [2]string // our Via element, by the request's minor version
	ids     idSource

	settings  atomic.Pointer[settings]
	transport *upstream.Transport
	pipeline  *goproxy.ProxyHttpServer
	shared    *front.Shared
	buffers   http1.Buffers        // shared by the connections
	budget    *budget.Budget       // for what is held for callers
	requests  sync.Pool            // of *request
	authority *authority.Authority // nil until there is a CA
	tickets   *legacy.Tickets

	accepting     context.Context // cancelled when accepting stops
	stopAccepting context.CancelFunc
	baseCtx       context.Context // cancelled at the shutdown deadline
	cutWork       context.CancelFunc
	loops         sync.WaitGroup // accept loops
	serving       sync.WaitGroup // accept loops and the connections they accepted
	active        atomic.Int64   // requests and relays in flight

	counting sync.RWMutex
	heir     func(*call.Outcome) // counts instead of this process; nil = none

	local     *LocalAddrs
	keys      legacy.TicketKeys // of the process that this one replaces, until there is a CA
	inherited *Sockets
	failed    chan error // the error of a listener that failed; holds one

	mu        sync.Mutex
	listeners []*listener
	started   bool // Serve was called
}

// New builds a Server. It opens no socket.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	inheritance := inherit(o.Secrets)
	s := &Server{
		local: new(LocalAddrs), log: o.Logger, metrics: o.Metrics, ledger: o.Ledger,
		now: o.Clock, ownElse: o.Own, ids: newIDSource(), inherited: o.Inherited, keys: inheritance.Tickets,
		failed: make(chan error, 1),
	}
	s.shared = front.NewShared(frontLimits(o.Settings.Limits), s.metrics.OpenConnection)
	s.viaName = "tlslift-" + s.ids.prefix
	s.via = [2]string{rewrite.ViaElement("1.0", s.viaName), rewrite.ViaElement("1.1", s.viaName)}
	s.accepting, s.stopAccepting = context.WithCancel(context.Background())
	s.baseCtx, s.cutWork = context.WithCancel(context.Background())
	s.budget = budget.New(s.baseCtx, o.Settings.Limits.memory())
	st := s.newSettings(o.Settings)
	var err error
	if s.transport, err = upstream.New(s.upstreamOptions(&o.Settings)); err != nil {
		return nil, fmt.Errorf("prepare the upstream side: %w", err)
	}
	s.transport.Known.Restore(inheritance.Known)
	st.use(s.transport.Snapshot())
	s.settings.Store(st)
	s.pipeline = s.newPipeline()
	s.adoptCA(st)
	return s, nil
}

// originalDst asks the kernel where a redirected connection was going. A connection
// made to one of our own listeners has no other destination.
func (s *Server) originalDst(c net.Conn) netip.AddrPort {
	dst := front.OriginalDestination(c)
	if !dst.IsValid() || s.Own(dst) {
		return netip.AddrPort{}
	}
	return dst
}

// Own reports whether an address is one of this process's own listeners.
func (s *Server) Own(ap netip.AddrPort) bool {
	ap = host.CanonicalPort(ap)
	if s.ownElse != nil && s.ownElse(ap) {
		return true
	}
	_, ours := s.listensAt(ap)
	return ours
}

// listensAt implements decide.Settings.Listens.
func (s *Server) listensAt(ap netip.AddrPort) (host.Name, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if s.local.Covers(host.OfSocket(l.Addr()), ap) {
			return l.conf.Load().DefaultUpstream, true
		}
	}
	return host.Name{}, false
}

// Covers reports whether a listener bound to bound is reached at ap.
func (s *Server) Covers(bound, ap netip.AddrPort) bool { return s.local.Covers(bound, ap) }

// Held returns how many bytes are held for callers now.
func (s *Server) Held() int64 { return s.budget.Held() }

// HeldLimit returns how many bytes may be held for callers.
func (s *Server) HeldLimit() int64 { return s.budget.Limit() }

// Peak returns roughly the most bytes that callers have cost since the last call:
// their connections, and what was held for them.
func (s *Server) Peak() int64 {
	const each = 64 << 10 // a connection that is served, and its share of the garbage
	_, open := s.shared.Peak()
	return int64(open)*each + s.budget.Peak()
}
