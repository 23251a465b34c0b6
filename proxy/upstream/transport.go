package upstream

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/contain"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/names"
	"tlslift/proxy/upstream/pool"
)

// Transport sends requests upstream and dials tunnels. It is safe for
// concurrent use. Make one with New, end it with Close.
type Transport struct {
	// Loops recognises our own connections and hellos that come back to tlslift.
	dial.Loops

	// Known records which addresses the upstreams had, across reloads.
	Known names.Known

	snapshot atomic.Pointer[Snapshot]
	now      func() time.Time
	buffers  http1.Buffers
	ctx      context.Context // ends background work
	cancel   context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup // goroutines that spawn started
}

// New makes a Transport. It does not connect yet. The error names every setting that
// cannot work.
func New(opts Options) (*Transport, error) { return newTransport(opts, time.Now) }

func newTransport(opts Options, now func() time.Time) (*Transport, error) {
	t := &Transport{now: now}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	s, err := newSnapshot(t, opts, nil)
	if err != nil {
		return nil, err
	}
	t.snapshot.Store(s)
	return t, nil
}

// Reconfigure replaces the options. It keeps the pools of hosts whose settings did
// not change. Requests in flight finish on the connections that they have. On error,
// nothing has changed.
func (t *Transport) Reconfigure(opts Options) error {
	t.mu.Lock()
	old := t.Snapshot()
	next, err := newSnapshot(t, opts, old)
	if t.closed {
		err = errClosed
	}
	if err != nil {
		t.mu.Unlock()
		return err
	}
	t.snapshot.Store(next)
	t.mu.Unlock()
	for _, g := range next.groups {
		g.configure(next)
	}
	for _, g := range old.groups {
		if !slices.Contains(next.groups, g) {
			g.retire()
		}
	}
	return nil
}

// Snapshot returns the current configuration.
func (t *Transport) Snapshot() *Snapshot { return t.snapshot.Load() }

// spawn runs f in a goroutine that Close waits for. It reports false if Close was
// called. A panic in f ends only f.
func (t *Transport) spawn(f func()) (started bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(func() {
		_ = contain.Do(t.Snapshot().opts.Logger, "upstream connections", func() error { f(); return nil })
	})
	return true
}

func (t *Transport) newNames(o *Options) *names.Resolver {
	n := names.Options{HostsFile: o.HostsFile, ResolvConf: o.ResolvConf, Now: t.now, Logger: o.Logger, Known: &t.Known}
	for _, server := range o.DNSServers {
		n.Servers = append(n.Servers, server.String())
	}
	return names.New(t.ctx, n)
}

// Close closes every connection, even busy ones, and waits for background work to
// end. Call it after the server has drained.
func (t *Transport) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	for _, g := range t.Snapshot().groups {
		g.retire()
	}
	for _, g := range t.Snapshot().groups {
		g.each((*pool.Pool).Abort)
	}
	t.wg.Wait()
}

// DialTunnel makes a TCP connection for a splice or a tunnel: resolved, guarded,
// through the parent proxy if there is one, without TLS. A configured host's TLS
// settings do not apply, since the bytes are passed on unchanged. r may be foreign.
// The connection has a CloseWrite method. The error is an *Error.
func (t *Transport) DialTunnel(ctx context.Context, r *Route, ex *Exchange) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, ex.fail(errDraining)
	}
	c, err := r.snapshot.dialer.Tunnel(ctx, r.untouched(), r.Label)
	if err != nil {
		return nil, ex.fail(err)
	}
	return c, nil
}

// Probe makes a verified connection to r and closes it without sending a request. It
// returns the remote address of the socket and the state of the TLS connection. The
// error is an *Error. Foreign routes have no TLS to probe.
func (t *Transport) Probe(ctx context.Context, r *Route) (addr netip.AddrPort, state tls.ConnectionState, err error) {
	if r.target.ServerName.IsZero() {
		return addr, state, notSent(problem.Host, errForeign)
	}
	c, err := r.snapshot.dialer.Connect(ctx, r.target, r.Label, r.group.tls, new(dial.Hellos))
	if err != nil {
		return addr, state, err
	}
	defer c.Close()
	if err := c.Refused(lateAlert); err != nil {
		return addr, state, notSent(problem.TLS, err)
	}
	return c.Remote(), c.State(), nil
}

// lateAlert is how long Probe waits for an alert after the handshake.
const lateAlert = 500 * time.Millisecond
