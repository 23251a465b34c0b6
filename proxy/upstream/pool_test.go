package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// clock is a clock that the test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
	return c.at
}

// startWith makes a Transport that lives by the clock and has no janitor.
func startWith(t testing.TB, s *server, clk *clock, adjust ...func(*Options)) *Transport {
	t.Helper()
	o := Options{Hosts: []Host{s.host()}}
	for _, f := range adjust {
		f(&o)
	}
	tr, err := newTransport(o, clk.now)
	check(t, err)
	t.Cleanup(tr.Close)
	return tr
}

// idleCounts returns how many used and never-used connections are idle.
func idleCounts(r *Route) (used, warm int) {
	p := r.host.poolFor(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.used), len(p.warm)
}

func wantIdle(t *testing.T, r *Route, used, warm int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d used and %d warm connections", used, warm), func() bool {
		u, w := idleCounts(r)
		return u == used && w == warm
	})
}

func TestFairWaiting(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := newServer(t, func(c *serverConn) {
		for {
			req, ok := c.request()
			if !ok {
				return
			}
			if req.RequestURI == "/first" {
				<-release
			}
			c.say(okAnswer)
		}
	})
	tr := start(t, s, func(o *Options) { o.MaxConns = 1 })
	r := route(t, tr, testHost)
	p := r.host.poolFor(r)
	var wg sync.WaitGroup
	ask := func(target string) {
		wg.Go(func() {
			if _, _, ex, err := send(tr, r, "GET", target, ""); err != nil || ex.Delivery != problem.Answered {
				t.Error(target, err)
			}
		})
	}
	ask("/first")
	eventually(t, "the first request is under way", func() bool { _, _, n := s.counts(); return n == 1 })
	want := []string{"GET /first"}
	for i := range 10 {
		ask(fmt.Sprint("/", i))
		want = append(want, fmt.Sprint("GET /", i))
		eventually(t, "it waits", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.waiters.Len() == i+1
		})
	}
	close(release)
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.requests, want) || s.accepted != 1 {
		t.Errorf("%d connections, order %v", s.accepted, s.requests)
	}
}

func TestPoolFull(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			c.hang()
		}
	})
	tr := start(t, s, func(o *Options) { o.MaxConns, o.DialTimeout = 1, 100*time.Millisecond })
	r := route(t, tr, testHost)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	ask := func(ctx context.Context) {
		req, ex := newRequest("GET", "/", "")
		_, err := tr.Do(ctx, req, r, ex)
		done <- err
	}
	go ask(ctx)
	eventually(t, "the first request is under way", func() bool { _, _, n := s.counts(); return n == 1 })
	var e *Error
	go ask(context.Background())
	if err := <-done; !errors.As(err, &e) || e.Reason != problem.Limit || e.Delivery != problem.NotSent {
		t.Error(err)
	}
	cancel()
	if err := <-done; !errors.As(err, &e) || e.Reason != problem.Timeout || e.Delivery != problem.Unknown {
		t.Error(err)
	}
	// The place is free again.
	go ask(t.Context())
	eventually(t, "the next request is under way", func() bool { _, _, n := s.counts(); return n == 2 })
	tr.Close()
	if err := <-done; err == nil {
		t.Error("no error from a closed transport")
	}
}

// Who waits for a dial gets a connection that is given back meanwhile.
func TestGivenBackBeforeDialled(t *testing.T) {
	t.Parallel()
	stall := make(chan struct{})
	release := make(chan struct{})
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			<-release
			c.say(okAnswer)
			answerAll(c)
		}
	})
	defer close(stall)
	tr := start(t, s)
	r := route(t, tr, testHost)
	p := r.host.poolFor(r)
	var wg sync.WaitGroup
	wg.Go(func() { wantOK(t, tr, r) })
	eventually(t, "the first request is under way", func() bool { _, _, n := s.counts(); return n == 1 })
	s.hold(stall)
	wg.Go(func() {
		if ex := wantOK(t, tr, r); !ex.Reused {
			t.Error("waited for the dial")
		}
	})
	eventually(t, "the second request waits", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.waiters.Len() == 1
	})
	close(release)
	wg.Wait()
}

func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	same := Options{Hosts: []Host{s.host(), Host{}.named("*.other.test")}, MaxConns: 7, ResponseTimeout: time.Second}
	check(t, tr.Reconfigure(same))
	r = route(t, tr, testHost)
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("the pool was not kept")
	}
	if _, v := tr.Route(host.MustParse("x.other.test"), 443); v != Ours {
		t.Error("the new host is", v)
	}
	bad := same
	bad.MinTLS = 0x302
	if err := tr.Reconfigure(bad); err == nil || !strings.Contains(err.Error(), "0x0302") {
		t.Error(err)
	}
	wantOK(t, tr, r)

	for name, change := range map[string]func(*Options){
		"pins":     func(o *Options) { o.Hosts[0].Pins = [][]byte{make([]byte, 32)} },
		"port":     func(o *Options) { o.Hosts[0].Port = 8443 },
		"min_tls":  func(o *Options) { o.MinTLS = 0x304 },
		"internal": func(o *Options) { o.AllowInternal = true },
		"removed":  func(o *Options) { o.Hosts = nil },
	} {
		next := Options{Hosts: []Host{s.host()}}
		check(t, tr.Reconfigure(next))
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		next = Options{Hosts: []Host{s.host()}}
		change(&next)
		check(t, tr.Reconfigure(next))
		if used, _ := idleCounts(r); used != 0 {
			t.Errorf("%s: the old connections are kept", name)
		}
		wantOK(t, tr, r) // a request under way ends as it began
	}
	tr.Close()
	if err := tr.Reconfigure(same); err == nil {
		t.Error("reconfigured after Close")
	}
}

