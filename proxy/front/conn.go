package front

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/nonblock"
)

// Conn is an accepted connection. Read returns peeked bytes again. One goroutine at
// a time may read, and one may write. Close, PeerState, Show and Carry may be
// called from any goroutine.
type Conn struct {
	net.Conn // the socket
	shared   *Shared
	retiring *atomic.Bool // set once its listener accepts no more
	facts    *call.Conn
	rules    func() Rules // current rules of its listener

	early []byte      // bytes to read before those of the socket; set by keep
	holds atomic.Bool // early is not empty

	instant       bool          // reads do not wait
	rejectTimeout time.Duration // every timeout of a refused caller; 0 if not refused

	closed atomic.Bool
	lost   atomic.Bool // a write failed, or the connection was seen to be reset
	linger atomic.Bool // unread bytes must not turn the last answer into a reset

	carrying sync.Mutex // held while the carrier is replaced or called
	carrier  Carrier

	// Guarded by Shared.mu.
	shown   call.Handling
	network netip.Addr // counted in Shared.clients
}

var _ net.Conn = (*Conn)(nil)

// newConn wraps an accepted connection. It waits until there is room or ctx is
// done, and counts the connection as open until it is closed.
func newConn(ctx context.Context, nc net.Conn, s *Shared, retiring *atomic.Bool) *Conn {
	c := &Conn{Conn: nonblock.Wrap(nc), shared: s, retiring: retiring}
	s.enter(ctx, c)
	return c
}

// Facts returns what became known about the connection when it was accepted.
func (c *Conn) Facts() *call.Conn { return c.facts }

// Rules returns the current rules of the connection's listener. They do not affect
// the timeouts of a caller that was refused when it connected.
func (c *Conn) Rules() Rules { return c.rules() }

// Read reads the peeked bytes first, then from the socket.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.keep(c.early[n:])
		return n, nil
	}
	if c.instant {
		return c.readInstantly(p)
	}
	return c.Conn.Read(p)
}

// readInstantly reads what the kernel holds. If it cannot, it returns
// os.ErrDeadlineExceeded, which crypto/tls does not take for the end of the
// connection.
func (c *Conn) readInstantly(p []byte) (int, error) {
	nc, ok := c.Conn.(interface{ TryRead(p []byte) (int, error) })
	if !ok || len(p) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := nc.TryRead(p)
	if errors.Is(err, syscall.EAGAIN) {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Write writes to the socket.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.lost.Store(true)
	}
	return n, err
}

// Unread makes p the next bytes to be read. It keeps p.
func (c *Conn) Unread(p []byte) {
	if len(p) > 0 {
		c.keep(append(p[:len(p):len(p)], c.early...))
	}
}

// keep sets the bytes to read before those of the socket.
func (c *Conn) keep(b []byte) {
	if len(b) == 0 {
		b = nil
	}
	c.early = b
	c.holds.Store(b != nil)
}

// Buffered returns how many bytes Read will return before those of the socket.
func (c *Conn) Buffered() int { return len(c.early) }

// NetConn returns the socket, as tls.Conn.NetConn does. It may be read instead
// of c while Buffered is 0.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// CloseWrite half-closes our side of the connection.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Carrier is what currently carries a connection's bytes. Its methods are called
// one at a time, from a shutdown or from Carry, perhaps more than once, and never
// after another carrier has replaced it. They must not block or call Carry for the
// same connection.
type Carrier interface {
	// Retire makes the connection end after its next answer.
	Retire()
	// Drain makes the connection end as soon as nothing is in flight.
	Drain()
	// Abort makes the connection end now, with an answer if one can still be given.
	Abort()
}

// Carry sets what carries the connection from now on; nil means nothing. If the
// listener accepts no more, or Drain or Abort was called, Carry calls the carrier
// at once.
func (c *Conn) Carry(by Carrier) {
	c.carrying.Lock()
	defer c.carrying.Unlock()
	c.carrier = by
	if by != nil && c.retiring.Load() {
		by.Retire()
	}
	if by != nil && c.shared.draining.Load() {
		by.Drain()
	}
	if by != nil && c.shared.aborting.Load() {
		by.Abort()
	}
}

// notify calls a method of the current carrier, if there is one.
func (c *Conn) notify(what func(Carrier)) {
	c.carrying.Lock()
	defer c.carrying.Unlock()
	if c.carrier != nil {
		what(c.carrier)
	}
}
