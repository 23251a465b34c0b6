package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/problem"
	"tlslift/test/memnet"
)

// The hazards of design 3.3: each makes a naive client send twice, or claim
// that nothing was sent. The connection is either fresh or has served a
// request before.
var hazards = []struct {
	name   string
	serve  func(c *serverConn) // the dangerous request was read
	reason problem.Reason
}{
	{"closes after reading", func(*serverConn) {}, problem.Reset},
	{"resets after reading", func(c *serverConn) { c.reset() }, problem.Reset},
	{"closes after half a head", func(c *serverConn) { c.say("HTTP/1.1 200 OK\r\nContent-Le") }, problem.Reset},
	{"resets after half a head", func(c *serverConn) { c.say("HTTP/1.1 200 O"); c.reset() }, problem.Reset},
	{"closes after an interim answer", func(c *serverConn) { c.say("HTTP/1.1 100 Continue\r\n\r\n") }, problem.Reset},
	{"cuts a body with a length", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 500))
	}, problem.Reset},
	{"cuts a chunked body", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	}, problem.Reset},
	{"cuts within a chunk", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello")
	}, problem.Reset},
	{"cuts a body without a length", func(c *serverConn) {
		c.say("HTTP/1.0 200 OK\r\n\r\nhello")
		_ = c.raw.Close() // no close_notify
	}, problem.Reset},
	{"stalls before the head", func(c *serverConn) { c.hang() }, problem.Timeout},
	{"stalls within the head", func(c *serverConn) { c.say("HTTP/1.1 200 OK\r\nA: b\r\n"); c.hang() }, problem.Timeout},
	{"stalls within the body", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
		c.hang()
	}, problem.Timeout},
	{"answers garbage", func(c *serverConn) { c.say("\x00\x01\x02 this is not HTTP\r\n\r\n") }, problem.Protocol},
	{"answers an impossible status", func(c *serverConn) { c.say("HTTP/1.1 20 OK\r\n\r\n") }, problem.Protocol},
	{"speaks another protocol, and waits", func(c *serverConn) { c.say("220 mail.example ESMTP\r\n"); c.hang() }, problem.Protocol},
	{"speaks another protocol, and closes", func(c *serverConn) { c.say("220 mail.example ESMTP\r\n") }, problem.Protocol},
	{"answers bytes without a line", func(c *serverConn) { c.say("\x16\x03\x01"); c.hang() }, problem.Protocol},
	{"answers another major version", func(c *serverConn) { c.say("HTTP/2.0 200 OK\r\n\r\n") }, problem.Protocol},
	{"answers an endless head", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\n")
		line := "X-Filler: " + strings.Repeat("x", 1000) + "\r\n"
		for range 400 {
			c.say(line)
		}
	}, problem.Protocol},
	{"answers interim answers for ever", func(c *serverConn) {
		for range 100 {
			c.say("HTTP/1.1 103 Early Hints\r\n\r\n")
		}
		c.hang()
	}, problem.Protocol},
	{"switches protocols", func(c *serverConn) {
		c.say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
	}, problem.Protocol},
	{"answers a broken chunk", func(c *serverConn) {
		c.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n")
	}, problem.Protocol},
	{"breaks the TLS records", func(c *serverConn) { _, _ = c.raw.Write([]byte("this is no TLS record at all")) }, problem.Protocol},
}

// hang waits until the peer closes.
func (c *serverConn) hang() { _, _ = io.Copy(io.Discard, c.br) }

func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	bodies := []struct{ name, method, body string }{
		{"GET", "GET", ""},
		{"POST", "POST", "Type=sendparam"},
		{"large POST", "POST", strings.Repeat("x", 3*smallBody)},
	}
	for _, h := range hazards {
		for _, b := range bodies {
			for _, reused := range []bool{false, true} {
				name := h.name + "/" + b.name
				if reused {
					name += "/reused"
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test := func(t *testing.T, newServer maker) {
						atMostOnce(t, newServer, h.serve, h.reason, b.method, b.body, reused)
					}
					if h.reason == problem.Timeout && b.method == "POST" { // a second of waiting each, on loopback
						synctest.Test(t, func(t *testing.T) { test(t, memServer) })
						return
					}
					networks(t, test)
				})
			}
		}
	}
}

