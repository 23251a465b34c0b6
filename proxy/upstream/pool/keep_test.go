package pool

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/problem"
)

func TestWarm(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		expect := func(when string, wantUsed bool, made int) {
			t.Helper()
			_, used := w.call()
			if synctest.Wait(); used != wantUsed || w.made() != made {
				t.Errorf("%s: used %v, %d connections made, want %v and %d", when, used, w.made(), wantUsed, made)
			}
		}
		expect("first", false, 3)
		w.want("first", 1, 2)

		// The used one is hot: it is taken, and no fresh one is spent.
		time.Sleep(recentUse)
		expect("hot", true, 3)

		// After a pause a fresh one is preferred. It is not replaced while there
		// are used ones to be trusted beside the latest.
		time.Sleep(700 * time.Millisecond)
		expect("after a pause", false, 3)
		time.Sleep(700 * time.Millisecond)
		expect("after another", false, 3)
		w.want("then", 3, 0)
		time.Sleep(700 * time.Millisecond)
		expect("all are used", true, 3)

		// Before they cease to be trusted, others are made in their place.
		time.Sleep(1800 * time.Millisecond)
		w.want("untrusted soon", 3, 2)
		if w.made() != 5 {
			t.Errorf("%d connections made", w.made())
		}

		// After a while the used ones have gone, but for the one that shows how
		// long the server leaves it open. A fresh one serves, and is replaced.
		time.Sleep(20 * time.Second)
		w.want("after a while", 1, 2)
		expect("after a while", false, 6)
		w.want("after a while", 2, 2)

		// Unused for long: all go, and the maintenance loop too.
		time.Sleep(inUse + time.Minute)
		w.want("unused", 0, 0)
		if w.running() {
			t.Error("the maintenance loop runs on")
		}
		expect("again", false, w.made()+3)
		w.balanced()
	})
}

// TestFreshAreReplaced: before their time ends, one after the other.
func TestFreshAreReplaced(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		w.call()
		for range int(inUse / time.Second / 2) {
			time.Sleep(time.Second)
			synctest.Wait()
			w.Pool.mu.Lock()
			if n := len(w.fresh); n < 2 || n > 4 {
				t.Errorf("%d fresh connections", n)
			}
			w.Pool.mu.Unlock()
		}
		if n := w.made(); n < 8 || n > 24 {
			t.Errorf("%d connections made in %v", n, inUse/2)
		}
		w.balanced()
	})
}

// TestFreshThatEnd: fresh connections that the server closes are replaced
// within a second or so.
func TestFreshThatEnd(t *testing.T) {
	inBubble(t, Options{Warm: 1}, func(t *testing.T, w *world) {
		w.call()
		time.Sleep(unwanted)
		w.want("first", 1, 1)
		w.end(1)
		time.Sleep(maintenanceTick)
		w.want("replaced", 1, 1)
		if w.made() != 3 {
			t.Errorf("%d connections made", w.made())
		}
		w.balanced()
	})
}

// TestBackoff: a server that does not want idle connections is not hammered.
func TestBackoff(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		w.wg.Go(func() { // ends all but the first
			for n := 1; w.Context.Err() == nil; time.Sleep(time.Millisecond) {
				for ; n < w.made(); n++ {
					w.end(n)
				}
			}
		})
		w.call()
		time.Sleep(inUse)
		if n := w.made(); n < 10 || n > 60 {
			t.Errorf("%d connections made in %v", n, inUse)
		}
	})
}

// running reports whether the maintenance loop runs.
func (w *world) running() bool {
	synctest.Wait()
	w.Pool.mu.Lock()
	defer w.Pool.mu.Unlock()
	return w.kept
}

// TestUnreached: a target that was never reached is tried once for each request,
// and nothing looks after it.
func TestUnreached(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		w.refuse = errors.New("no such name")
		for range 3 {
			if _, err := w.Get(t.Context()); reason(err) != problem.Connect {
				t.Error(err)
			}
			if w.running() {
				t.Error("the maintenance loop runs")
			}
			time.Sleep(time.Minute)
		}
		if w.tried != 3 {
			t.Errorf("dialled %d times", w.tried)
		}
		w.balanced()
	})
}

// TestNoRoom: while all pools together have too many connections, none is kept
// idle and none is made that no request asked for.
func TestNoRoom(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		w.others = 10
		w.call()
		w.want("no room", 0, 0)
		c := w.get()
		if w.Keep(c) {
			t.Error("a client connection keeps one")
		}
		w.Discard(c)
		time.Sleep(maintenanceTick)
		if w.running() {
			t.Error("the maintenance loop runs")
		}
		if w.made() != 2 {
			t.Errorf("%d connections made", w.made())
		}
		w.balanced()
		w.others = 8
		w.call()
		w.want("room for two", 1, 1)
		w.balanced()
	})
}

// TestNoWarmth: without Warm nothing is made that no request asked for.
func TestNoWarmth(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.call()
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.made() != 1 {
			t.Errorf("%d connections made", w.made())
		}
	})
}

