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

// Conn is an accepted connection. Bytes that were only looked at are read
// again. One goroutine at a time may read, one may write; Close, Standing, Show and
// Carry may be called from any.
type Conn struct {
	nc       net.Conn
	shared   *Shared
	retiring *atomic.Bool // its listener accepts no more
	facts    *call.Conn
	rules    func() Rules // of its listener, in force

	early []byte      // read, and to be read again; set by keep
	holds atomic.Bool // early is not empty

	instant       bool          // reads do not wait
	rejectTimeout time.Duration // every timeout of a refused caller; 0 = not refused

	closed atomic.Bool
	lost   atomic.Bool // a write failed, or the connection was seen to be reset
	linger atomic.Bool // unread bytes must not turn the last answer into a reset

	carrying sync.Mutex // held while the carrier is replaced or called
	carrier  Carrier

	// Under Shared.mu.
	shown   call.Handling
	network netip.Addr // counted in Shared.clients
}

var _ net.Conn = (*Conn)(nil)

// newConn wraps an accepted connection. It is counted as open once there is room
// for it or ctx is done, until it is closed.
func newConn(ctx context.Context, nc net.Conn, s *Shared, retiring *atomic.Bool) *Conn {
	c := &Conn{nc: nonblock.Wrap(nc), shared: s, retiring: retiring}
	s.enter(ctx, c)
	return c
}

// Facts is what is known of the connection since it was accepted.
func (c *Conn) Facts() *call.Conn { return c.facts }

// Rules are what the configuration says of the connection's listener now. The timeouts of
// a caller that was refused when the connection was accepted stay.
func (c *Conn) Rules() Rules { return c.rules() }

// Read reads what was looked at, then from the socket.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.keep(c.early[n:])
		return n, nil
	}
	if c.instant {
		return c.readInstantly(p)
	}
	return c.nc.Read(p)
}

// readInstantly reads what the kernel holds. With nothing there, or where a read
// cannot but wait, it returns os.ErrDeadlineExceeded, which crypto/tls does not
// take for the connection's end.
func (c *Conn) readInstantly(p []byte) (int, error) {
	nc, ok := c.nc.(interface{ TryRead(p []byte) (int, error) })
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
	n, err := c.nc.Write(p)
	if err != nil {
		c.lost.Store(true)
	}
	return n, err
}

// Unread makes p what is read next. It keeps p.
func (c *Conn) Unread(p []byte) {
	if len(p) > 0 {
		c.keep(append(p[:len(p):len(p)], c.early...))
	}
}

// keep sets what is read before the bytes of the socket.
func (c *Conn) keep(b []byte) {
	if len(b) == 0 {
		b = nil
	}
	c.early = b
	c.holds.Store(b != nil)
}

// Buffered is how many bytes are read before those of the socket.
func (c *Conn) Buffered() int { return len(c.early) }

// NetConn returns the socket, as tls.Conn.NetConn does. It may be read instead
// of c while Buffered is 0.
func (c *Conn) NetConn() net.Conn { return c.nc }

// LocalAddr returns our end of the socket.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the socket's other end.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error { return c.nc.SetDeadline(t) }

// SetReadDeadline sets the deadline of reads.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.nc.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.nc.SetWriteDeadline(t) }

// CloseWrite ends our side of the connection.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Carrier is what carries a connection's bytes at the moment. Its methods are
// called one at a time, from the goroutine of a shutdown or from Carry, perhaps
// more than once, and never after another carrier took its place. They must
// not block, nor call Carry for the same connection.
type Carrier interface {
	// Retire makes it end after its next answer. What is not answered goes on.
	Retire()
	// Drain makes it end as soon as nothing is under way.
	Drain()
	// Abort makes it end now, with an answer if one can still be given.
	Abort()
}

// Carry says what carries the connection from now on; nil is nothing. When its
// listener accepts no more, or a drain or a cut is under way, the carrier is called at once.
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

// notify calls a method of what carries the connection.
func (c *Conn) notify(what func(Carrier)) {
	c.carrying.Lock()
	defer c.carrying.Unlock()
	if c.carrier != nil {
		what(c.carrier)
	}
}