func atMostOnce(t *testing.T, newServer maker, serve func(*serverConn), reason problem.Reason, method, body string, reused bool) {
	s := newServer(t, func(c *serverConn) {
		for {
			req, ok := c.request()
			if !ok {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			if req.RequestURI != "/send" {
				c.say(okAnswer)
				continue
			}
			serve(c)
			return
		}
	})
	tr := start(t, s)
	if reused {
		wantOK(t, tr, route(t, tr, testHost))
	}
	if reason == problem.Timeout {
		check(t, tr.Reconfigure(s.options(func(o *Options) { o.ResponseTimeout, o.BodyTimeout = time.Second, time.Second })))
	}
	_, _, ex, err := send(tr, route(t, tr, testHost), method, "/send", body)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("no *Error: %v", err)
	}
	if e.Delivery != problem.Unknown || ex.Delivery != problem.Unknown || e.Reason != reason {
		t.Errorf("got %v %v (%v), want %v unknown", e.Reason, e.Delivery, e.Err, reason)
	}
	if ex.Reused != reused {
		t.Errorf("reused %v", ex.Reused)
	}
	if strings.Contains(err.Error(), "X-Filler") || strings.Contains(err.Error(), "hello") || strings.Contains(err.Error(), "/send") {
		t.Errorf("the error tells too much: %v", err)
	}
	check(t, tr.Reconfigure(s.options()))
	wantOK(t, tr, route(t, tr, testHost)) // and it goes on
	s.mu.Lock()
	defer s.mu.Unlock()
	sends := 0
	for _, req := range s.requests {
		if strings.HasSuffix(req, "/send") {
			sends++
		}
	}
	if sends != 1 {
		t.Errorf("the server got the request %d times", sends)
	}
}

// A connection that died while idle is found out, and another one is used:
// nothing was written to the dead one.
func TestDeadIdleConnection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(*serverConn)
	}{
		{"close_notify", func(*serverConn) {}},
		{"FIN without close_notify", func(c *serverConn) { _ = c.raw.Close() }},
		{"reset", func(c *serverConn) { c.reset() }},
		{"unasked answer", func(c *serverConn) { c.say("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); c.hang() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memServer(t, func(c *serverConn) {
					if c.index > 0 {
						answerAll(c)
						return
					}
					if _, ok := c.request(); ok {
						c.say(okAnswer)
					}
					time.Sleep(1900 * time.Millisecond)
					tt.end(c)
					_ = c.Close()
				})
				tr := start(t, s)
				r := route(t, tr, testHost)
				wantOK(t, tr, r)
				time.Sleep(2 * time.Second)
				for range 3 {
					wantOK(t, tr, r)
				}
				if accepted, _, requests := s.counts(); accepted != 2 || requests != 4 {
					t.Errorf("%d connections, %d requests", accepted, requests)
				}
			})
		})
	}
}

// blindConn is a connection that looks open and quiet whenever it is idle.
type blindConn struct{ *net.TCPConn }

func (blindConn) TryRead([]byte) (int, error) { return 0, syscall.EAGAIN }

// blind makes a server's clients see nothing on idle connections, and shows the
// last one made.
func (s *server) blind() (last func() *net.TCPConn) {
	var conn atomic.Pointer[net.TCPConn]
	s.net = func(ctx context.Context, addr netip.AddrPort, _ func(netip.AddrPort) error) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr.String())
		if err != nil {
			return nil, err
		}
		conn.Store(c.(*net.TCPConn))
		return blindConn{c.(*net.TCPConn)}, nil
	}
	return conn.Load
}

// The server closes just as the request is written: bytes were handed over,
// so it is unknown, and the request is not repeated.
func TestCloseRace(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 * smallBody} {
		s := newServer(t, func(c *serverConn) {
			if _, ok := c.request(); ok {
				c.say(okAnswer)
				c.hang()
			}
		})
		last := s.blind()
		tr := startWith(t, s, newClock().now)
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		check(t, last().CloseRead()) // what a look just before could not see
		_, _, ex, err := send(tr, r, "POST", "/send", strings.Repeat("x", size))
		var e *Error
		if !errors.As(err, &e) || e.Delivery != problem.Unknown || ex.Delivery != problem.Unknown || e.Reason != problem.Reset || again(err) {
			t.Errorf("size %d: got %v", size, err)
		}
		if accepted, _, _ := s.counts(); accepted != 1 {
			t.Errorf("size %d: %d connections", size, accepted)
		}
	}
}

