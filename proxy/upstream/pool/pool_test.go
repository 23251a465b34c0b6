package pool

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
	"tlslift/test/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a pool and the server that it connects to.
type world struct {
	*Pool
	t      *testing.T
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	server []net.Conn // the server's ends, in the order of dialling
	refuse error      // what dials end with
	slow   bool       // connections cannot be read without waiting
	brief  bool       // the server closes them at once
	stall  chan struct{}
	number map[*dial.Conn]int
	tried  int // dials
	idle   int // as counted
	busy   int
	others int // connections of other pools
}

// newWorld makes a pool in a bubble, whose callers wait for a second.
func newWorld(t *testing.T, o Options) *world {
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{t: t, cancel: cancel, number: make(map[*dial.Conn]int)}
	d := &dial.Dialer{
		Loops: new(dial.Loops), Own: func(netip.AddrPort) bool { return false }, Timeout: time.Minute, Now: time.Now,
		Observer: silent{}, Logger: zap.NewNop(),
		Net: func(ctx context.Context, _ netip.AddrPort, _ func(netip.AddrPort) error) (net.Conn, error) {
			w.mu.Lock()
			w.tried++
			refuse, stall := w.refuse, w.stall
			w.mu.Unlock()
			if stall != nil {
				select {
				case <-stall:
				case <-ctx.Done():
				}
			}
			if refuse != nil {
				return nil, refuse
			}
			near, far := memnet.Pipe(&net.TCPAddr{}, net.TCPAddrFromAddrPort(netip.MustParseAddrPort("192.0.2.1:80")))
			w.mu.Lock()
			defer w.mu.Unlock()
			w.server = append(w.server, far)
			if w.brief {
				_ = far.Close()
			}
			if w.slow {
				return slowConn{near}, nil
			}
			return near, nil
		},
	}
	target := dial.Target{Host: host.MustParse("192.0.2.1"), Port: 80, Exempt: true}
	o.Dial = func(ctx context.Context) (*dial.Conn, error) {
		c, err := d.Connect(ctx, target, "", nil, nil)
		if err == nil {
			w.mu.Lock()
			w.number[c] = len(w.number)
			w.mu.Unlock()
		}
		return c, err
	}
	if o.Most == 0 {
		o.Most = 10
	}
	o.Idle, o.Wait = 90*time.Second, time.Second
	o.Count = func(idle, busy int) { w.idle, w.busy = w.idle+idle, w.busy+busy }
	o.Sum = func() int { return w.idle + w.busy + w.others }
	start := func(f func()) bool {
		if ctx.Err() != nil {
			return false
		}
		w.wg.Go(f)
		return true
	}
	w.Pool = New(Background{Context: ctx, Go: start, Now: time.Now, Logger: zap.NewNop()}, o)
	t.Cleanup(func() {
		cancel()
		w.wg.Wait()
		for _, c := range w.server {
			_ = c.Close()
		}
	})
	return w
}

type silent struct{ dial.Observer }

func (silent) Phase(string, call.Phase, time.Duration) {}

// inBubble runs a test with a pool.
func inBubble(t *testing.T, o Options, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t, o)) })
}

func (w *world) get() *Conn {
	w.t.Helper()
	c, err := w.Get(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// call does what a request does, and reports the connection's number and
// whether it was used before.
func (w *world) call() (n int, used bool) {
	w.t.Helper()
	c := w.get()
	defer w.Put(c)
	used, c.Used = c.Used, true
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.number[c.Conn], used
}

// TestALoanIsCountedAtOnce, and so is its end.
func TestALoanIsCountedAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(_ *testing.T, w *world) {
		for _, when := range []string{"new", "kept"} {
			c := w.get()
			w.want(when+", in use", 0, 0)
			c.Used = true
			w.Put(c)
			w.want(when+", given back", 1, 0)
		}
	})
}

// made is how many connections were ever made.
func (w *world) made() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.server)
}

// end closes a connection at the server.
func (w *world) end(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.server[n].Close()
}

// want checks how many connections are idle and used, and idle and fresh.
func (w *world) want(when string, used, fresh int) {
	w.t.Helper()
	synctest.Wait()
	w.Pool.mu.Lock()
	defer w.Pool.mu.Unlock()
	if len(w.used) != used || len(w.fresh) != fresh {
		w.t.Errorf("%s: %d used and %d fresh connections, want %d and %d", when, len(w.used), len(w.fresh), used, fresh)
	}
	if idle := len(w.used) + len(w.fresh); w.idle != idle || w.busy != len(w.all)-idle {
		w.t.Errorf("%s: counted %d idle and %d busy of %d, want %d idle", when, w.idle, w.busy, len(w.all), idle)
	}
}

