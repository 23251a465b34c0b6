package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestWhoMayConnect(t *testing.T) {
	t.Parallel()
	allow := func(s ...string) func(*setup) { return func(o *setup) { o.Allow = prefixes(s...) } }
	own := func(peer, local string) func(*setup) {
		return func(o *setup) {
			o.Listener = &call.Listener{Accept: call.Ways(call.Transparent)}
			o.OriginalDst = func(net.Conn) netip.AddrPort { return netip.MustParseAddrPort("[::ffff:198.51.100.9]:443") }
			o.OwnSocket = func(p, l netip.AddrPort) bool { return p.String() == peer && l.String() == local }
		}
	}
	tests := []struct {
		name, from, raw string
		with            func(*setup)
		want, dropped   string
	}{
		{"anyone", caller, get, allow(), "in http " + caller + " GET /a HTTP/1.1", ""},
		{"anyone, TLS", caller, clientHello, allow(), "in tls " + caller + " ", ""},
		{"on the list", caller, get, allow("10.0.0.0/8", "192.0.2.0/24"), "in http " + caller + " GET /a HTTP/1.1", ""},
		{"on the list, mapped", "[::ffff:192.0.2.7]:4711", get, allow("192.0.2.0/24"), "in http " + caller + " GET /a HTTP/1.1", ""},
		{"on the list, IPv6", "[2001:db8::7]:1", get, allow("2001:db8::/32"), "in http [2001:db8::7]:1 GET /a HTTP/1.1", ""},
		{"on the list, link-local", "[fe80::7%eth0]:1", get, allow("fe80::/10"), "in http [fe80::7%eth0]:1 GET /a HTTP/1.1", ""},
		{"not on the list", caller, get, allow("10.0.0.0/8"), "barred http " + caller + " GET /a HTTP/1.1", ""},
		{"not on the list, TLS", caller, clientHello, allow("10.0.0.0/8"), "barred tls " + caller + " ", ""},
		{"not on the list, silent", caller, "", allow("10.0.0.0/8"), "", "acl"},
		{"silent", caller, "", allow(), "", ""},
		{"own socket", caller, get, own(caller, "192.0.2.1:3128"), "loop http " + caller + " GET /a HTTP/1.1", ""},
		{"own socket, TLS", caller, clientHello, own(caller, "192.0.2.1:3128"), "loop tls " + caller + " ", ""},
		{"own socket, not on the list", caller, get, func(o *setup) {
			allow("10.0.0.0/8")(o)
			own(caller, "192.0.2.1:3128")(o)
		}, "loop http " + caller + " GET /a HTTP/1.1", ""},
		{"own socket, silent", caller, "", own(caller, "192.0.2.1:3128"), "", ""},
		{"own socket, redirected", caller, get, own(caller, "198.51.100.9:443"), "loop http " + caller + " GET /a HTTP/1.1", ""},
		{"a socket of another", caller, get, own("192.0.2.8:4711", "192.0.2.1:3128"), "in http " + caller + " GET /a HTTP/1.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, Limits{HeaderTimeout: headerTimeout}, tt.with)
				if got, dropped := h.ask(tt.from, tt.raw), h.drops(); got != tt.want || dropped != tt.dropped {
					t.Errorf("got %q, dropped %q; want %q, %q", got, dropped, tt.want, tt.dropped)
				}
			})
		})
	}
}

// A caller that says nothing is waited for, a refused one not for long.
func TestSilentCallers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		lim     Limits
		raw     string
		with    func(*setup)
		after   time.Duration
		want    string
		dropped string
	}{
		{"admitted", Limits{HeaderTimeout: headerTimeout}, "", func(*setup) {}, headerTimeout, "", ""},
		{"admitted, one byte", Limits{HeaderTimeout: headerTimeout}, "\x80", func(*setup) {}, headerTimeout, "", ""},
		{"over the limit, one byte", Limits{ConnectionsPerClient: 1, HeaderTimeout: headerTimeout}, "\x80", func(*setup) {}, maxRejectTimeout, "limit silent", ""},
		{"over the limit", Limits{ConnectionsPerClient: 1, HeaderTimeout: headerTimeout}, "", func(*setup) {}, maxRejectTimeout, "limit silent", ""},
		{"barred", Limits{HeaderTimeout: headerTimeout}, "", func(o *setup) { o.Allow = prefixes("10.0.0.0/8") }, maxRejectTimeout, "", "acl"},
		{"no header", Limits{HeaderTimeout: headerTimeout}, "", func(o *setup) { o.ProxyProtocolFrom = prefixes("0.0.0.0/0") }, headerTimeout, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, tt.lim, tt.with)
				h.hold("192.0.2.7:1")
				start := time.Now()
				far := h.dial("192.0.2.7:2")
				_, _ = io.WriteString(far, tt.raw)
				got, err := io.ReadAll(far)
				if how := strings.TrimSuffix(string(got), " 192.0.2.7:2 "); how != tt.want || err != nil {
					t.Errorf("got %q, %v, want %q", got, err, tt.want)
				}
				far.Close()
				if dropped := h.drops(); time.Since(start) != tt.after || h.shared.Open() != 1 || dropped != tt.dropped {
					t.Errorf("after %v: %d open, dropped %q; want 1, %q after %v", time.Since(start), h.shared.Open(), dropped, tt.dropped, tt.after)
				}
			})
		})
	}
	t.Run("without a limit", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, Limits{})
			h.dial(caller)
			time.Sleep(24 * time.Hour)
			if h.shared.Open() != 1 {
				t.Error("closed")
			}
		})
	})
}