// What is said of the connection is of the last one that was tried.
func TestLastAttempt(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	last := s.blind()
	tr := startWith(t, s, newClock().now)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	check(t, last().CloseWrite()) // dead for writing
	s.closeListener()
	_, _, ex, err := send(tr, r, "GET", "/send", "")
	var e *Error
	if !errors.As(err, &e) || e.Reason != problem.Connect || ex.Reused || ex.TLSVersion != 0 {
		t.Errorf("%v; reused %v, TLS version %#x", err, ex.Reused, ex.TLSVersion)
	}
}

// A write of which the kernel takes nothing is tried again elsewhere.
func TestNothingWritten(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 * smallBody} {
		s := newServer(t, answerAll)
		last := s.blind()
		tr := startWith(t, s, newClock().now)
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		check(t, last().CloseWrite()) // dead for writing
		status, text, ex, err := send(tr, r, "POST", "/send", strings.Repeat("x", size))
		if err != nil || status != 200 || text != "ok" || ex.Reused || ex.Delivery != problem.Answered {
			t.Errorf("size %d: status %d, reused %v, error %v", size, status, ex.Reused, err)
		}
		if accepted, _, requests := s.counts(); accepted != 2 || requests != 2 {
			t.Errorf("size %d: %d connections, %d requests", size, accepted, requests)
		}
	}
}

// lateConn is a connection whose first write is only tried when its server has left.
type lateConn struct {
	*memnet.Conn
	wrote atomic.Bool
}

func (c *lateConn) Write(b []byte) (int, error) {
	if len(b) > smallBody/2 && !c.wrote.Swap(true) {
		time.Sleep(time.Second)
		return 0, os.ErrDeadlineExceeded // which halting the upload sets
	}
	return c.Conn.Write(b)
}

// A large request whose server leaves before the first write is tried again
// elsewhere, as one of which the kernel took nothing.
func TestNothingWrittenYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var served atomic.Int32
		s := memServer(t, func(c *serverConn) {
			if served.Add(1) > 1 {
				answerAll(c)
			}
		}, noTLS)
		dial := s.net
		var dialled atomic.Int32
		s.net = func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
			c, err := dial(ctx, addr, judge)
			if err != nil || dialled.Add(1) > 1 {
				return c, err
			}
			return &lateConn{Conn: c.(*memnet.Conn)}, nil
		}
		tr := start(t, s)
		status, text, ex, err := send(tr, foreign(t, tr, s.addr, false), "POST", "/send", strings.Repeat("x", 3*smallBody))
		if err != nil || status != 200 || text != "ok" || ex.Delivery != problem.Answered {
			t.Errorf("status %d, %q, error %v", status, text, err)
		}
	})
}

// deafConn is a connection that takes nothing.
type deafConn struct{ *memnet.Conn }

func (deafConn) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A request of which nothing can be written anywhere is not tried for ever.
func TestNothingEverWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, answerAll, noTLS)
		dial := s.net
		s.net = func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
			c, err := dial(ctx, addr, judge)
			if err != nil {
				return nil, err
			}
			return deafConn{c.(*memnet.Conn)}, nil
		}
		tr := start(t, s)
		wantError(t, tr, foreign(t, tr, s.addr, false), problem.Reset)
		synctest.Wait()
		if accepted, _, requests := s.counts(); accepted != maxAttempts || requests != 0 {
			t.Errorf("%d connections, %d requests", accepted, requests)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 * smallBody} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			networks(t, func(t *testing.T, newServer maker) {
				got := make(chan struct{})
				s := newServer(t, func(c *serverConn) {
					req, ok := c.request()
					if ok {
						_, _ = io.Copy(io.Discard, req.Body)
						close(got)
						c.hang()
					}
				})
				tr := start(t, s)
				r := route(t, tr, testHost)
				ctx, cancel := context.WithCancel(context.Background())
				go func() {
					<-got
					cancel()
				}()
				req, ex := newRequest("POST", "/send", strings.Repeat("x", size))
				_, err := tr.Do(ctx, req, r, ex)
				var e *Error
				if !errors.As(err, &e) || e.Delivery != problem.Unknown || e.Reason != problem.Timeout {
					t.Errorf("under way: %v", err)
				}
				req, ex = newRequest("GET", "/send", "")
				_, err = tr.Do(ctx, req, r, ex)
				if !errors.As(err, &e) || e.Delivery != problem.NotSent || e.Reason != problem.Draining {
					t.Errorf("afterwards: %v", err)
				}
				if _, _, requests := s.counts(); requests != 1 {
					t.Errorf("%d requests", requests)
				}
			})
		})
	}
}
