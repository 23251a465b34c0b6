package front

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
)

// carrier counts what it was asked for.
type carrier struct{ retired, drained, cut atomic.Int64 }

func (c *carrier) Retire() { c.retired.Add(1) }
func (c *carrier) Drain()  { c.drained.Add(1) }
func (c *carrier) Abort()  { c.cut.Add(1) }

func (c *carrier) called() (both [2]bool) { return [2]bool{c.drained.Load() > 0, c.cut.Load() > 0} }

// Each accepted connection is handled in exactly one way until it is closed.
func TestShow(t *testing.T) {
	t.Parallel()
	type counts = map[call.Handling]int
	synctest.Test(t, func(t *testing.T) {
		near, far := pipes(caller)
		other, _ := pipes(caller)
		g := newGauge()
		s := NewShared(Limits{}, g.add)
		want := func(what string, of counts) {
			t.Helper()
			if got := g.snapshot(); !maps.Equal(got, of) {
				t.Errorf("%s: %v, want %v", what, got, of)
			}
		}
		c, second := accepted(near, s), accepted(other, s)
		want("accepted", counts{call.Plain: 2})
		for _, h := range []call.Handling{call.Plain, call.Terminated, call.Terminated, call.Spliced, call.Tunnelled, call.Refused} {
			c.Show(h)
			of := counts{call.Plain: 1}
			of[h]++
			want("shown as "+h.String(), of)
		}
		far.Close()
		c.Close()
		want("closed", counts{call.Plain: 1})
		c.Show(call.Plain)
		c.Show(call.Spliced)
		want("shown after its end", counts{call.Plain: 1})
		c.Close()
		c.Reset()
		want("closed again", counts{call.Plain: 1})
		second.Show(call.Spliced)
		second.Reset()
		want("reset", counts{})
	})
}

// A drain reaches what carries a connection, and what will.
func TestCarry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		do                func(s *Shared, c *Conn, old, by *carrier)
		oldCalled, called [2]bool // to drain, to cut
	}{
		{"nothing", func(_ *Shared, c *Conn, _, by *carrier) { c.Carry(by) }, [2]bool{}, [2]bool{}},
		{"drained", func(s *Shared, c *Conn, _, by *carrier) { c.Carry(by); s.Drain() }, [2]bool{}, [2]bool{true, false}},
		{"draining", func(s *Shared, c *Conn, _, by *carrier) { s.Drain(); c.Carry(by) }, [2]bool{}, [2]bool{true, false}},
		{"cut", func(s *Shared, c *Conn, _, by *carrier) { s.Drain(); c.Carry(by); s.Abort() }, [2]bool{}, [2]bool{true, true}},
		{"cutting", func(s *Shared, c *Conn, _, by *carrier) { s.Drain(); s.Abort(); c.Carry(by) }, [2]bool{}, [2]bool{true, true}},
		{"replaced", func(s *Shared, c *Conn, old, by *carrier) { c.Carry(old); c.Carry(by); s.Drain(); s.Abort() }, [2]bool{}, [2]bool{true, true}},
		{"replaced while draining", func(s *Shared, c *Conn, old, by *carrier) { c.Carry(old); s.Drain(); c.Carry(by); s.Abort() }, [2]bool{true, false}, [2]bool{true, true}},
		{"removed", func(s *Shared, c *Conn, old, _ *carrier) { c.Carry(old); c.Carry(nil); s.Drain(); s.Abort() }, [2]bool{}, [2]bool{}},
		{"closed", func(s *Shared, c *Conn, old, _ *carrier) { c.Carry(old); c.Close(); s.Drain(); s.Abort() }, [2]bool{}, [2]bool{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				near, far := pipes(caller)
				defer far.Close()
				g := newGauge()
				s := NewShared(Limits{}, g.add)
				c, old, by := accepted(near, s), new(carrier), new(carrier)
				tt.do(s, c, old, by)
				if was, is := old.called(), by.called(); was != tt.oldCalled || is != tt.called {
					t.Errorf("drained, cut: the old carrier %v, the carrier %v; want %v, %v", was, is, tt.oldCalled, tt.called)
				}
				s.CloseAll()
				empty(t, s, g)
			})
		})
	}
}

// replacing is a carrier that, asked to drain, replaces that of another
// connection.
type replacing struct {
	carrier
	other *Conn
	by    *carrier
	once  *sync.Once
}

func (r *replacing) Drain() {
	r.carrier.Drain()
	r.once.Do(func() { r.other.Carry(r.by) })
}

