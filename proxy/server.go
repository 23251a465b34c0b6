package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elazarl/goproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/http1"
	"tlslift/proxy/legacy"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// Metrics is what the Server counts with; *metrics.Metrics is one.
type Metrics interface {
	upstream.Observer
	Record(*call.Outcome)
	Rewrite(kind rewrite.Kind)
	OpenConnection(h call.Handling, delta int)
	LeafMinted()
	CANotAfter(time.Time)
}

// Ledger is the registry of clients; *ledger.Ledger is one.
type Ledger interface {
	Record(*call.Outcome)
}

// LineWriter takes lines of the log; *logsink.Sink is one. WriteLine may not
// keep the line, and must not wait for whoever reads it.
type LineWriter interface {
	WriteLine(level zapcore.Level, line []byte)
}

// Options are what a Server is handed.
type Options struct {
	Settings Settings
	Logger   *zap.Logger
	Metrics  Metrics
	Ledger   Ledger
	Clock    func() time.Time // nil is time.Now
	// Lines is where the JSON lines of outcomes go; nil writes them through
	// Logger, in its format.
	Lines LineWriter
	// Inherited are listening sockets that a service manager opened for us, by
	// configured address.
	Inherited map[string]net.Listener
	// Own reports further addresses of this process, such as the admin
	// listener's: requests to them are loops. nil is none.
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
	via     [2]string // our element of Via, by the request's minor version
	ids     idSource

	settings  atomic.Pointer[settings]
	transport *upstream.Transport
	pipeline  *goproxy.ProxyHttpServer
	shared    *front.Shared
	buffers   http1.Buffers        // shared by the connections
	requests  sync.Pool            // of *request
	lines     LineWriter           // nil: through log
	encoders  sync.Pool            // of *lineEncoder
	authority *authority.Authority // nil until there is a CA
	tickets   *legacy.Tickets

	accepting     context.Context // ends when accepting ends
	stopAccepting context.CancelFunc
	work          context.Context // ends at the shutdown deadline
	cutWork       context.CancelFunc
	serving       sync.WaitGroup // accept loops and the connections they accepted
	active        atomic.Int64   // requests and relays under way

	local     *LocalAddrs
	mu        sync.Mutex
	listeners []*listener
	inherits  map[string]net.Listener
}

// listener is one open listener.
type listener struct {
	net.Listener
	conf Listener
}

// New builds a Server. It opens no socket.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{
		local: new(LocalAddrs), log: o.Logger, metrics: o.Metrics, ledger: o.Ledger,
		now: o.Clock, ownElse: o.Own, lines: o.Lines, ids: newIDSource(), inherits: o.Inherited,
	}
	s.shared = front.NewShared(frontLimits(o.Settings.Limits), s.metrics.OpenConnection)
	s.viaName = "tlslift-" + s.ids.prefix
	s.via = [2]string{rewrite.ViaElement("1.0", s.viaName), rewrite.ViaElement("1.1", s.viaName)}
	s.accepting, s.stopAccepting = context.WithCancel(context.Background())
	s.work, s.cutWork = context.WithCancel(context.Background())
	st, err := s.newSettings(o.Settings)
	if err != nil {
		return nil, err
	}
	if s.transport, err = upstream.New(s.upstreamOptions(&o.Settings)); err != nil {
		return nil, fmt.Errorf("prepare the upstream side: %w", err)
	}
	st.use(s.transport.Snapshot())
	s.settings.Store(st)
	s.pipeline = s.newPipeline()
	s.adoptCA(st)
	return s, nil
}

// Listen opens every listener, or none.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.settings.Load().Listeners
	for _, conf := range all {
		ln := s.inherits[conf.Address]
		if ln == nil {
			lc := net.ListenConfig{KeepAlive: -1} // deadlines find callers that are gone
			var err error
			ln, err = front.Listen(s.work, lc, conf.Address)
			if err != nil && noIPv6(conf.Address, err) && len(all) > 1 {
				s.log.Warn("no IPv6 here: going on without this listener", zap.String("address", conf.Address))
				continue
			}
			if err != nil {
				for _, l := range s.listeners {
					l.Close()
				}
				s.listeners = nil
				return fmt.Errorf("listen on %s: %w", conf.Address, err)
			}
		}
		s.listeners = append(s.listeners, &listener{ln, conf})
	}
	for _, l := range s.listeners {
		s.log.Info("listening", zap.Stringer("address", l.Addr()), zap.String("configured", l.conf.Address))
	}
	return nil
}

// noIPv6 reports whether a listener failed because this host, or this pod, has
// no IPv6 loopback address.
func noIPv6(address string, err error) bool {
	host, _, splitErr := net.SplitHostPort(address)
	addr, parseErr := netip.ParseAddr(host)
	return splitErr == nil && parseErr == nil && addr.Is6() && addr.IsLoopback() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT))
}

// Bound is an open listener: its configuration and its address.
type Bound struct {
	Listener
	Addr netip.AddrPort
}

// Bound are the open listeners, in the configuration's order.
func (s *Server) Bound() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Bound, 0, len(s.listeners))
	for _, l := range s.listeners {
		out = append(out, Bound{Listener: l.conf, Addr: addrPort(l.Addr())})
	}
	return out
}

// Serve accepts until Shutdown. It returns nil after a Shutdown, else the
// failure that ended it.
func (s *Server) Serve() error {
	s.mu.Lock()
	failed := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		s.serving.Go(func() { failed <- front.Serve(s.accepting, l.Listener, s.frontOptions(&l.conf)) })
	}
	s.mu.Unlock()
	select {
	case err := <-failed:
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
	case <-s.accepting.Done():
	}
	return nil
}

// frontOptions are those of one listener.
func (s *Server) frontOptions(conf *Listener) front.Options {
	return front.Options{
		Shared:            s.shared,
		Listener:          &conf.Listener,
		Allow:             conf.Allow,
		ProxyProtocolFrom: conf.ProxyProtocolFrom,
		Handler:           s,
		Logger:            s.log,
		OwnSocket:         s.transport.OwnSocket,
		OriginalDst:       s.originalDst,
		Dropped:           s.dropped,
	}
}

// originalDst asks the kernel where a redirected connection was going. A
// connection made to the listener itself has no other destination.
func (s *Server) originalDst(c net.Conn) netip.AddrPort {
	dst := front.OriginalDestination(c)
	if !dst.IsValid() || s.Own(dst) {
		return netip.AddrPort{}
	}
	return dst
}

// Own reports whether an address is one of this process's own listeners.
func (s *Server) Own(ap netip.AddrPort) bool {
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if s.ownElse != nil && s.ownElse(ap) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if s.local.Covers(addrPort(l.Addr()), ap) {
			return true
		}
	}
	return false
}

// Covers reports whether a listener bound to bound is reached at ap.
func (s *Server) Covers(bound, ap netip.AddrPort) bool { return s.local.Covers(bound, ap) }

// Peak is how many client connections are open, and the most that were since the
// last call.
func (s *Server) Peak() (open, most int) { return s.shared.Peak() }