// A redirected caller that says nothing for a second is the handler's: its server
// may speak first.
func TestSilentRedirectedCallers(t *testing.T) {
	t.Parallel()
	const at, headerTimeout = "198.51.100.9:443", 10 * time.Second
	redirected := func(o *setup) {
		o.Listener = &call.Listener{Accept: call.Ways(call.Transparent)}
		o.OriginalDst = func(net.Conn) netip.AddrPort { return netip.MustParseAddrPort(at) }
	}
	own := func(o *setup) {
		redirected(o)
		o.OwnSocket = func(_, local netip.AddrPort) bool { return local.String() == at }
	}
	for _, tt := range []struct {
		name  string
		lim   time.Duration
		with  []func(*setup)
		raw   string
		want  string
		after time.Duration
	}{
		{"silent", headerTimeout, []func(*setup){redirected}, "", "in silent " + caller + " ", time.Second},
		{"silent, without a limit", 0, []func(*setup){redirected}, "", "in silent " + caller + " ", time.Second},
		{"silent, with a short limit", time.Second / 2, []func(*setup){redirected}, "", "", time.Second / 2},
		{"speaks", headerTimeout, []func(*setup){redirected}, clientHello, "in tls " + caller + " ", 0},
		{"one byte", headerTimeout, []func(*setup){redirected}, "\x80", "", headerTimeout},
		{"barred", headerTimeout, []func(*setup){redirected, func(o *setup) { o.Allow = prefixes("10.0.0.0/8") }}, "", "", maxRejectTimeout},
		{"our own", headerTimeout, []func(*setup){own}, "", "loop silent " + caller + " ", time.Second + maxRejectTimeout},
		{"not redirected", headerTimeout, nil, "", "", headerTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, Limits{HeaderTimeout: tt.lim}, tt.with...)
				start := time.Now()
				far := h.dial(caller)
				_, _ = io.WriteString(far, tt.raw)
				if got, err := io.ReadAll(far); string(got) != tt.want || err != nil || time.Since(start) != tt.after {
					t.Errorf("got %q, %v after %v; want %q after %v", got, err, time.Since(start), tt.want, tt.after)
				}
			})
		})
	}
	t.Run("draining", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			h := serve(t, Limits{HeaderTimeout: headerTimeout}, redirected)
			start := time.Now()
			far := h.dial(caller)
			synctest.Wait()
			h.shared.Drain()
			if got, _ := io.ReadAll(far); len(got) > 0 || time.Since(start) >= time.Second {
				t.Errorf("got %q after %v", got, time.Since(start))
			}
		})
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lim  Limits
		held []string // connections that are open already
		from string
		want string
	}{
		{"none", Limits{}, []string{"192.0.2.7:1", "192.0.2.7:2"}, caller, "in"},
		{"below the total", Limits{Connections: 3}, []string{"192.0.2.7:1", "192.0.2.7:2"}, caller, "in"},
		{"at its share of few places", Limits{Connections: 8}, from(4, "192.0.2.7", 3, "192.0.2.8"), caller, "limit"},
		{"over its share of few places", Limits{Connections: 16}, from(10, "192.0.2.7", 4, "192.0.2.8"), caller, "limit"},
		{"below its share of few places", Limits{Connections: 16}, from(6, "192.0.2.7", 8, "192.0.2.8"), caller, "in"},
		{"the first of few places", Limits{Connections: 8}, from(7, "192.0.2.8"), caller, "in"},
		{"alone, of few places", Limits{Connections: 8}, from(7, "192.0.2.7"), caller, "limit"},
		{"of many places", Limits{Connections: 8}, from(6, "192.0.2.7"), caller, "in"},
		{"below its share", Limits{ConnectionsPerClient: 2}, []string{"192.0.2.7:1", "192.0.2.8:1"}, caller, "in"},
		{"at its share", Limits{ConnectionsPerClient: 2}, []string{"192.0.2.7:1", "192.0.2.7:2"}, caller, "limit"},
		{"mapped", Limits{ConnectionsPerClient: 1}, []string{"[::ffff:192.0.2.7]:1"}, caller, "limit"},
		{"another's share", Limits{ConnectionsPerClient: 1}, []string{"192.0.2.6:1", "192.0.2.8:1"}, caller, "in"},
		{"the same /64", Limits{ConnectionsPerClient: 1}, []string{"[2001:db8:0:1::1]:1"}, "[2001:db8:0:1:ffff::2]:1", "limit"},
		{"another /64", Limits{ConnectionsPerClient: 1}, []string{"[2001:db8:0:1::1]:1"}, "[2001:db8:0:2::1]:1", "in"},
		{"refused ones are no share", Limits{ConnectionsPerClient: 1}, []string{"192.0.2.8:1", "192.0.2.8:2", "192.0.2.8:3"}, caller, "in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, tt.lim)
				var last *end
				for _, from := range tt.held {
					last = h.hold(from)
				}
				ask := func() string { how, _, _ := strings.Cut(h.ask(tt.from, get), " "); return how }
				if got := ask(); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				h.shared.SetLimits(Limits{Connections: 100, ConnectionsPerClient: 100})
				if got := ask(); got != "in" {
					t.Errorf("with higher limits: %q", got)
				}
				h.shared.SetLimits(tt.lim)
				last.Close()
				synctest.Wait()
				if got := ask(); got != "in" {
					t.Errorf("after one left: %q", got)
				}
			})
		})
	}
}

