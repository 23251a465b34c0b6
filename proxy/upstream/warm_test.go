package upstream

import (
	"crypto/tls"
	"testing"
	"time"
)

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

	// After a pause a never-used one is preferred. It is not replaced while there
	// are used ones to be trusted beside the latest.
	clk.advance(time.Second)
	for _, warm := range []int{1, 0} {
		if ex := wantOK(t, tr, r); ex.Reused || ex.Wait != 0 {
			t.Errorf("%+v", ex)
		}
		clk.advance(time.Second)
		wantIdle(t, r, 3-warm, warm)
	}
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("not reused")
	}
	s.wantHandshakes(t, 3)
	clk.advance(firstWindow - warmLead + time.Millisecond)
	tr.tick(clk.now())
	wantIdle(t, r, 2, 2)
	s.wantHandshakes(t, 5)

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
	s.wantHandshakes(t, 6)
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

// What the server says of its idle connections is believed.
func TestKeepAliveHeader(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := newServer(t, scripted("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=4, max=99\r\nContent-Length: 2\r\n\r\nok", nil))
	tr := startWith(t, s, clk)
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	clk.advance(2 * time.Second)
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("not reused")
	}
	clk.advance(2*time.Second + 1)
	if ex := wantOK(t, tr, r); ex.Reused {
		t.Error("reused too late")
	}
}