// A carrier that was replaced is left alone, even by a drain that began before:
// it would set the deadline of a connection that is no longer its own.
func TestCarryDuringDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(Limits{}, newGauge().add)
		var conns [2]*Conn
		for i := range conns {
			near, _ := pipes(caller)
			conns[i] = accepted(near, s)
		}
		var once sync.Once
		var old [2]*replacing
		for i, c := range conns {
			old[i] = &replacing{other: conns[1-i], by: new(carrier), once: &once}
			c.Carry(old[i])
		}
		s.Drain()
		if n := old[0].drained.Load() + old[1].drained.Load(); n != 1 {
			t.Errorf("%d of the old carriers were called, want 1", n)
		}
		if n := old[0].by.drained.Load() + old[1].by.drained.Load(); n == 0 {
			t.Error("the new carrier was not called")
		}
		s.CloseAll()
	})
}

// Connections whose first bytes are awaited end shortly after a drain begins,
// and at once when they are cut.
func TestDrainWhileAwaiting(t *testing.T) {
	t.Parallel()
	const balancer = "203.0.113.1:1"
	cut := func(s *Shared) { s.Drain(); s.Abort() }
	tests := []struct {
		name, from, raw string
		end             func(*Shared)
		after           time.Duration
	}{
		{"drain", caller, "", (*Shared).Drain, Grace},
		{"drain, one byte", caller, "\x80", (*Shared).Drain, Grace},
		{"drain, two bytes", caller, "\x80\x2e", (*Shared).Drain, Grace},
		{"drain, no header", balancer, "", (*Shared).Drain, Grace},
		{"drain, half a header", balancer, v1TCP4[:9], (*Shared).Drain, Grace},
		{"drain, a header", balancer, v1TCP4, (*Shared).Drain, Grace},
		{"cut", caller, "", cut, 0},
		{"cut, one byte", caller, "\x80", cut, 0},
		{"cut, half a header", balancer, v2TCP4[:9], cut, 0},
		{"cut, a header", balancer, v2TCP4, cut, 0},
		{"cut within grace", caller, "", func(s *Shared) { s.Drain(); time.Sleep(Grace / 2); s.Abort() }, Grace / 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, Limits{HeaderTimeout: headerTimeout}, func(o *setup) { o.ProxyProtocolFrom = prefixes("203.0.113.0/24") })
				h.handle = func(c *Conn, _ Kind, _ *Refusal) { c.Close() }
				far := h.dial(tt.from)
				_, _ = io.WriteString(far, tt.raw)
				synctest.Wait()
				start := time.Now()
				tt.end(h.shared)
				if got, err := io.ReadAll(far); len(got) > 0 || err != nil || time.Since(start) != tt.after {
					t.Errorf("got %q, %v after %v, want %v", got, err, time.Since(start), tt.after)
				}
			})
		})
	}
}

// A caller that sends its PROXY protocol header byte by byte prolongs neither
// the wait for it nor a drain.
func TestDrippingHeader(t *testing.T) {
	t.Parallel()
	for _, draining := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, Limits{HeaderTimeout: headerTimeout}, func(o *setup) { o.ProxyProtocolFrom = prefixes("0.0.0.0/0") })
			every, after, refused := time.Second, headerTimeout, make(chan time.Time, 1)
			h.handle = func(c *Conn, _ Kind, _ *Refusal) {
				refused <- time.Now()
				c.Close()
			}
			if draining {
				every, after = Grace/2, Grace
				h.shared.Drain()
			}
			far, start := h.dial(caller), time.Now()
			for _, s := range split(v1TCP4, 1) {
				if _, err := io.WriteString(far, s); err != nil {
					break
				}
				time.Sleep(every)
			}
			if got := (<-refused).Sub(start); got != after {
				t.Errorf("draining %v: refused after %v, want %v", draining, got, after)
			}
		})
	}
}

