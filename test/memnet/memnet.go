// Package memnet is TCP in memory, for tests whose time is that of
// testing/synctest. It has what net.Pipe lacks: buffers, half-closes and resets.
package memnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// bufferSize is how much one side may send that the other has not read, in
// bytes.
const bufferSize = 256 << 10

// Listener accepts the connections of its Dial.
type Listener struct {
	addr  net.Addr
	conns chan *Conn
	done  chan struct{}
	close func()
	mu    sync.Mutex
	port  uint16 // of the last caller
}

// Listen makes a listener at an address, which need not exist.
func Listen(addr string) *Listener {
	done := make(chan struct{})
	return &Listener{
		addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)), conns: make(chan *Conn), done: done,
		close: sync.OnceFunc(func() { close(done) }), port: 40000,
	}
}

// Accept waits for a connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept. Connections stay.
func (l *Listener) Close() error { l.close(); return nil }

// Addr is the listener's address.
func (l *Listener) Addr() net.Addr { return l.addr }

// Dial connects to the listener.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	l.port++
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 200), Port: int(l.port)}
	l.mu.Unlock()
	near, far := Pipe(local, l.addr)
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Conn is one end of a connection.
type Conn struct {
	local, remote net.Addr
	mu            *sync.Mutex // of both ends
	in, out       *stream
	linger        bool // Close does not reset

	readBy, writeBy time.Time
	readLate        *time.Timer
	writeLate       *time.Timer
}

// stream is one direction.
type stream struct {
	changed *sync.Cond
	data    []byte
	ended   bool // the writer closed
	gone    bool // the reader closed
	reset   bool
}

// Pipe makes a connection.
func Pipe(a, b net.Addr) (*Conn, *Conn) {
	mu := new(sync.Mutex)
	x, y := &stream{changed: sync.NewCond(mu)}, &stream{changed: sync.NewCond(mu)}
	return &Conn{local: a, remote: b, mu: mu, in: x, out: y, linger: true}, &Conn{local: b, remote: a, mu: mu, in: y, out: x, linger: true}
}

func over(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

func (c *Conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if !c.in.gone && over(c.readBy) {
			return 0, os.ErrDeadlineExceeded
		}
		if n, err := c.take(p); !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		c.in.changed.Wait()
	}
}

// TryRead takes what has come, and never waits: syscall.EAGAIN says that there
// is nothing. Deadlines do not matter.
func (c *Conn) TryRead(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(p)
}

func (c *Conn) take(p []byte) (int, error) {
	switch {
	case c.in.gone:
		return 0, net.ErrClosed
	case len(p) == 0:
		return 0, nil
	case len(c.in.data) > 0:
		n := copy(p, c.in.data)
		c.in.data = c.in.data[n:]
		c.in.changed.Broadcast()
		return n, nil
	case c.in.reset:
		return 0, syscall.ECONNRESET
	case c.in.ended:
		return 0, io.EOF
	default:
		return 0, syscall.EAGAIN
	}
}

// Write returns when everything is in the other side's buffer. Like a kernel, it
// takes what the other side will never read because it has closed; the reset
// comes after.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.in.gone:
			return n, net.ErrClosed
		case c.out.ended:
			return n, syscall.EPIPE
		case c.out.reset:
			return n, syscall.ECONNRESET
		case over(c.writeBy):
			return n, os.ErrDeadlineExceeded
		case c.out.gone:
			c.out.reset, c.in.reset = true, true
			c.in.changed.Broadcast()
			return len(p), nil
		}
		room := min(bufferSize-len(c.out.data), len(p)-n)
		c.out.data = append(c.out.data, p[n:n+room]...)
		c.out.changed.Broadcast()
		if n += room; n == len(p) {
			return n, nil
		}
		c.out.changed.Wait()
	}
}

// SetLinger with 0 makes Close reset the connection.
func (c *Conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linger = sec != 0
	return nil
}

// Close closes the connection. With unread data it is reset.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.in.gone {
		return net.ErrClosed
	}
	if len(c.in.data) > 0 || !c.linger {
		c.out.reset, c.in.reset = true, true
	}
	c.in.gone, c.out.ended = true, true
	c.in.changed.Broadcast()
	c.out.changed.Broadcast()
	return nil
}

// CloseWrite ends this side's stream.
func (c *Conn) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.ended = true
	c.out.changed.Broadcast()
	return nil
}

// LocalAddr is this end's address.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the other end's address.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the deadline of reads.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	c.readLate = c.wake(c.readLate, c.in, t)
	return nil
}

// SetWriteDeadline sets the deadline of writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeBy = t
	c.writeLate = c.wake(c.writeLate, c.out, t)
	return nil
}

// wake makes goroutines that wait for s look again at t.
func (c *Conn) wake(old *time.Timer, s *stream, t time.Time) *time.Timer {
	if old != nil {
		old.Stop()
	}
	s.changed.Broadcast()
	if t.IsZero() || over(t) {
		return nil
	}
	return time.AfterFunc(time.Until(t), func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		s.changed.Broadcast()
	})
}