// balanced checks the books.
func (w *world) balanced() {
	w.t.Helper()
	synctest.Wait()
	w.Pool.mu.Lock()
	defer w.Pool.mu.Unlock()
	idle := len(w.used) + len(w.fresh)
	w.count()
	if w.dials != 0 || len(w.waiters) != 0 || w.idle != idle || w.busy != len(w.all)-idle {
		w.t.Errorf("%d dials, %d waiters, %d connections of which %d idle; counted %d idle and %d busy",
			w.dials, len(w.waiters), len(w.all), idle, w.idle, w.busy)
	}
}

// TestOrder: waiting requests are served in the order in which they came.
func TestOrder(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		served := make(chan int, 10)
		for i := range 10 {
			w.wg.Go(func() {
				c, err := w.Get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				served <- i
				w.Put(c)
			})
			synctest.Wait()
		}
		w.Put(c)
		for i := range 10 {
			if got := <-served; got != i {
				t.Errorf("request %d was served in place of %d", got, i)
			}
		}
		if w.made() != 1 {
			t.Errorf("%d connections", w.made())
		}
		w.balanced()
	})
}

// reason is that of a *dial.Error.
func reason(err error) problem.Reason {
	var e *dial.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return problem.None
}

// TestHandedOverDead: a request that was handed a connection that has ended keeps
// its turn, and gets another one.
func TestHandedOverDead(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		served := make(chan int, 3)
		for i := range 3 {
			w.wg.Go(func() {
				c, err := w.Get(t.Context())
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				served <- i
				c.Used = true
				w.end(i + 1)
				w.Put(c)
			})
			synctest.Wait()
		}
		c.Used = true
		w.end(0)
		w.Put(c)
		for i := range 3 {
			if got := <-served; got != i {
				t.Errorf("request %d was served in place of %d", got, i)
			}
		}
		if w.made() != 4 {
			t.Errorf("%d connections", w.made())
		}
		w.CloseIdle()
		w.balanced()
	})
}

func TestFull(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		start := time.Now()
		if _, err := w.Get(t.Context()); reason(err) != problem.Limit || time.Since(start) != time.Second {
			t.Error(err, time.Since(start))
		}
		w.Discard(c) // the place is free again
		w.get()
		w.balanced()
	})
}

// TestReturned: a connection that was not used after all is for who waits, else
// it is kept with its age, unless it was made for nothing.
func TestReturned(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		w.wg.Go(func() {
			got, err := w.Get(t.Context())
			if err != nil || got != c {
				t.Errorf("the one who waits gets another: %v", err)
				return
			}
			got.Used = true
			w.Put(got)
		})
		synctest.Wait()
		w.Return(c)
		synctest.Wait()
		since := c.since
		time.Sleep(time.Second)
		if w.get() != c {
			t.Fatal("it is not kept")
		}
		w.Return(c)
		if c.since != since || w.made() != 1 {
			t.Errorf("idle since %v, and was since %v; %d connections", c.since, since, w.made())
		}
		w.balanced()
	})
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		w.Return(w.get())
		if w.idle != 0 || w.busy != 0 {
			t.Errorf("%d idle and %d busy connections are kept", w.idle, w.busy)
		}
	})
}

// TestSlowDial: a request whose dial is under way waits for longer than others
// would for a free connection.
func TestSlowDial(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		w.stall = make(chan struct{})
		time.AfterFunc(5*time.Second, func() { close(w.stall) })
		w.get()
	})
}

// TestGivenBackBeforeDialled: a request that waits for a dial gets a connection
// that is given back meanwhile; the new one is kept.
func TestGivenBackBeforeDialled(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		c := w.get()
		w.stall = make(chan struct{})
		got := make(chan *Conn)
		go func() { got <- w.get() }()
		synctest.Wait()
		w.Put(c)
		if other := <-got; other != c {
			t.Error("waited for the dial")
		}
		close(w.stall)
		w.want("then", 0, 1)
		w.balanced()
	})
}

// TestLateConnection: a connection that comes when its request has gone is kept.
func TestLateConnection(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.stall = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		if _, err := w.Get(ctx); reason(err) != problem.Draining {
			t.Error(err)
		}
		close(w.stall)
		w.want("late", 0, 1)
		if n, _ := w.call(); n != 0 {
			t.Error("dialled again")
		}
		w.balanced()
	})
}

// TestWithdrawnTooLate: a connection that was granted to a request that has
// gone meanwhile is given back.
func TestWithdrawnTooLate(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		w.Pool.mu.Lock()
		waiter := w.queue(false)
		w.Pool.mu.Unlock()
		w.Put(c)
		if !w.withdraw(waiter, true) {
			t.Error("not withdrawn")
		}
		w.balanced()
	})
}