// A request that was on its way when the drain began is answered.
func TestRequestWithinGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, Limits{HeaderTimeout: headerTimeout})
		before := h.dial(caller)
		synctest.Wait()
		h.shared.Drain()
		time.Sleep(Grace - time.Nanosecond)
		for name, far := range map[string]*end{"before": before, "during": h.dial(caller)} {
			_, _ = io.WriteString(far, get)
			if got, err := io.ReadAll(far); string(got) != "in http "+caller+" GET /a HTTP/1.1" || err != nil {
				t.Errorf("connected %s the drain: %q, %v", name, got, err)
			}
		}
		late, start := h.dial(caller), time.Now()
		if got, err := io.ReadAll(late); len(got) > 0 || err != nil || time.Since(start) != Grace {
			t.Errorf("silent, connected during the drain: %q, %v after %v", got, err, time.Since(start))
		}
	})
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, Limits{})
		if left := h.shared.Wait(t.Context()); left != 0 {
			t.Errorf("without connections: %d left", left)
		}
		first, second := h.hold("192.0.2.7:1"), h.hold("192.0.2.7:2")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // the second time its context is done already
			if left := h.shared.Wait(ctx); left != 2 {
				t.Errorf("after a second: %d left", left)
			}
		}
		start := time.Now()
		defer time.AfterFunc(time.Second, func() { first.Close() }).Stop()
		defer time.AfterFunc(3*time.Second, func() { second.Close() }).Stop()
		var waiters sync.WaitGroup
		for range 2 {
			waiters.Go(func() {
				if left := h.shared.Wait(t.Context()); left != 0 || time.Since(start) != 3*time.Second {
					t.Errorf("%d left after %v", left, time.Since(start))
				}
			})
		}
		waiters.Wait()
		if left := h.shared.Wait(ctx); left != 0 {
			t.Errorf("after the end: %d left", left)
		}
	})
}

// counting is a listener that notes how many connections are open whenever
// the next one is waited for.
type counting struct {
	*script
	shared *Shared
	open   []int
}

func (l *counting) Accept() (net.Conn, error) {
	l.open = append(l.open, l.shared.Open())
	return l.script.Accept()
}

// A connection is open, and so waited for, from its accepting on.
func TestOpenOnceAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGauge()
		s := NewShared(Limits{}, g.add)
		near, far := pipes(caller)
		ln := &counting{script: newScript(near, io.ErrUnexpectedEOF), shared: s}
		defer time.AfterFunc(time.Second, func() { far.Close() }).Stop()
		err := Serve(t.Context(), ln, Options{Shared: s, Rules: fixed(Rules{Listener: new(call.Listener)}), Logger: zap.NewNop(), Handler: &harness{handle: respond}})
		if !errors.Is(err, io.ErrUnexpectedEOF) || !slices.Equal(ln.open, []int{0, 1}) {
			t.Errorf("%v; open: %v", err, ln.open)
		}
		empty(t, s, g)
	})
}

// lastMinute accepts a connection after accepting was to end: as a kernel does
// that had one ready.
type lastMinute struct {
	net.Listener
	nc     net.Conn
	closed chan struct{}
}

func (l *lastMinute) Accept() (net.Conn, error) {
	<-l.closed
	if nc := l.nc; nc != nil {
		l.nc = nil
		return nc, nil
	}
	return nil, net.ErrClosed
}

func (l *lastMinute) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

// What was accepted as accepting ended is open when its end is told: a shutdown
// that waits for the open ones does not pass it by.
func TestEndedAfterTheLastConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := NewShared(Limits{}, newGauge().add)
		near, far := pipes(caller)
		ctx, cancel := context.WithCancel(t.Context())
		open := -1
		time.AfterFunc(time.Second, cancel)
		time.AfterFunc(2*time.Second, func() { far.Close() })
		err := Serve(ctx, &lastMinute{nc: near, closed: make(chan struct{})}, Options{
			Shared: s, Rules: fixed(Rules{Listener: new(call.Listener)}), Logger: zap.NewNop(), Handler: &harness{handle: respond},
			Ended: func() { open = s.Open() },
		})
		if err != nil || open != 1 {
			t.Errorf("%v; open when accepting ended: %d, want 1", err, open)
		}
	})
}

// A connection that is closed before it is admitted is counted nowhere
// afterwards.
func TestCloseAllBeforeAdmission(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(*setup){
		"counted": func(*setup) {},
		"barred":  func(o *setup) { o.Allow = prefixes("10.0.0.0/8") },
		"refused": func(o *setup) { o.Shared.SetLimits(Limits{ConnectionsPerClient: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				arriving := make(chan struct{})
				h := serve(t, Limits{}, with, func(o *setup) {
					o.Listener = &call.Listener{Accept: call.Ways(call.Transparent)}
					o.OriginalDst = func(net.Conn) (none netip.AddrPort) { <-arriving; return none }
				})
				h.dial(caller)
				h.dial(caller)
				synctest.Wait()
				h.shared.CloseAll()
				if left := h.shared.Wait(t.Context()); left != 0 {
					t.Errorf("%d left", left)
				}
				close(arriving)
				synctest.Wait()
				empty(t, h.shared, h.gauge)
			})
		})
	}
}

