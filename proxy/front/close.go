package front

import (
	"net"
	"time"
)

// Closing a socket with unread bytes sends RST, and RST destroys an answer that the
// client has not read yet (RFC 9112 section 9.6). The client may have sent more
// than was read, such as a refused request's body, or the CRLF that old browsers
// add to a POST. Close then half-closes first, and reads and drops the rest within
// these limits.
const (
	lingerTotal = 10 * time.Second
	lingerIdle  = 2 * time.Second
	lingerBytes = 32 << 20
)

// Linger makes Close half-close first and read what the client still sends.
func (c *Conn) Linger() { c.linger.Store(true) }

// Close closes the connection. If unread bytes could cost the caller the last
// answer, Close first half-closes and waits for the caller to end its side.
func (c *Conn) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	if !c.lost.Load() && (c.linger.Load() || c.holds.Load() || c.unread()) {
		c.drainInput()
	}
	return c.finish()
}

// drainInput half-closes the connection and drops what the client still sends.
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
		if c.SetReadDeadline(idle) != nil {
			return
		}
		n, err := c.Conn.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// discard closes a connection without lingering, because no answer is on its way.
func (c *Conn) discard() {
	if c.closed.CompareAndSwap(false, true) {
		_ = c.finish()
	}
}

// finish closes the socket and removes the connection from the counts.
func (c *Conn) finish() error {
	err := c.Conn.Close()
	c.shared.leave(c)
	return err
}

// Reset ends the connection with RST, without a close_notify before it, so no peer
// can take it for a clean end. A clean end would complete an answer without a
// length, as HTTP/1.0 has them (RFC 9112 section 6.3).
func (c *Conn) Reset() {
	Reset(c.Conn)
	c.discard()
}

// Reset closes the socket under c with RST, bypassing TLS and tunnel layers. If
// there is no TCP socket, it closes the innermost connection as usual.
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
