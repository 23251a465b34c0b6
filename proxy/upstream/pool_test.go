package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

func TestWarm(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, answerAll)
	tr := startWith(t, s, clk, func(o *Options) { o.Warm = 2 })
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	tr.tick(clk.now())
	wantIdle(t, r, 1, 2)
	s.wantHandshakes(t, 3)

	// The used one is fresh: it is taken, and no warm one is spent.
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("not reused")
	}
	wantIdle(t, r, 1, 2)

	// After a minute it may be stale: a warm one answers without a handshake
	// of its own, and is replaced.
	clk.advance(4 * time.Second)
	tr.tick(clk.now())
	clk.advance(40 * time.Second)
	ex := wantOK(t, tr, r)
	if ex.Reused || ex.Wait != 0 || ex.TLS != 0 || ex.Attempts != 1 {
		t.Errorf("%+v", ex)
	}
	eventually(t, "replaced", func() bool { _, warm := idleCounts(r); return warm == 2 })
	s.wantHandshakes(t, 4)
	s.mu.Lock()
	resumed := s.resumed
	s.mu.Unlock()
	if resumed < 2 {
		t.Errorf("%d sessions resumed: the tickets of idle connections were not read", resumed)
	}

	// Ten minutes unused: all go.
	tr.tick(clk.advance(warmFor + time.Second))
	wantIdle(t, r, 0, 0)
	tr.tick(clk.now())
	if p := r.pool.Load(); !p.gone.Load() {
		t.Error("the pool is kept")
	}
	wantOK(t, tr, r)
	wantIdle(t, r, 1, 2)
}

// Warm connections that the server closes are replaced at once, and before
// their time once that is known.
func TestWarmClosedByServer(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, answerAll)
	tr := startWith(t, s, clk, func(o *Options) { o.Warm = 1 })
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	tr.tick(clk.now())
	wantIdle(t, r, 1, 1)

	clk.advance(30 * time.Second)
	s.closeConn(1)
	eventually(t, "dialled again", func() bool { n, _, _ := s.counts(); return n == 3 })
	eventually(t, "warm again", func() bool { _, w := idleCounts(r); return w == 1 })
	p := r.host.poolFor(r)
	p.mu.Lock()
	life, retire := p.fresh.shortest(), p.warm[0].retireAt.Sub(clk.now())
	p.mu.Unlock()
	if life != 30*time.Second || retire < 10*time.Second || retire >= 30*time.Second {
		t.Errorf("life %v, replaced after %v", life, retire)
	}

	// Its time comes: another one is made first.
	clk.advance(retire + time.Second)
	tr.tick(clk.now())
	eventually(t, "dialled again", func() bool { n, _, _ := s.counts(); return n == 4 })
	eventually(t, "two for a moment", func() bool { _, w := idleCounts(r); return w == 2 })
	tr.tick(clk.now())
	_, warm := idleCounts(r)
	if warm != 1 {
		t.Errorf("%d warm connections", warm)
	}
}

// A server that does not want idle connections is not hammered.
func TestWarmBackoff(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, func(c *serverConn) {
		if c.index == 0 {
			answerAll(c)
		}
	})
	tr := startWith(t, s, clk, func(o *Options) { o.Warm = 2 })
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	tr.tick(clk.now())
	p := r.host.poolFor(r)
	for fails := 1; fails < 5; fails++ {
		eventually(t, "it failed again", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.fails >= fails && !p.warming && len(p.warm) == 0
		})
		p.mu.Lock()
		wait := p.after.Sub(clk.now())
		p.fails = fails
		p.mu.Unlock()
		if wait <= 0 || wait > warmMaxDelay*3/2 {
			t.Fatalf("after %d failures the next is tried in %v", fails, wait)
		}
		accepted, _, _ := s.counts()
		tr.tick(clk.now())
		if now, _, _ := s.counts(); now != accepted {
			t.Fatal("tried at once")
		}
		tr.tick(clk.advance(wait))
	}
}

