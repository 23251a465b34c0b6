package front

import (
	"net"
	"time"
)

// Closing a socket with unread bytes in it sends RST, and RST throws away the
// answer that the client has not read yet (RFC 9112 9.6). So whenever the
// client may have sent more than was read (a refused request's body, the CRLF
// that old browsers add to a POST), our side is ended first and the rest is
// read and dropped, within these bounds.
const (
	lingerTotal = 10 * time.Second
	lingerIdle  = 2 * time.Second
	lingerBytes = 32 << 20
)

// Close closes the connection, after a lingering end where that is needed to
// get the last answer across. It does not wait for that: net/http calls it
// under its own lock.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if c.outer != nil {
		// The socket is the outer one's, and so is the lingering.
		if c.lingers.Load() {
			c.outer.setLingers(true)
		}
		return c.finish()
	}
	if c.ended.Load() || c.lost.Load() || !c.lingers.Load() && !c.unread() {
		return c.finish()
	}
	go c.linger()
	return nil
}

func (c *Conn) linger() {
	defer func() { _ = c.finish() }()
	if c.CloseWrite() != nil {
		return
	}
	buf := c.shared.buffers.get()
	defer c.shared.buffers.put(buf)
	total := lingerTotal
	if c.hurried || c.shared.draining.Load() {
		total = hurry
	}
	end := time.Now().Add(total)
	for left := lingerBytes; left > 0; {
		if c.nc.SetReadDeadline(earliest(time.Now().Add(lingerIdle), end)) != nil {
			return
		}
		n, err := c.nc.Read(buf.b)
		if err != nil {
			return
		}
		left -= n
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// finish closes what is beneath and leaves the counts.
func (c *Conn) finish() error {
	err := c.nc.Close()
	c.shared.leave(c)
	return err
}

// Reset ends the connection so that no peer can take it for a clean end: RST,
// and no close_notify before it. An answer without a length, as HTTP/1.0 has
// them, is whole when the connection ends (RFC 9112 6.3).
func (c *Conn) Reset() {
	Reset(c.nc)
	c.abort()
}

// Reset closes the socket beneath c, through TLS and tunnels, by RST; what lies
// above it is not told. Without a socket it is closed as usual.
func Reset(c net.Conn) {
	for {
		switch x := c.(type) {
		case *net.TCPConn:
			_ = x.SetLinger(0)
			_ = x.Close()
			return
		case interface{ NetConn() net.Conn }:
			c = x.NetConn()
		default:
			_ = c.Close()
			return
		}
	}
}

// abort closes the connection without regard to anything, a lingering one
// included.
func (c *Conn) abort() {
	if c.closed.CompareAndSwap(false, true) {
		_ = c.finish()
		return
	}
	_ = c.nc.Close()
}

// setLingers says whether the client may have sent what was not read.
func (c *Conn) setLingers(yes bool) {
	if c.lingers.Load() != yes {
		c.lingers.Store(yes)
	}
}