// from are connections of clients: how many, and of which.
func from(of ...any) (held []string) {
	for i := 0; i < len(of); i += 2 {
		for n := range of[i].(int) {
			held = append(held, fmt.Sprintf("%s:%d", of[i+1], 1000+n))
		}
	}
	return held
}

// At the limit accepting stops: a caller waits until another leaves, the limit
// is raised, or accepting ends.
func TestAcceptingStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		makeRoom func(h *harness, first *end)
		want     string
	}{
		"one leaves":        {func(_ *harness, first *end) { first.Close() }, "in http"},
		"a higher limit":    {func(h *harness, _ *end) { h.shared.SetLimits(Limits{Connections: 3}) }, "in http"},
		"no limit":          {func(h *harness, _ *end) { h.shared.SetLimits(Limits{}) }, "in http"},
		"accepting is over": {func(h *harness, _ *end) { h.stop() }, "limit http"}, // it is told, not dropped
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := serve(t, Limits{Connections: 2})
				first := h.hold(caller)
				h.hold(caller)
				answer := make(chan string, 1)
				go func() { answer <- h.ask(caller, get) }() // accepted, and not let in
				synctest.Wait()
				select {
				case h.conns <- nil:
					t.Error("one more was accepted")
				case got := <-answer:
					t.Errorf("answered %q", got)
				case <-time.After(time.Hour):
				}
				if open := h.shared.Open(); open != 2 {
					t.Errorf("%d open", open)
				}
				c.makeRoom(h, first)
				if got := <-answer; !strings.HasPrefix(got, c.want) {
					t.Errorf("then %q", got)
				}
			})
		})
	}
}

// A silent caller that is refused is told so the sooner the fewer places are
// left.
func TestHurry(t *testing.T) {
	t.Parallel()
	s := NewShared(Limits{Connections: 80}, func(call.Handling, int) {})
	for n := range 81 {
		want := maxRejectTimeout
		if n > 70 {
			want = max(minRejectTimeout, maxRejectTimeout*time.Duration(80-n)/10)
		}
		if got := s.rejectTimeout(); got != want {
			t.Errorf("%d open: %v, want %v", n, got, want)
		}
		near, _ := pipes(caller)
		s.enter(t.Context(), &Conn{Conn: near, shared: s})
		if n == 79 {
			s.SetLimits(Limits{Connections: 80})
			break
		}
	}
	s.SetLimits(Limits{})
	if got := s.rejectTimeout(); got != maxRejectTimeout {
		t.Errorf("without a limit: %v", got)
	}
}

