package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/elazarl/goproxy"
	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// Options are what a Server is handed.
type Options struct {
	Config  *configs.Config
	Logger  *zap.Logger
	Metrics *metrics.Metrics
	Ledger  *ledger.Ledger
	// Clock tells the time; nil is time.Now.
	Clock func() time.Time
	// Inherited are listening sockets that a service manager opened for us,
	// by configured address.
	Inherited map[string]net.Listener
	// Own reports further addresses of this process, such as the admin
	// listener's: requests to them are loops. nil is none.
	Own func(netip.AddrPort) bool
}

// Server is the proxy. Listen opens its listeners, Serve runs it, Reload
// changes its configuration, Shutdown drains it.
type Server struct {
	log     *zap.Logger
	metrics *metrics.Metrics
	ledger  *ledger.Ledger
	clock   func() time.Time
	ownElse func(netip.AddrPort) bool
	viaName string
	via     [2]string // our element of Via, by the request's minor version
	ids     idSource

	settings  atomic.Pointer[settings]
	transport *upstream.Transport
	pipeline  *goproxy.ProxyHttpServer
	inner     *http.Server
	handoff   *handoff
	shared    *front.Shared
	authority *authority.Authority // nil without a CA
	tickets   *legacy.Tickets

	doorsOpen context.Context // ends when accepting ends
	shut      context.CancelFunc
	accepting sync.WaitGroup
	work      context.Context // ends at the drain deadline
	cut       context.CancelFunc
	active    atomic.Int64 // requests being served
	draining  atomic.Bool
	tunnels   sync.WaitGroup
	relays    relaySet
	greetings greetingSet
	local     *localAddrs
	mu        sync.Mutex
	doors     []*door
	inherits  map[string]net.Listener
}

// door is one open listener.
type door struct {
	ln   net.Listener
	conf configs.Listen
}

// New builds a Server from a validated configuration. It opens no socket.
func New(o Options) (*Server, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Server{
		local:    new(localAddrs),
		log:      o.Logger,
		metrics:  o.Metrics,
		ledger:   o.Ledger,
		clock:    o.Clock,
		ownElse:  o.Own,
		ids:      newIDSource(),
		handoff:  newHandoff(),
		shared:   front.NewShared(frontLimits(o.Config.Limits)),
		inherits: o.Inherited,
	}
	s.shared.Gauge = s.metrics.OpenConnection
	s.viaName = "tlslift-" + s.ids.prefix
	s.via = [2]string{rewrite.ViaElement("1.0", s.viaName), rewrite.ViaElement("1.1", s.viaName)}
	s.doorsOpen, s.shut = context.WithCancel(context.Background())
	s.work, s.cut = context.WithCancel(context.Background())
	st, err := s.newSettings(o.Config)
	if err != nil {
		return nil, err
	}
	up, err := s.upstreamOptions(o.Config)
	if err != nil {
		return nil, err
	}
	if s.transport, err = upstream.New(up); err != nil {
		return nil, fmt.Errorf("prepare the upstream side: %w", err)
	}
	s.settings.Store(st)
	s.pipeline = s.newPipeline()
	s.adoptCA(st)
	s.inner = &http.Server{Handler: s, ConnContext: s.connContext, ConnState: s.connState, ErrorLog: serverLog(s.log)}
	front.Configure(s.inner)
	return s, nil
}

func (s *Server) now() time.Time { return s.clock() }

// Listen opens every configured listener, or none.
func (s *Server) Listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conf := range s.settings.Load().cfg.Listen {
		ln := s.inherits[conf.Address]
		if ln == nil {
			lc := net.ListenConfig{KeepAlive: -1} // deadlines find out who is gone
			var err error
			ln, err = lc.Listen(s.work, "tcp", conf.Address)
			if err != nil && noIPv6(conf, err) && len(s.settings.Load().cfg.Listen) > 1 {
				s.log.Warn("no IPv6 here: going on without this listener", zap.String("address", conf.Address))
				continue
			}
			if err != nil {
				for _, d := range s.doors {
					d.ln.Close()
				}
				s.doors = nil
				return fmt.Errorf("listen on %s: %w", conf.Address, err)
			}
		}
		s.doors = append(s.doors, &door{ln: ln, conf: conf})
	}
	for _, d := range s.doors {
		s.log.Info("listening", zap.String("address", d.ln.Addr().String()), zap.String("configured", d.conf.Address))
	}
	return nil
}

