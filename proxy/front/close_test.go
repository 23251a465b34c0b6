package front

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// sockets returns the two ends of a TCP connection.
func sockets(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if far, err = net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	if near, err = ln.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return near, far
}

// Bytes that were sent and not read do not turn the last answer into a reset,
// wherever they are: looked at, in the socket, in neither.
func TestAnswerSurvivesUnreadBytes(t *testing.T) {
	t.Parallel()
	const answer = "the answer"
	sent := strings.Repeat("x", 32<<10)
	for name, read := range map[string]func(c *Conn) error{
		"nothing read":  func(*Conn) error { return nil },
		"looked at":     func(c *Conn) error { _, err := c.Peek(1); return err },
		"partly read":   func(c *Conn) error { _, err := c.Read(make([]byte, 1)); return err },
		"read":          func(c *Conn) error { _, err := io.CopyN(io.Discard, c, int64(len(sent))); return err },
		"read, lingers": func(c *Conn) error { c.Linger(); _, err := io.CopyN(io.Discard, c, int64(len(sent))); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGauge()
			s := NewShared(Limits{}, g.add)
			near, far := sockets(t)
			c, closed := accepted(near, s), make(chan error)
			if _, err := io.WriteString(far, sent); err != nil {
				t.Fatal(err)
			}
			if err := read(c); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(c, answer); err != nil {
				t.Fatal(err)
			}
			go func() { closed <- c.Close() }()
			if got, err := io.ReadAll(far); string(got) != answer || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			far.Close()
			if err := <-closed; err != nil {
				t.Errorf("Close: %v", err)
			}
			empty(t, s, g)
		})
	}
}

// A connection lingers for the caller's end, and not beyond its bounds.
func TestLingering(t *testing.T) {
	t.Parallel()
	const never = 0
	drip := func(far *end, piece int, every time.Duration) {
		for {
			time.Sleep(every)
			if _, err := far.Write(make([]byte, piece)); err != nil {
				return
			}
		}
	}
	linger := func(_ *testing.T, c *Conn, _ *end) { c.Linger() }
	tests := []struct {
		name   string
		before func(t *testing.T, c *Conn, far *end)
		during func(far *end)
		after  time.Duration // Close returns
	}{
		{"no reason to", func(*testing.T, *Conn, *end) {}, func(far *end) { drip(far, 1, time.Second) }, never},
		{"the caller ends", linger, func(far *end) { time.Sleep(time.Second); far.Close() }, time.Second},
		{"the caller half-closes", linger, func(far *end) { time.Sleep(time.Second); _ = far.CloseWrite() }, time.Second},
		{"silence", linger, func(*end) {}, lingerIdle},
		{"bytes now and then", linger, func(far *end) { drip(far, 1, lingerIdle-time.Nanosecond) }, lingerTotal},
		{"too many bytes", linger, func(far *end) { drip(far, lingerBytes/4, time.Second) }, 4 * time.Second},
		{"hurried", func(_ *testing.T, c *Conn, _ *end) { c.rejectTimeout = maxRejectTimeout; c.Linger() }, func(far *end) { drip(far, 1, time.Second) }, maxRejectTimeout},
		{"draining", func(_ *testing.T, c *Conn, _ *end) { c.shared.Drain(); c.Linger() }, func(far *end) { drip(far, 1, time.Second) }, maxRejectTimeout},
		{"a drain begins", func(_ *testing.T, c *Conn, _ *end) {
			c.Linger()
			time.AfterFunc(3500*time.Millisecond, c.shared.Drain)
		}, func(far *end) { drip(far, 1, time.Second) }, 4 * time.Second},
		{"bytes that were looked at", func(t *testing.T, c *Conn, far *end) {
			go func() { _, _ = io.WriteString(far, "x") }()
			if _, err := c.Peek(1); err != nil {
				t.Error(err)
			}
		}, func(*end) {}, lingerIdle},
		{"bytes that were put back", func(_ *testing.T, c *Conn, _ *end) { c.Unread([]byte("x")) }, func(*end) {}, lingerIdle},
		{"the caller ended before", func(t *testing.T, c *Conn, far *end) {
			c.Linger()
			_ = far.CloseWrite()
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}, func(*end) {}, never},
		{"the end was looked at", func(t *testing.T, c *Conn, far *end) {
			c.Linger()
			_ = far.CloseWrite()
			if _, err := c.Peek(1); !errors.Is(err, io.EOF) {
				t.Error(err)
			}
		}, func(*end) {}, never},
		{"a write failed", func(t *testing.T, c *Conn, _ *end) {
			c.Linger()
			_ = c.SetWriteDeadline(time.Unix(1, 0))
			if _, err := c.Write([]byte("x")); err == nil {
				t.Error("the write did not fail")
			}
		}, func(far *end) { drip(far, 1, time.Second) }, never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := pipes(caller)
				g := newGauge()
				s := NewShared(Limits{}, g.add)
				c := accepted(near, s)
				tt.before(t, c, far)
				start := time.Now()
				var others sync.WaitGroup
				others.Go(func() { tt.during(far) })
				others.Go(func() {
					if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) || time.Since(start) > tt.after {
						t.Errorf("the caller sees %v after %v", err, time.Since(start))
					}
				})
				if err := c.Close(); err != nil || time.Since(start) != tt.after {
					t.Errorf("Close: %v after %v, want %v", err, time.Since(start), tt.after)
				}
				empty(t, s, g)
				if err := c.Close(); err != nil {
					t.Errorf("closed again: %v", err)
				}
				others.Wait()
			})
		})
	}
}