func TestReuseWindow(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, answerAll)
	tr := startWith(t, s, clk)
	r := route(t, tr, testHost)
	step := func(idle time.Duration, reused bool) {
		t.Helper()
		clk.advance(idle)
		if ex := wantOK(t, tr, r); ex.Reused != reused {
			t.Errorf("after %v idle: reused %v", idle, ex.Reused)
		}
	}
	step(0, false)
	step(5*time.Second, true)
	step(5*time.Second+1, false) // the stale one stays, to see when the server ends it
	wantIdle(t, r, 2, 0)
	for range 3 { // it is looked at each second, the other one grows stale too
		tr.tick(clk.advance(time.Second))
	}
	wantIdle(t, r, 2, 0)
	tr.tick(clk.advance(3 * time.Second))
	wantIdle(t, r, 1, 0)

	// The server ends it at the age of about 20 s: half of that is safe.
	p := r.host.poolFor(r)
	p.mu.Lock()
	c := p.used[0]
	left := 20*time.Second - clk.now().Sub(c.idleSince)
	p.mu.Unlock()
	tr.tick(clk.advance(left))
	s.closeConn(0)
	waitReadable(t, r)
	tr.tick(clk.advance(time.Second))
	wantIdle(t, r, 0, 0)
	p.mu.Lock()
	window := p.life.window(time.Minute)
	p.mu.Unlock()
	if window != 10*time.Second {
		t.Errorf("window %v", window)
	}
	step(0, false)
	step(10*time.Second, true)
	step(10*time.Second+1, false)
}

func TestIdleLife(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for _, tt := range []struct {
		name string
		do   func(*idleLife)
		want time.Duration
	}{
		{"nothing known", func(*idleLife) {}, 5 * time.Second},
		{"alive when young", func(l *idleLife) { l.alive(at, 6*time.Second) }, 5 * time.Second},
		{"alive when old", func(l *idleLife) { l.alive(at, 40*time.Second) }, 20 * time.Second},
		{"never beyond the limit", func(l *idleLife) { l.alive(at, 400*time.Second) }, 90 * time.Second},
		{"closed", func(l *idleLife) { l.closed(at, 60*time.Second) }, 30 * time.Second},
		{"closed counts more than alive", func(l *idleLife) { l.alive(at, 80*time.Second); l.closed(at, 4*time.Second) }, 2 * time.Second},
		{"the shortest counts", func(l *idleLife) {
			l.closed(at, 60*time.Second)
			l.closed(at, 10*time.Second)
			l.closed(at, 50*time.Second)
		}, 5 * time.Second},
		{"closed at once", func(l *idleLife) { l.closed(at, 0) }, 250 * time.Millisecond},
		{"said so", func(l *idleLife) { l.told(at, 5) }, 2500 * time.Millisecond},
		{"remembered for a period", func(l *idleLife) { l.closed(at, 4*time.Second); l.alive(at.Add(lifeMemory), 1) }, 2 * time.Second},
		{"forgotten after two", func(l *idleLife) {
			l.closed(at, 4*time.Second)
			l.alive(at.Add(lifeMemory), 1)
			l.alive(at.Add(2*lifeMemory), 1)
		}, 5 * time.Second},
	} {
		var l idleLife
		tt.do(&l)
		if got := l.window(90 * time.Second); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// Session tickets make a connection readable that is as good as ever.
func TestTicketsOnIdleConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll, func(c *tls.Config) *tls.Config {
		c.ClientAuth = tls.RequestClientCert // the tickets come after the client's last flight then
		return c
	})
	tr := start(t, s)
	r := route(t, tr, testHost)
	p := r.host.poolFor(r)
	c, err := p.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.open++
	p.enter(c, tr.now())
	p.idle(&p.used, c)
	p.mu.Unlock()
	waitReadable(t, r)
	ex := wantOK(t, tr, r)
	if accepted, _, _ := s.counts(); accepted != 1 || ex.Attempts != 1 {
		t.Errorf("%d connections", accepted)
	}
}

func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	same := Options{Hosts: []Host{s.host(), {Pattern: "*.other.test"}}, MaxConns: 7, ResponseTimeout: time.Second}
	check(t, tr.Reconfigure(same))
	r = route(t, tr, testHost)
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("the pool was not kept")
	}
	if _, v := tr.Route("x.other.test", 443); v != Ours {
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
	h := s.host()
	h.Address = closedPort(t)
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