func TestWindow(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		step := func(idle time.Duration, wantUsed bool) {
			t.Helper()
			time.Sleep(idle)
			if _, used := w.call(); used != wantUsed {
				t.Errorf("after %v idle: used %v", idle, used)
			}
		}
		step(0, false)
		step(firstWindow, true)
		step(firstWindow+1, false)

		// The oldest one stays, to see when the server ends it: at the age of
		// 20 s. Half of that is safe.
		time.Sleep(20 * time.Second)
		w.want("watched", 1, 0)
		w.end(0)
		time.Sleep(maintenanceTick)
		w.want("ended", 0, 0)
		w.Pool.mu.Lock()
		window := w.life.window(time.Now(), time.Minute)
		w.Pool.mu.Unlock()
		if window < 9*time.Second || window > 13*time.Second {
			t.Errorf("window %v", window)
		}
		step(0, false)
		step(window-time.Second, true)
		step(window+1, false)
		w.balanced()
	})
}

// TestOneCallEach: a server that closes a connection after its answer gets one
// call for each connection, until it leaves one open.
func TestOneCallEach(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.call()
		w.end(0)
		for n := 1; n < 5; n++ {
			if got, used := w.call(); got != n || used {
				t.Errorf("connection %d in place of %d, used %v", got, n, used)
			}
		}
		w.want("one is watched", 1, 0)
		w.end(1) // that one
		time.Sleep(2 * maintenanceTick)
		if got, used := w.call(); got != 5 || used {
			t.Errorf("connection %d, used %v", got, used)
		}
		time.Sleep(2 * maintenanceTick)
		if got, used := w.call(); got != 5 || !used {
			t.Errorf("connection %d, used %v, though the server left it open", got, used)
		}
		w.balanced()
	})
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		w.call()
		w.end(0)
		c := w.get()
		c.Used = true
		w.wg.Go(func() {
			if n, used := w.call(); n != 2 || used {
				t.Errorf("a waiting request got connection %d, used %v", n, used)
			}
		})
		synctest.Wait()
		w.Put(c)
		w.want("then", 1, 0)
		w.balanced()
	})
}

// TestLongLife: a server that leaves connections open for as long as they are
// kept is trusted for half of that.
func TestLongLife(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.call()
		time.Sleep(92 * time.Second)
		w.want("too old", 0, 0)
		w.call()
		time.Sleep(44 * time.Second)
		if _, used := w.call(); !used {
			t.Error("not trusted")
		}
	})
}

// TestLearn: what the server says of its idle connections is believed.
func TestLearn(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.call()
		w.LearnIdleTimeout(4 * time.Second)
		time.Sleep(2 * time.Second)
		if _, used := w.call(); !used {
			t.Error("not used")
		}
		time.Sleep(2*time.Second + 1)
		if _, used := w.call(); used {
			t.Error("used too late")
		}
	})
}

func TestLife(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for _, tt := range []struct {
		name string
		do   func(*life)
		want time.Duration
	}{
		{"nothing known", func(*life) {}, 5 * time.Second},
		{"closed", func(l *life) { l.seen(at, 60*time.Second) }, 30 * time.Second},
		{"never beyond the limit", func(l *life) { l.seen(at, 400*time.Second) }, 90 * time.Second},
		{"the shortest counts", func(l *life) {
			l.seen(at, 60*time.Second)
			l.seen(at, 10*time.Second)
			l.seen(at, 50*time.Second)
		}, 5 * time.Second},
		{"closed at once", func(l *life) { l.seen(at, 0) }, 0},
		{"closed at once, and left open since", func(l *life) { l.seen(at, 0); l.alive(time.Second) }, 5 * time.Second},
		{"closed at once, and left open for a moment", func(l *life) { l.seen(at, 0); l.alive(time.Second / 2) }, 0},
		{"closed at once long ago", func(l *life) { l.seen(at.Add(-lifeMemory), 0) }, 5 * time.Second},
		{"closed, and left open since", func(l *life) { l.seen(at, 4*time.Second); l.alive(9 * time.Second) }, 2 * time.Second},
		{"remembered", func(l *life) { l.seen(at, 4*time.Second); l.seen(at.Add(lifeMemory-1), 40*time.Second) }, 2 * time.Second},
		{"seen again", func(l *life) {
			l.seen(at, 4*time.Second)
			l.seen(at.Add(time.Minute), 4*time.Second)
			l.seen(at.Add(lifeMemory), 40*time.Second)
		}, 2 * time.Second},
		{"forgotten", func(l *life) { l.seen(at, 4*time.Second); l.seen(at.Add(lifeMemory), 40*time.Second) }, 20 * time.Second},
	} {
		var l life
		tt.do(&l)
		if got := l.window(at, 90*time.Second); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// TestMost: fresh connections do not take the place of those in use.
func TestMost(t *testing.T) {
	inBubble(t, Options{Warm: 5, Most: 3}, func(t *testing.T, w *world) {
		c := w.get()
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.made() != 3 {
			t.Errorf("%d connections made", w.made())
		}
		w.Discard(c)
		w.balanced()
	})
}

// slowConn hides that a connection can be read without waiting, as on Windows.
type slowConn struct{ net.Conn }

// TestSlowLooks: where to look at an idle connection takes time, it is as good
// as elsewhere.
func TestSlowLooks(t *testing.T) {
	inBubble(t, Options{Warm: 2}, func(t *testing.T, w *world) {
		w.slow = true
		w.call()
		time.Sleep(3 * time.Second)
		if n, used := w.call(); n == 0 || used {
			t.Errorf("connection %d, used %v", n, used)
		}
		w.end(0)
		w.end(1)
		w.end(2)
		time.Sleep(10 * time.Second)
		w.want("replaced", 0, 2)
		w.balanced()
	})
}