// Close may come from another goroutine while the connection is read, as when
// a handshake is cancelled.
func TestCloseWhileReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := pipes(caller)
		defer far.Close()
		c := accepted(near, NewShared(Limits{}, newGauge().add))
		var group sync.WaitGroup
		group.Go(func() {
			c.Unread([]byte(get))
			for p := make([]byte, 1); ; {
				if _, err := c.Read(p); err != nil {
					return
				}
				if _, err := c.Peek(1); err != nil {
					return
				}
			}
		})
		group.Go(func() { c.Close() })
		group.Wait()
	})
}

// A reset reaches the socket through the layers above it.
func TestReset(t *testing.T) {
	t.Parallel()
	for name, reset := range map[string]func(c *Conn){
		"the connection":         (*Conn).Reset,
		"beneath TLS":            func(c *Conn) { Reset(tls.Server(c, nil)) },
		"beneath TLS in TLS":     func(c *Conn) { Reset(tls.Server(tls.Client(c, nil), nil)) },
		"with unread bytes":      func(c *Conn) { c.Unread([]byte("x")); c.Linger(); c.Reset() },
		"from another goroutine": func(c *Conn) { c.shared.CloseAll() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGauge()
			s := NewShared(Limits{}, g.add)
			near, far := sockets(t)
			c := accepted(near, s)
			reset(c)
			if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the caller sees %v", err)
			}
			if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write: %v", err)
			}
			c.Close() // its error does not matter: the socket is closed
			empty(t, s, g)
		})
	}
	t.Run("without a socket", func(t *testing.T) {
		t.Parallel()
		near, far := net.Pipe()
		Reset(near)
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the other end sees %v", err)
		}
	})
}

func TestCloseWrite(t *testing.T) {
	t.Parallel()
	near, far := sockets(t)
	s := NewShared(Limits{}, newGauge().add)
	c := accepted(near, s)
	defer c.Close()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(far, "x"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(far); len(got) > 0 || err != nil {
		t.Errorf("the caller gets %q, %v", got, err)
	}
	far.Close()
	if got, err := io.ReadAll(c); string(got) != "x" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	pipe, other := net.Pipe()
	defer other.Close()
	p := accepted(pipe, s)
	defer p.Close()
	if err := p.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without a socket: %v", err)
	}
}
