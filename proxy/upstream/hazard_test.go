package upstream

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/problem"
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
					atMostOnce(t, h.serve, h.reason, b.method, b.body, reused)
				})
			}
		}
	}
}

func atMostOnce(t *testing.T, serve func(*serverConn), reason problem.Reason, method, body string, reused bool) {
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
	tr := start(t, s, func(o *Options) {
		o.Warm = 1
		if reason == problem.Timeout {
			o.ResponseTimeout, o.BodyTimeout = time.Second, time.Second
		}
	})
	r := route(t, tr, testHost)
	if reused {
		wantOK(t, tr, r)
	}
	_, _, ex, err := send(tr, r, method, "/send", body)
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
	wantOK(t, tr, r) // and it goes on
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
			deadIdleConnection(t, tt.end, false)
		})
		t.Run(tt.name+"/watched", func(t *testing.T) {
			t.Parallel()
			deadIdleConnection(t, tt.end, true)
		})
	}
}

// deadIdleConnection lets the server end an idle connection that is polled, or
// watched as on platforms that cannot poll.
func deadIdleConnection(t *testing.T, end func(*serverConn), watched bool) {
	s := newServer(t, func(c *serverConn) {
		if c.index > 0 {
			answerAll(c)
			return
		}
		if _, ok := c.request(); ok {
			c.say(okAnswer)
		}
		end(c)
		_ = c.Close()
	})
	tr := start(t, s)
	tr.watchAll = watched
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	waitReadable(t, r)
	for range 3 {
		wantOK(t, tr, r)
	}
	if accepted, _, requests := s.counts(); accepted != 2 || requests != 4 {
		t.Errorf("%d connections, %d requests", accepted, requests)
	}
}

// waitReadable waits until the idle connection of r has something to read,
// leaving it there, or was given up because that came with the answer.
func waitReadable(t *testing.T, r *Route) {
	t.Helper()
	p := r.host.poolFor(r)
	eventually(t, "the idle connection is readable", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.used) == 0 || readable(t, p.used[0])
	})
}

// The server closes just as the request is written: bytes were handed over,
// so it is unknown, and the request is not repeated.
func TestCloseRace(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			c.say(okAnswer)
		}
		if c.index == 0 {
			c.hang()
			return
		}
		answerAll(c)
	})
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	c := r.host.poolFor(r).used[0]
	// The kernel takes the bytes, the server is gone: what a poll just before
	// cannot see.
	if err := c.sock.Conn.(interface{ CloseRead() error }).CloseRead(); err != nil {
		t.Fatal(err)
	}
	o := &tr.state.Load().opts
	p := r.host.poolFor(r)
	p.mu.Lock()
	if taken := p.take(tr.now(), o); taken != c {
		t.Fatal("not the connection that was used")
	}
	p.mu.Unlock()
	req, ex := newRequest("GET", "/send", "")
	m, err := tr.prepare(req, r, ex)
	check(t, err)
	_, err = tr.roundTrip(context.Background(), c, &m, req, r, ex)
	var e *Error
	if !errors.As(err, &e) || e.Delivery != problem.Unknown || e.Reason != problem.Reset || again(err) {
		t.Fatalf("got %v", err)
	}
}

// A write of which the kernel takes nothing is tried again elsewhere.
func TestNothingWritten(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 * smallBody} {
		s := newServer(t, answerAll)
		tr := start(t, s)
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		c := r.host.poolFor(r).used[0]
		// Dead for writing, and not readable.
		if err := c.sock.Conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		pollerStub(t, c)
		status, text, ex, err := send(tr, r, "POST", "/send", strings.Repeat("x", size))
		if err != nil || status != 200 || text != "ok" || ex.Attempts != 2 || ex.Delivery != problem.Answered {
			t.Errorf("size %d: status %d, attempts %d, error %v", size, status, ex.Attempts, err)
		}
		if _, _, requests := s.counts(); requests != 2 {
			t.Errorf("size %d: %d requests", size, requests)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 3 * smallBody} {
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
	}
}