func TestCloseIdle(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	tr.CloseIdle()
	if ex := wantOK(t, tr, r); ex.Reused {
		t.Error("reused")
	}
}

func TestCloseCutsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			c.hang()
		}
	})
	tr := start(t, s)
	r := route(t, tr, testHost)
	go func() {
		for {
			if _, _, n := s.counts(); n == 1 {
				break
			}
			pause()
		}
		tr.Close()
	}()
	_, _, _, err := send(tr, r, "GET", "/", "")
	var e *Error
	if !errors.As(err, &e) || e.Delivery != problem.Unknown {
		t.Error(err)
	}
	_, _, _, err = send(tr, r, "GET", "/", "")
	if !errors.As(err, &e) || e.Reason != problem.Draining || e.Delivery != problem.NotSent {
		t.Error(err)
	}
}

func TestDialFails(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	h := s.host().at(closedPort(t))
	tr := start(t, s, func(o *Options) { o.Hosts = []Host{h}; o.MaxConns = 2; o.Warm = 2 })
	r := route(t, tr, testHost)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, _, ex, err := send(tr, r, "GET", "/", "")
			var e *Error
			if !errors.As(err, &e) || e.Reason != problem.Connect || e.Delivery != problem.NotSent || ex.Delivery != problem.NotSent {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p := r.host.poolFor(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != 0 || p.waiters.Len() != 0 {
		t.Errorf("%d connections, %d waiters", p.open, p.waiters.Len())
	}
}

// Many requests at once on few connections: each is answered once, and the
// books balance.
func TestLoad(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(c *serverConn) {
		for n := 0; ; n++ {
			req, ok := c.request()
			if !ok {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if n%5 == 4 {
				c.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
				return
			}
			c.say(okAnswer)
		}
	})
	obs := &recorder{}
	tr := start(t, s, func(o *Options) { o.MaxConns, o.Warm, o.Observer = 8, 2, obs })
	r := route(t, tr, testHost)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 10 {
				wantOK(t, tr, r)
			}
		})
	}
	wg.Wait()
	if _, _, requests := s.counts(); requests != 320 {
		t.Errorf("%d requests", requests)
	}
	tr.CloseIdle()
	p := r.host.poolFor(r)
	eventually(t, "the books balance", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.open == len(p.all) && len(p.used)+len(p.warm) == p.open && r.host.busy.Load() == 0 && int(r.host.idle.Load()) == p.open
	})
}

// Connections too old to be used again make room for a new one.
func TestStaleMakesRoom(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, answerAll)
	tr := startWith(t, s, clk, func(o *Options) { o.MaxConns = 1 })
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	clk.advance(firstWindow + 1)
	if ex := wantOK(t, tr, r); ex.Reused {
		t.Error("a stale connection was used")
	}
	p := r.host.poolFor(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open != 1 || len(p.used) != 1 {
		t.Errorf("%d connections", p.open)
	}
}

// A connection that comes when nobody waits for it any more is kept.
func TestLateConnectionIsKept(t *testing.T) {
	t.Parallel()
	for _, warm := range []int{0, 1} {
		s := newServer(t, answerAll)
		until := make(chan struct{})
		s.hold(until)
		tr := start(t, s, func(o *Options) { o.Warm = warm })
		r := route(t, tr, testHost)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for accepted := 0; accepted == 0; accepted, _, _ = s.counts() {
				pause()
			}
			cancel()
		}()
		req, ex := newRequest("GET", "/", "")
		_, err := tr.Do(ctx, req, r, ex)
		var e *Error
		if !errors.As(err, &e) || e.Reason != problem.Draining || e.Delivery != problem.NotSent {
			t.Error(err)
		}
		close(until)
		wantIdle(t, r, 1-warm, warm)
		if ex := wantOK(t, tr, r); ex.Wait != 0 {
			t.Error("dialled again")
		}
	}
}

func TestForeignKeepAlive(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll, noTLS)
	tr := start(t, s, func(o *Options) { o.Warm = 2 })
	for i := range 3 {
		if ex := wantOK(t, tr, foreign(t, tr, s.addr, false)); ex.Reused != (i > 0) {
			t.Errorf("request %d: reused %v", i, ex.Reused)
		}
	}
	if accepted, _, _ := s.counts(); accepted != 1 {
		t.Errorf("%d connections: foreign hosts are not to be warmed", accepted)
	}
}
