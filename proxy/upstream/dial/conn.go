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

// Conn is an open connection. It is used by its owner alone.
type Conn struct {
	// Reader is what to read from.
	Reader *bufio.Reader
	// Version is that of TLS with the target; 0 = none.
	Version uint16

	sock *socket
	top  net.Conn      // of the layers
	tls  *tls.Conn     // the uppermost; nil without TLS
	wait time.Duration // for each read, if that is not 0
	one  [1]byte

	mu          sync.Mutex
	watched     <-chan struct{} // of the context that is watched
	unwatch     func()
	busy        bool // between Begin and End
	interrupted bool
}

func newConn(top net.Conn, s *socket, tc *tls.Conn) *Conn {
	c := &Conn{sock: s, top: top, tls: tc, unwatch: func() {}}
	c.Reader = bufio.NewReaderSize((*source)(c), readBuffer)
	return c
}

// source feeds a Conn's Reader. Only here are bytes really waited for.
type source Conn

func (s *source) Read(p []byte) (n int, err error) {
	c := (*Conn)(s)
	if c.wait > 0 {
		c.SetReadDeadline(time.Now().Add(c.wait))
	}
	return c.top.Read(p)
}

// Stall bounds how long each read waits for bytes; 0 = until the deadline.
func (c *Conn) Stall(wait time.Duration) { c.wait = wait }

func (c *Conn) Write(p []byte) (int, error) { return c.top.Write(p) }

// Sent is how many bytes the kernel accepted since Begin, those of TLS included.
func (c *Conn) Sent() int64 { return c.sock.sent.Load() }

// Begin makes the connection end with ctx until End is called. It reports
// false when ctx has ended. The context should be the same each time: it is
// watched once, which saves a request three allocations.
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

// End reports whether the context has ended since Begin.
func (c *Conn) End() (interrupted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return c.interrupted
}

// interrupt ends the exchange under way, if it is one under the context.
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

// SetDeadline does nothing once the connection was interrupted, as the two below.
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

// Reusable reports whether the connection is open and nothing has come. It does
// not wait, and takes session tickets that have come.
func (c *Conn) Reusable() bool { return c.holdsNothing(modePoll) }

// Clean is Quiet without asking the kernel: nothing is left of the last
// exchange in any layer.
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

// Truncated reports whether the stream over TLS ended without close_notify, so
// anyone on the path may have ended it.
func (c *Conn) Truncated() bool { return c.tls != nil && c.sock.eof }

// Remote is the other end of the socket.
func (c *Conn) Remote() netip.AddrPort { return c.sock.route.key.remote }

// State describes the connection, which must be one over TLS.
func (c *Conn) State() tls.ConnectionState { return c.tls.ConnectionState() }

// closeWait bounds how long Close waits for a peer that reads nothing.
const closeWait = 500 * time.Millisecond

// Close closes the connection, with a close_notify if it is one over TLS.
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
