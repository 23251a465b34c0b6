package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const readBuffer = 4 << 10

// past is a deadline that interrupts reads and writes.
var past = time.Unix(1, 0)

// Conn is an open connection. Only its owner may use it.
type Conn struct {
	// Reader reads from the connection.
	Reader *bufio.Reader
	// Version is the TLS version used with the target; 0 = none.
	Version uint16
	// Stall limits how long each read waits for bytes; 0 = until the deadline.
	Stall time.Duration

	sock *socket
	top  net.Conn  // the topmost layer
	tls  *tls.Conn // the topmost TLS layer; nil without TLS
	one  [1]byte

	mu          sync.Mutex
	watched     <-chan struct{} // Done of the context that is watched
	unwatch     func()
	busy        bool // between Begin and End
	interrupted bool
}

func newConn(top net.Conn, s *socket, tc *tls.Conn) *Conn {
	c := &Conn{sock: s, top: top, tls: tc, unwatch: func() {}}
	c.Reader = bufio.NewReaderSize((*source)(c), readBuffer)
	return c
}

// source feeds a Conn's Reader. It is the only place that waits for bytes.
type source Conn

func (s *source) Read(p []byte) (n int, err error) {
	c := (*Conn)(s)
	if c.Stall > 0 {
		c.SetReadDeadline(time.Now().Add(c.Stall))
	}
	return c.top.Read(p)
}

func (c *Conn) Write(p []byte) (int, error) { return c.top.Write(p) }

// Sent returns how many bytes the kernel accepted since Begin, TLS overhead included.
func (c *Conn) Sent() int64 { return c.sock.sent.Load() }

// Begin ties the connection to ctx until End is called: reads and writes fail when
// ctx ends. It reports false if ctx has ended already. The context should be the same
// each time: it is watched once, which saves three allocations per request.
func (c *Conn) Begin(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done := ctx.Done(); done != c.watched {
		c.unwatch()
		c.watched = done
		stop := context.AfterFunc(ctx, func() { c.interrupt(done) })
		c.unwatch = func() { stop() }
	}
	c.sock.sent.Store(0)
	c.busy, c.interrupted = true, ctx.Err() != nil
	return !c.interrupted
}

// End ends what Begin began, and reports whether the context ended in between.
func (c *Conn) End() (interrupted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return c.interrupted
}

// interrupt ends the exchange in flight if it runs under the watched context.
func (c *Conn) interrupt(done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy && c.watched == done {
		c.interrupted = true
		_ = c.sock.SetDeadline(past)
	}
}

// Interrupted reports whether the context has ended since Begin.
func (c *Conn) Interrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupted
}

// Refused waits for the alert of a server that refuses the connection after a TLS 1.3
// handshake, as it does if it requires a client certificate (RFC 8446 section 6.2,
// certificate_required). It returns nil if no alert arrives within wait.
func (c *Conn) Refused(wait time.Duration) error {
	c.SetReadDeadline(time.Now().Add(wait))
	_, err := c.Reader.Peek(1)
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return alert
	}
	return nil
}

// SetDeadline does nothing once the connection was interrupted; nor do the two below.
func (c *Conn) SetDeadline(at time.Time) { c.limit(c.sock.SetDeadline, at) }

// SetReadDeadline is SetDeadline for reads.
func (c *Conn) SetReadDeadline(at time.Time) { c.limit(c.sock.SetReadDeadline, at) }

// SetWriteDeadline is SetDeadline for writes.
func (c *Conn) SetWriteDeadline(at time.Time) { c.limit(c.sock.SetWriteDeadline, at) }

func (c *Conn) limit(set func(time.Time) error, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.interrupted {
		_ = set(at)
	}
}

// Reusable reports whether the connection is open and nothing has arrived. It does
// not wait, and processes session tickets that have arrived.
func (c *Conn) Reusable() bool { return c.holdsNothing(modePoll) }

// Clean is Reusable without asking the kernel: it reports whether nothing of the last
// exchange is left in any layer.
func (c *Conn) Clean() bool { return c.holdsNothing(modeDry) }

func (c *Conn) holdsNothing(m readMode) bool {
	if c.Reader.Buffered() > 0 {
		return false
	}
	c.sock.mode = m
	_, err := c.top.Read(c.one[:])
	c.sock.mode = modeWait
	return errors.Is(err, errWouldBlock)
}

// Truncated reports whether a TLS stream ended without close_notify, so anyone on the
// path may have ended it.
func (c *Conn) Truncated() bool { return c.tls != nil && c.sock.eof }

// Remote returns the remote address of the socket.
func (c *Conn) Remote() netip.AddrPort { return c.sock.route.key.remote }

// State returns the TLS state of the connection, which must use TLS.
func (c *Conn) State() tls.ConnectionState { return c.tls.ConnectionState() }

// closeWait limits how long Close waits for a peer that does not read.
const closeWait = 500 * time.Millisecond

// Close closes the connection, with a close_notify if it uses TLS.
func (c *Conn) Close() {
	c.mu.Lock()
	c.unwatch()
	c.mu.Unlock()
	late := time.AfterFunc(closeWait, c.Abort)
	defer late.Stop()
	_ = c.top.Close()
	c.Abort()
}

// Abort closes the socket, even while the connection is in use.
func (c *Conn) Abort() { _ = c.sock.Close() }