// CloseAll ends a connection whose first bytes are awaited, one that is being
// served, and one that lingers.
func TestCloseAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := serve(t, Limits{HeaderTimeout: headerTimeout})
		silent, served, lingering := h.dial(caller), h.hold(caller), h.dial(caller)
		_, _ = io.WriteString(lingering, clientHello)
		if got, err := io.ReadAll(lingering); len(got) == 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if open := h.shared.Open(); open != 3 {
			t.Errorf("%d open, want 3", open)
		}
		start := time.Now()
		h.shared.CloseAll()
		if left := h.shared.Wait(t.Context()); left > 0 || time.Since(start) > 0 {
			t.Errorf("%d left after %v", left, time.Since(start))
		}
		for _, far := range []*end{silent, served, lingering} {
			if _, err := io.WriteString(far, "x"); err == nil {
				t.Error("a connection lives")
			}
		}
		synctest.Wait()
		empty(t, h.shared, h.gauge)
	})
}

// Everything that may be called from any goroutine is, at the same time.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers = 100
		h := serve(t, Limits{HeaderTimeout: headerTimeout, ConnectionsPerClient: callers / 2})
		h.handle = func(c *Conn, kind Kind, refusal *Refusal) {
			var group sync.WaitGroup
			for _, f := range []func(){
				func() { c.Carry(new(carrier)) },
				func() { c.Show(call.Spliced) },
				func() { c.Show(call.Refused) },
				func() { c.PeerState() },
				func() { c.Linger() },
			} {
				group.Go(f)
			}
			respond(c, kind, refusal)
			group.Wait()
		}
		var group sync.WaitGroup
		for i := range callers {
			group.Go(func() { h.ask("192.0.2.7:1", split(get, 1+i%20)...) })
		}
		for _, f := range []func(){h.shared.Drain, h.shared.Abort, h.shared.CloseAll} {
			group.Go(f)
		}
		group.Go(func() { h.shared.Wait(t.Context()) })
		group.Wait()
	})
}

// Connections that come and go between two looks were open.
func TestPeak(t *testing.T) {
	t.Parallel()
	s := NewShared(Limits{}, func(call.Handling, int) {})
	var conns []*Conn
	for range 3 {
		near, _ := net.Pipe()
		c := accepted(near, s)
		conns = append(conns, c)
	}
	for _, c := range conns[1:] {
		c.Close()
	}
	if open, most := s.Peak(); open != 1 || most != 3 {
		t.Errorf("%d open, at most %d; want 1 and 3", open, most)
	}
	if open, most := s.Peak(); open != 1 || most != 1 {
		t.Errorf("then %d open, at most %d; want 1 and 1", open, most)
	}
}

// When a listener accepts no more, its connections are asked to end after their
// next answer, whatever carries them then; those of others are not.
func TestRetire(t *testing.T) {
	t.Parallel()
	s := NewShared(Limits{}, func(call.Handling, int) {})
	var ours, others atomic.Bool
	now, next, other := new(carrier), new(carrier), new(carrier)
	a, b := newConn(t.Context(), nil, s, &ours), newConn(t.Context(), nil, s, &others)
	a.Carry(now)
	b.Carry(other)
	s.retire(&ours)
	a.Carry(next)
	for what, c := range map[string]struct {
		*carrier
		want int64
	}{"the carrier then": {now, 1}, "the next one": {next, 1}, "another listener's": {other, 0}} {
		if got := c.retired.Load(); got != c.want || c.called() != [2]bool{} {
			t.Errorf("%s: retired %d times, want %d; %v", what, got, c.want, c.called())
		}
	}
}

// A connection is under the rules that are in force when it comes.
func TestRulesChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rules atomic.Pointer[Rules]
		rules.Store(&Rules{Listener: &call.Listener{Address: "x", Client: "old"}, Allow: prefixes("10.0.0.0/8")})
		h := serve(t, Limits{}, func(o *setup) { o.Options.Rules = func() Rules { return *rules.Load() } })
		if got := h.ask(caller, get); !strings.HasPrefix(got, "barred") {
			t.Errorf("before: %q", got)
		}
		rules.Store(&Rules{Listener: &call.Listener{Address: "x", Client: "new"}})
		if got := h.ask(caller, get); !strings.HasPrefix(got, "in") {
			t.Errorf("after: %q", got)
		}
	})
}