func TestDialFails(t *testing.T) {
	inBubble(t, Options{Most: 2, Warm: 2}, func(t *testing.T, w *world) {
		w.refuse = errors.New("refused")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.Get(t.Context()); reason(err) != problem.Connect {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.balanced()
	})
}

// TestEndsAtOnce: a server that closes each connection is not dialled in a
// circle.
func TestEndsAtOnce(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.brief = true
		if _, err := w.Get(t.Context()); reason(err) != problem.Reset || w.made() != 1 {
			t.Error(err, w.made())
		}
		w.balanced()
	})
}

// TestDeadIdle: connections that ended while idle are found out when they are
// to be used, all of them, and another is made.
func TestDeadIdle(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		var conns []*Conn
		for range 3 {
			conns = append(conns, w.get())
		}
		for i, c := range conns {
			c.Used = i > 0
			w.Put(c)
		}
		for i := range conns {
			w.end(i)
		}
		if n, used := w.call(); n != 3 || used {
			t.Errorf("connection %d, used %v", n, used)
		}
		w.balanced()
	})
}

// TestSpoken: bytes that nobody asked for make a connection useless.
func TestSpoken(t *testing.T) {
	inBubble(t, Options{}, func(t *testing.T, w *world) {
		w.call()
		_, _ = w.server[0].Write([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"))
		if n, _ := w.call(); n != 1 {
			t.Error("used")
		}
	})
}

// TestStaleMakesRoom: connections too old to be used again make room for a new
// one.
func TestStaleMakesRoom(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		w.call()
		time.Sleep(firstWindow + time.Second)
		if n, used := w.call(); n != 1 || used {
			t.Errorf("connection %d, used %v", n, used)
		}
		w.want("then", 1, 0)
		w.balanced()
	})
}

// TestRetireEmpty: a pool is given up only when nothing of it is left.
func TestRetireEmpty(t *testing.T) {
	inBubble(t, Options{Warm: 1}, func(t *testing.T, w *world) {
		c := w.get()
		if w.RetireEmpty() {
			t.Error("a connection is in use")
		}
		w.Put(c)
		synctest.Wait()
		w.CloseIdle()
		if w.RetireEmpty() {
			t.Error("the maintenance loop runs")
		}
		time.Sleep(inUse + time.Minute)
		w.CloseIdle()
		time.Sleep(maintenanceTick)
		synctest.Wait()
		if !w.RetireEmpty() {
			t.Error("not retired")
		}
		w.call() // by a request that had the pool already
		time.Sleep(time.Second)
		w.want("retired", 0, 0)
		w.balanced()
	})
}

func TestCloseIdle(t *testing.T) {
	inBubble(t, Options{Warm: 1}, func(t *testing.T, w *world) {
		w.call()
		synctest.Wait()
		w.CloseIdle()
		w.want("closed", 0, 0)
		if _, used := w.call(); used {
			t.Error("used")
		}
		w.balanced()
	})
}

// TestRetire: what is in use is closed when it comes back; who waits is served
// to the end.
func TestRetire(t *testing.T) {
	inBubble(t, Options{Most: 1, Warm: 1}, func(t *testing.T, w *world) {
		c := w.get()
		got := make(chan *Conn)
		go func() { got <- w.get() }()
		synctest.Wait()
		w.Retire()
		w.Put(c)
		if other := <-got; other != c {
			t.Error("not served")
		}
		w.Put(c)
		w.want("then", 0, 0)
		time.Sleep(time.Hour)
		w.balanced()
	})
}

// TestEnd: when all ends, nobody waits on.
func TestEnd(t *testing.T) {
	inBubble(t, Options{Most: 1}, func(t *testing.T, w *world) {
		c := w.get()
		got := make(chan error)
		go func() {
			_, err := w.Get(t.Context())
			got <- err
		}()
		synctest.Wait()
		w.cancel()
		w.Retire()
		w.Abort()
		w.Discard(c)
		if err := <-got; reason(err) != problem.Draining {
			t.Error(err)
		}
		if _, err := w.Get(t.Context()); reason(err) != problem.Draining {
			t.Error(err)
		}
		w.balanced()
	})
}

// TestLoad: many requests on few connections, of which some end.
func TestLoad(t *testing.T) {
	inBubble(t, Options{Most: 8, Warm: 2}, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				for j := range 20 {
					c, err := w.Get(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Duration(i*j) * time.Microsecond)
					c.Used = true
					if j%5 == 4 {
						w.Discard(c)
					} else {
						w.Put(c)
					}
				}
			})
		}
		wg.Wait()
		w.balanced()
		if w.busy != 0 || w.idle > 8 {
			t.Errorf("%d busy, %d idle", w.busy, w.idle)
		}
	})
}
