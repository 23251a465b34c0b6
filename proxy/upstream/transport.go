package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
)

// Transport sends requests upstream and dials tunnels. It is safe for
// concurrent use. Make one with New, end it with Close.
type Transport struct {
	state   atomic.Pointer[state]
	now     func() time.Time
	buffers bufferPool
	sockets registry[ends]
	hellos  registry[[32]byte]
	// watchAll makes idle connections be read in the background even where
	// they could be polled.
	watchAll bool

	ctx    context.Context // ends background work
	cancel context.CancelFunc
	wake   chan struct{} // starts the janitor's ticking; buffered

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // every goroutine but the callers'
}

// state is what a configuration makes of a Transport; immutable.
type state struct {
	opts    Options
	exact   map[host.Name]*Route
	domains map[host.Name]*hostState // by the domain of *.domain
	hosts   []*hostState             // those of opts.Hosts, in order
	other   *hostState               // foreign hosts
	names   *names.Resolver
}

// all calls f for every host's state, that of foreign hosts included.
func (s *state) all(f func(*hostState)) {
	for _, h := range s.hosts {
		f(h)
	}
	f(s.other)
}

// New makes a Transport. It connects to nothing yet. The error names every
// setting that cannot work.
func New(opts Options) (*Transport, error) {
	t, err := newTransport(opts, time.Now)
	if err != nil {
		return nil, err
	}
	t.spawn(t.janitor)
	return t, nil
}

// newTransport makes a Transport without its janitor.
func newTransport(opts Options, now func() time.Time) (*Transport, error) {
	if err := opts.complete(); err != nil {
		return nil, fmt.Errorf("upstream options: %w", err)
	}
	t := &Transport{now: now, wake: make(chan struct{}, 1)}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.state.Store(t.makeState(opts, nil))
	return t, nil
}

// Reconfigure puts other options in place. Pools of hosts whose settings did
// not change are kept; requests under way end on the connection they have. On
// an error nothing has changed.
func (t *Transport) Reconfigure(opts Options) error {
	if err := opts.complete(); err != nil {
		return fmt.Errorf("upstream options: %w", err)
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return errClosed
	}
	old := t.state.Load()
	next := t.makeState(opts, old)
	t.state.Store(next)
	t.mu.Unlock()

	kept := make(map[*hostState]bool, len(next.hosts)+1)
	next.all(func(h *hostState) { kept[h] = true })
	old.all(func(h *hostState) {
		if !kept[h] {
			h.retire()
		}
	})
	return nil
}

// makeState builds the state for opts, taking over from old what did not change.
func (t *Transport) makeState(opts Options, old *state) *state {
	s := &state{opts: opts, exact: make(map[host.Name]*Route), domains: make(map[host.Name]*hostState)}
	if old != nil && old.opts.sameNames(&opts) {
		s.names = old.names
	} else {
		s.names = newNames(t.ctx, &opts, t.now)
	}
	keep := old != nil && old.opts.sameWay(&opts)
	if keep {
		s.other = old.other
	} else {
		s.other = newHostState(t, LabelOther, Host{}, &opts)
	}
	for _, conf := range opts.Hosts {
		var h *hostState
		if keep {
			h = old.sameHost(&conf)
		}
		if h == nil {
			h = newHostState(t, conf.Pattern.String(), conf, &opts)
		}
		s.hosts = append(s.hosts, h)
		if domain := conf.Pattern.Domain(); conf.Pattern.Wild() {
			s.domains[domain] = h
		} else {
			s.exact[domain] = h.route(domain)
		}
	}
	return s
}

func newNames(ctx context.Context, o *Options, now func() time.Time) *names.Resolver {
	n := names.Options{HostsFile: o.HostsFile, ResolvConf: o.ResolvConf, Now: now}
	for _, s := range o.DNSServers {
		server, _ := names.ParseServer(s) // validated with the options
		n.Servers = append(n.Servers, server)
	}
	return names.New(ctx, n)
}

// sameHost returns the state of a host with the same settings, or nil.
func (s *state) sameHost(conf *Host) *hostState {
	for _, h := range s.hosts {
		if h.conf.same(conf) {
			return h
		}
	}
	return nil
}

// spawn runs f in a goroutine that Close waits for, unless Close was called.
func (t *Transport) spawn(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(f)
	return true
}

// CloseIdle closes every idle connection. Warm ones are made again when their
// host is next used.
func (t *Transport) CloseIdle() {
	t.state.Load().all(func(h *hostState) { h.eachPool((*pool).closeIdle) })
}

// Close closes every connection, the busy ones too, and waits for the
// background work to end. Call it when the server has drained.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.state.Load().all(func(h *hostState) { h.retire(); h.eachPool((*pool).abort) })
	t.wg.Wait()
}

// OwnSocket reports whether a connection from peer to local, as whoever
// accepted it sees them, is one of ours that is open now. A socket is known
// before its first byte is written, so ask after having read one.
func (t *Transport) OwnSocket(peer, local netip.AddrPort) bool {
	return t.sockets.met(ends{local: unmapped(peer), remote: unmapped(local)})
}

// OwnHello reports whether random is that of a ClientHello (RFC 8446 4.1.2)
// that we are sending, or splicing (RegisterHello), right now.
func (t *Transport) OwnHello(random [32]byte) bool { return t.hellos.met(random) }

// RegisterHello makes OwnHello report random until release is called, which
// may be done more than once.
func (t *Transport) RegisterHello(random [32]byte) (release func()) {
	s := t.hellos.add(random)
	return sync.OnceFunc(func() { t.hellos.drop(s) })
}

// refuse judges an address that is about to be connected to, or is connected.
func (s *state) refuse(addr netip.AddrPort, exempt bool) error {
	addr = netip.AddrPortFrom(addr.Addr().Unmap().WithZone(""), addr.Port())
	if s.opts.Own(addr) {
		return notSent(problem.Loop, fmt.Errorf("%w: %s", errOwnAddress, addr))
	}
	if !exempt && internal(addr.Addr()) {
		return notSent(problem.InternalAddress, fmt.Errorf("%w: %s", errInternal, addr.Addr()))
	}
	return nil
}

// addrPort returns a TCP address, unmapped, or the zero value.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}

// asError returns err as an *Error, with the given reason and NotSent unless
// it is one already.
func asError(err error, otherwise problem.Reason) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return notSent(otherwise, err)
}