// noIPv6 reports whether a listener failed because this host, or this pod, has
// no IPv6 loopback address: nobody could have called it there.
func noIPv6(conf configs.Listen, err error) bool {
	ap, ok := literal(conf.Address)
	return ok && ap.Addr().Is6() && ap.Addr().IsLoopback() &&
		(errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT))
}

// Listening is an open listener: its configuration and where it listens.
type Listening struct {
	configs.Listen
	Addr netip.AddrPort
}

// Listening returns the open listeners, in the configuration's order. A
// configured one that could not be opened for want of IPv6 is not among them.
func (s *Server) Listening() []Listening {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Listening
	for _, d := range s.doors {
		out = append(out, Listening{d.conf, addrPort(d.ln.Addr())})
	}
	return out
}

// Serve accepts until Shutdown. It returns nil after a Shutdown, else the
// failure that ended it.
func (s *Server) Serve() error {
	s.mu.Lock()
	failed := make(chan error, len(s.doors)+1)
	for _, d := range s.doors {
		s.accepting.Go(func() { failed <- front.Serve(s.doorsOpen, d.ln, s.frontOptions(d)) })
	}
	s.mu.Unlock()
	go func() { failed <- s.inner.Serve(s.handoff) }()
	for {
		err := <-failed
		switch {
		case errors.Is(err, http.ErrServerClosed):
			return nil
		case err != nil:
			return fmt.Errorf("serve: %w", err)
		}
	}
}

// frontOptions are those of one listener.
func (s *Server) frontOptions(d *door) front.Options {
	conf := d.conf
	return front.Options{
		Shared: s.shared,
		Listener: &call.Listener{
			Address:         conf.Address,
			Loopback:        conf.Loopback(),
			Forward:         conf.Accepts(configs.WayForward),
			Connect:         conf.Accepts(configs.WayConnect),
			Gateway:         conf.Accepts(configs.WayGateway),
			TLS:             conf.Accepts(configs.WayTLS),
			Transparent:     conf.Transparent,
			Client:          conf.Client,
			DefaultUpstream: conf.DefaultUpstream.String(),
		},
		Allow:             conf.Allow,
		ProxyProtocolFrom: conf.ProxyProtocolFrom,
		Handler:           s,
		Logger:            s.log,
		OwnSocket:         s.transport.OwnSocket,
		OriginalDst:       s.originalDst,
		Dropped:           s.dropped,
	}
}

// Own reports whether an address is one of this process's own listeners.
func (s *Server) Own(ap netip.AddrPort) bool {
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if s.ownElse != nil && s.ownElse(ap) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		if s.local.covers(addrPort(d.ln.Addr()), ap) {
			return true
		}
	}
	return false
}

// Covers reports whether a listener bound to bound is reached at ap.
func (s *Server) Covers(bound, ap netip.AddrPort) bool { return s.local.covers(bound, ap) }

// HTTP implements front.Handler: plain HTTP goes to the inner server.
func (s *Server) HTTP(c *front.Conn) {
	if arr := c.Arrival(); arr.OriginalDst.IsValid() && !arr.Barred && s.passThrough(c) {
		return
	}
	s.enter(newSession(c))
}

// TLS implements front.Handler: a ClientHello straight away.
func (s *Server) TLS(c *front.Conn, _ front.Kind) {
	s.tunnels.Go(func() { s.direct(c) })
}

// Refused implements front.Handler: a connection over a limit or not allowed.
// Its first request carries the refusal, and the pipeline answers it.
func (s *Server) Refused(c *front.Conn, _ problem.Reason) { s.enter(newSession(c)) }

// RefusedTLS implements front.Handler: the same for one that begins with a
// ClientHello. It gets an alert, and a line.
func (s *Server) RefusedTLS(c *front.Conn, refusal front.Refusal) {
	s.tunnels.Go(func() { s.turnAway(c, refusal) })
}

// dropped counts a connection that was closed without an answer.
func (s *Server) dropped(_ *call.Conn, reason problem.Reason) { s.metrics.Denied(reason) }

// enter hands a connection that speaks HTTP to the inner server.
func (s *Server) enter(sess *session) {
	if !s.handoff.push(served{sess.conn, sess}) {
		sess.conn.Close()
	}
}
