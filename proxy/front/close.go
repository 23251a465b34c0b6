package front

import (
	"net"
	"time"
)

// Closing a socket with unread bytes in it sends RST, and RST throws away the
// answer that the client has not read yet (RFC 9112 section 9.6). So when the
// client may have sent more than was read (a refused request's body, the CRLF
// that old browsers add to a POST), our side is ended first and the rest is
// read and dropped, within these bounds.
const (
	lingerTotal = 10 * time.Second
	lingerIdle  = 2 * time.Second
	lingerBytes = 32 << 20
)

// Linger makes Close end our side first and take what the client still sends.
func (c *Conn) Linger() { c.linger.Store(true) }

// Close closes the connection. Where that is needed to get the last answer
// across, it first ends our side and waits for the caller to end its own.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if !c.lost.Load() && (c.linger.Load() || c.holds.Load() || c.unread()) {
		c.drainInput()
	}
	return c.finish()
}

// drainInput ends our side and drops what the client still sends.
func (c *Conn) drainInput() {
	if c.CloseWrite() != nil {
		return
	}
	start := time.Now()
	buf := make([]byte, 4<<10)
	for left := lingerBytes; left > 0; {
		total := lingerTotal
		switch {
		case c.rejectTimeout > 0:
			total = c.rejectTimeout
		case c.shared.Draining():
			total = maxRejectTimeout
		}
		idle := time.Now().Add(lingerIdle)
		if end := start.Add(total); idle.After(end) {
			idle = end
		}
		if c.nc.SetReadDeadline(idle) != nil {
			return
		}
		n, err := c.nc.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// discard closes a connection on which nothing was answered: there is nothing
// to linger for.
func (c *Conn) discard() {
	if c.closed.CompareAndSwap(false, true) {
		_ = c.finish()
	}
}

// finish closes the socket and takes the connection out of the counts.
func (c *Conn) finish() error {
	err := c.nc.Close()
	c.shared.leave(c)
	return err
}

// Reset ends the connection so that no peer can take it for a clean end: RST,
// and no close_notify before it. An answer without a length, as HTTP/1.0 has
// them, is whole when the connection ends (RFC 9112 section 6.3).
func (c *Conn) Reset() {
	Reset(c.nc)
	c.discard()
}

// Reset closes the socket beneath c, through TLS and tunnels, by RST; the
// layers above it do not learn of it. Without a socket it is closed as usual.
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