// Without an answer there is nothing to linger for: a connection that is
// dropped, or on which too little was said in time, does not cost its socket
// for longer.
func TestDroppedConnectionsDoNotLinger(t *testing.T) {
	t.Parallel()
	g := newGauge()
	a := &acceptor{Options: Options{Shared: NewShared(Limits{}, g.add)}}
	near, far := sockets(t)
	c := accepted(near, a.Shared)
	if _, err := io.WriteString(far, get); err != nil {
		t.Fatal(err)
	}
	a.drop(c, problem.Limit)
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the caller sees %v, want a reset", err)
	}
	empty(t, a.Shared, g)
}

// script is a listener that returns its results one by one, then waits for its
// end.
type script struct {
	results []any // net.Conn or error
	closed  chan struct{}
	once    sync.Once
}

func newScript(results ...any) *script { return &script{results: results, closed: make(chan struct{})} }

func (s *script) Accept() (net.Conn, error) {
	if len(s.results) == 0 {
		<-s.closed
		return nil, net.ErrClosed
	}
	next := s.results[0]
	s.results = s.results[1:]
	if err, ok := next.(error); ok {
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return next.(net.Conn), nil
}

func (s *script) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }
func (s *script) Addr() net.Addr { return &net.TCPAddr{} }

// A shortage delays accepting, more each time it lasts, and ends nothing.
func TestAcceptFailures(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := []struct {
		name   string
		errs   []any
		err    error
		pauses time.Duration
		warned int
	}{
		{"shortages", []any{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, broken}, broken, 35 * time.Millisecond, 3},
		{"a caller that left", []any{syscall.ECONNABORTED, broken}, broken, 5 * time.Millisecond, 1},
		{"a long shortage", append(slices.Repeat([]any{syscall.ENOMEM}, 12), broken), broken, (5*255 + 4*1000) * time.Millisecond, 12},
		{"closed by another", []any{net.ErrClosed}, net.ErrClosed, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				ln, start := newScript(tt.errs...), time.Now()
				err := Serve(t.Context(), ln, Options{
					Shared: NewShared(Limits{}, newGauge().add), Rules: fixed(Rules{Listener: &call.Listener{}}), Logger: zap.New(core),
				})
				if !errors.Is(err, tt.err) || time.Since(start) != tt.pauses || logs.Len() != tt.warned {
					t.Errorf("%v after %v, %d warnings; want %v after %v, %d", err, time.Since(start), logs.Len(), tt.err, tt.pauses, tt.warned)
				}
				<-ln.closed
			})
		})
	}
}

// Callers are served after a shortage, and the next one begins with a short
// pause again.
func TestAcceptAfterShortage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := pipes(caller)
		g := newGauge()
		opt := Options{Shared: NewShared(Limits{}, g.add), Rules: fixed(Rules{Listener: &call.Listener{}}), Logger: zap.NewNop(), Handler: &harness{handle: respond}}
		served, broken, start := make(chan error), errors.New("broken"), time.Now()
		go func() { served <- Serve(t.Context(), newScript(syscall.EMFILE, near, syscall.EMFILE, broken), opt) }()
		_, _ = io.WriteString(far, clientHello)
		if got, err := io.ReadAll(far); string(got) != "in tls "+caller+" " || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		far.Close()
		if err := <-served; !errors.Is(err, broken) || time.Since(start) != 2*minBackOff {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		empty(t, opt.Shared, g)
	})
}

// The end of its context ends a pause too.
func TestServeEndsInAShortage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const after = 6500 * time.Millisecond
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		ln, start := newScript(slices.Repeat([]any{syscall.EMFILE}, 20)...), time.Now()
		err := Serve(ctx, ln, Options{Shared: NewShared(Limits{}, newGauge().add), Rules: fixed(Rules{Listener: &call.Listener{}}), Logger: zap.NewNop()})
		if err != nil || time.Since(start) != after {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		select {
		case <-ln.closed:
		default:
			t.Error("the listener is open")
		}
	})
}

// Serve returns only when its connections were served, and accepts no more
// meanwhile.
func TestServeWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, h := newGauge(), &harness{handle: respond}
		opt := Options{Shared: NewShared(Limits{}, g.add), Rules: fixed(Rules{Listener: &call.Listener{}}), Logger: zap.NewNop(), Handler: h}
		near, far := pipes(caller)
		ln, returned := newScript(near), false
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if err := Serve(ctx, ln, opt); err != nil {
				t.Error(err)
			}
			returned = true
		}()
		_, _ = io.WriteString(far, "GET /a")
		cancel()
		synctest.Wait()
		<-ln.closed
		if returned {
			t.Error("Serve returned before its connection was served")
		}
		_, _ = io.WriteString(far, "\n")
		if got, err := io.ReadAll(far); string(got) != "in http "+caller+" GET /a" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if !returned {
			t.Error("Serve goes on")
		}
		empty(t, opt.Shared, g)
	})
}
