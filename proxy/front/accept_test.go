package front

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"tlslift/proxy/call"
)

const get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

// ask sends raw on a new connection and returns the status and reason of the
// answer; "" and 0 when the connection closes without one.
func (h *house) ask(raw string) (status int, reason string) {
	nc := h.dial()
	defer nc.Close()
	_, _ = io.WriteString(nc, raw)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return 0, ""
	}
	_ = resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Reason")
}

func TestWhoMayConnect(t *testing.T) {
	t.Parallel()
	const clientHello = "\x16\x03\x01\x00\x05hello"
	strangers := func(o *Options) { o.Allow = prefixes("10.0.0.0/8") }
	ours := func(o *Options) {
		o.OwnSocket = func(peer, local netip.AddrPort) bool { return peer.Addr().Is4() && local.Addr().IsLoopback() }
	}
	barred := func(w http.ResponseWriter, r *http.Request) {
		if c := connOf(r); c.Refusal() == nil && c.Arrival().Barred {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		hello(w, r)
	}
	tests := []struct {
		name, raw string
		with      func(*Options)
		status    int // 418 = let in, and known as barred
		reason    string
		refused   int
	}{
		{"everybody", get, func(*Options) {}, 200, "", 0},
		{"on the list", get, func(o *Options) { o.Allow = prefixes("10.0.0.0/8", "127.0.0.0/8") }, 200, "", 0},
		{"not on the list", get, strangers, 418, "", 0},
		{"malformed and not on the list", "nonsense\r\n\r\n", strangers, 400, "malformed", 0},
		{"our own socket", get, ours, 508, "loop", 1},
		{"our own socket, not HTTP", clientHello, ours, 0, "", 1},
		{"somebody else's", get, func(o *Options) { o.OwnSocket = func(_, _ netip.AddrPort) bool { return false } }, 200, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, testLimits(), barred, tt.with)
			status, reason := h.ask(tt.raw)
			if status != tt.status || reason != tt.reason {
				t.Errorf("got %d %q, want %d %q", status, reason, tt.status, tt.reason)
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			if len(h.dropped) > 0 || len(h.refused) != tt.refused {
				t.Errorf("refused %v, dropped %v", h.refused, h.dropped)
			}
		})
	}
}

func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	const v2 = "\r\n\r\n\x00\r\nQUIT\n"
	trusted := func(o *Options) { o.ProxyProtocolFrom = prefixes("127.0.0.1/32") }
	tests := []struct {
		name, raw string
		with      func(*Options)
		status    int
		client    string
	}{
		{"version 1", "PROXY TCP4 192.0.2.7 10.0.0.2 4711 80\r\n" + get, trusted, 200, "192.0.2.7:4711"},
		{"version 1, IPv6", "PROXY TCP6 2001:db8::7 ::1 4711 80\r\n" + get, trusted, 200, "[2001:db8::7]:4711"},
		{"version 1, mapped", "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:10.0.0.1 4711 80\r\n" + get, trusted, 200, "192.0.2.7:4711"},
		{"version 1, unknown", "PROXY UNKNOWN\r\n" + get, trusted, 200, "127.0.0.1"},
		{"version 2", v2 + "\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x02\x12\x67\x00\x50" + get, trusted, 200, "192.0.2.7:4711"},
		{"version 2, extras", v2 + "\x21\x11\x00\x0f\xc0\x00\x02\x07\x0a\x00\x00\x02\x12\x67\x00\x50\x04\x00\x00" + get, trusted, 200, "192.0.2.7:4711"},
		{"version 2, LOCAL", v2 + "\x20\x00\x00\x00" + get, trusted, 200, "127.0.0.1"},
		{"missing", get, trusted, 400, ""},
		{"broken", "PROXY TCP4 nonsense\r\n" + get, trusted, 400, ""},
		{"from anybody", "PROXY TCP4 192.0.2.7 10.0.0.2 4711 80\r\n" + get, func(*Options) {}, 400, ""},
		{"version 2 from anybody", v2 + "\x20\x00\x00\x00" + get, func(*Options) {}, 400, ""},
		{"the list is about the caller", "PROXY TCP4 192.0.2.7 10.0.0.2 4711 80\r\n" + get, func(o *Options) {
			trusted(o)
			o.Allow = prefixes("127.0.0.0/8")
		}, 403, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
				if connOf(r).Arrival().Barred {
					w.WriteHeader(http.StatusForbidden)
				}
				_, _ = io.WriteString(w, connOf(r).Arrival().Client.String()+" "+r.RemoteAddr)
			}, tt.with)
			for _, size := range []int{len(tt.raw), 3} {
				nc := h.dial()
				for _, s := range split(tt.raw, size) {
					if _, err := io.WriteString(nc, s); err != nil {
						break
					}
				}
				resp, body := answer(t, bufio.NewReader(nc))
				if resp.StatusCode != tt.status {
					t.Fatalf("got %d %q, want %d", resp.StatusCode, body, tt.status)
				}
				client, remote, _ := strings.Cut(body, " ")
				if tt.status == 200 && (!strings.HasPrefix(client, tt.client) || client != remote) {
					t.Errorf("client %s, RemoteAddr %s, want %s", client, remote, tt.client)
				}
			}
		})
	}
}

// A load balancer that only connects to see whether somebody is there is no
// refused caller.
func TestProxyProtocolProbe(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), hello, func(o *Options) { o.ProxyProtocolFrom = prefixes("127.0.0.1/32") })
	nc := h.dial()
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(nc); len(got) > 0 || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.dropped)+len(h.refused) > 0 {
		t.Errorf("refused %v, dropped %v", h.refused, h.dropped)
	}
}

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for _, per := range []bool{false, true} {
		lim := testLimits()
		lim.Connections, lim.ConnectionsPerClient = 3, 1000
		if per {
			lim.Connections, lim.ConnectionsPerClient = 1000, 3
		}
		h := open(t, lim, hello)
		var first *net.TCPConn
		for range 3 {
			nc := h.dial()
			send(t, nc, get)
			if resp, _ := answer(t, bufio.NewReader(nc)); resp.StatusCode != 200 {
				t.Fatalf("per client %v: got %d within the limit", per, resp.StatusCode)
			}
			first = nc
		}
		if status, reason := h.ask(get); status != 503 || reason != "limit" {
			t.Errorf("per client %v: got %d %q over the limit", per, status, reason)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		until(t, "room for one more", func() bool { return h.shared.Open() < 3 })
		if status, _ := h.ask(get); status != 200 {
			t.Errorf("per client %v: got %d after one left", per, status)
		}
	}
}

// Beyond a bounded number, callers over a limit are closed without a word.
func TestRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	lim := testLimits()
	lim.Connections = 1
	h := open(t, lim, hello)
	first := h.dial()
	send(t, first, get)
	answer(t, bufio.NewReader(first))
	for range maxRefusing {
		h.dial() // silent, so that it is waited for
	}
	until(t, "the refusals", func() bool {
		h.shared.mu.Lock()
		defer h.shared.mu.Unlock()
		return h.shared.refusing == maxRefusing
	})
	if status, _ := h.ask(get); status != 0 {
		t.Errorf("got %d beyond the bound", status)
	}
	until(t, "the end of the silent ones", func() bool { return h.shared.Open() == 1 })
}

func TestClientKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::", "2001:db8:1:2::9": "2001:db8:1:2::", "fe80::1%eth0": "fe80::",
	} {
		if got := clientKey(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if clientKey(netip.Addr{}).IsValid() {
		t.Error("an unknown address has a key")
	}
}

func TestArrival(t *testing.T) {
	t.Parallel()
	got := make(chan *call.Conn, 1)
	h := open(t, testLimits(), func(_ http.ResponseWriter, r *http.Request) { got <- connOf(r).Arrival() },
		func(o *Options) {
			o.Listener = &call.Listener{Address: "x", Transparent: true}
			o.OriginalDst = func(net.Conn) netip.AddrPort { return netip.MustParseAddrPort("[::ffff:192.0.2.9]:80") }
		})
	nc := h.dial()
	send(t, nc, get)
	a := <-got
	if a.Client != addrPort(nc.LocalAddr()) || a.Peer != a.Client || a.Local.String() != h.addr ||
		a.OriginalDst.String() != "192.0.2.9:80" || a.Listener.Address != "x" || a.Accepted.IsZero() {
		t.Errorf("arrival: %+v", a)
	}
}

func TestSniff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		kind Kind
	}{
		{"", KindEOF},
		{"\x16", KindTLS},
		{"\x80\x2e\x01\x03\x01", KindSSLv2},
		{"\x80\x2e\x02", KindHTTP},
		{"\x80", KindHTTP},
		{"GET", KindHTTP},
		{"\r\n", KindHTTP},
		{"\x00", KindHTTP},
	}
	for _, tt := range tests {
		for _, size := range []int{100, 1} {
			c := NewConn(&scriptConn{segments: split(tt.raw, size), end: io.EOF}, nil, NewShared(testLimits()))
			if kind, err := Sniff(c, time.Time{}); kind != tt.kind || err != nil {
				t.Errorf("%q: %v, %v", tt.raw, kind, err)
			}
			if got, _ := io.ReadAll(c.HandOver()); string(got) != tt.raw {
				t.Errorf("%q: handed over %q", tt.raw, got)
			}
		}
	}
}

func TestSniffTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer client.Close()
		c := NewConn(server, nil, NewShared(testLimits()))
		defer c.Close()
		start := time.Now()
		if _, err := Sniff(c, start.Add(3*time.Second)); !isTimeout(err) || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		go func() { _, _ = io.WriteString(client, "\x80") }()
		if _, err := Sniff(c, time.Now().Add(3*time.Second)); !isTimeout(err) || time.Since(start) != 6*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// shortListener runs out of descriptors a few times, then fails for good.
type shortListener struct {
	net.Listener
	errs []error
}

func (l *shortListener) Accept() (net.Conn, error) {
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Err: err}
}

func (l *shortListener) Close() error { return nil }

func TestAcceptBacksOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		opt := Options{
			Shared: NewShared(testLimits()), Listener: &call.Listener{Address: "x"},
			Logger: zaptest.NewLogger(t, zaptest.Level(zapError)),
		}
		start := time.Now()
		ln := &shortListener{errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED, broken}}
		if err := Serve(t.Context(), ln, opt); !errors.Is(err, broken) {
			t.Errorf("Serve: %v", err)
		}
		if got := time.Since(start); got != 35*time.Millisecond {
			t.Errorf("paused %v, want 5+10+20 ms", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Serve(ctx, &shortListener{errs: []error{syscall.EMFILE, net.ErrClosed}}, opt); err != nil {
			t.Errorf("Serve after its context's end: %v", err)
		}
	})
}

// Callers that send a byte now and then cost a socket and little else, and
// are gone when their time is over.
func TestSlowCallersAreBounded(t *testing.T) {
	const callers = 500
	ignore := goleak.IgnoreCurrent()
	lim := testLimits()
	lim.HeaderTimeout = 700 * time.Millisecond
	t.Run("house", func(t *testing.T) {
		h := open(t, lim, hello)
		before := memory()
		conns := make([]*net.TCPConn, callers)
		for i := range conns {
			conns[i] = h.dial()
			send(t, conns[i], "GET /a HTTP/1.1\r\n")
		}
		until(t, "everybody's arrival", func() bool { return h.shared.Open() == callers })
		if each := (int64(memory()) - int64(before)) / callers; each > 40<<10 {
			t.Errorf("a slow caller costs %d bytes", each)
		}
		if status, _ := h.ask(get); status != 200 {
			t.Errorf("a fast caller among slow ones gets %d", status)
		}
		var group sync.WaitGroup
		for _, nc := range conns {
			group.Go(func() {
				got, err := io.ReadAll(nc)
				if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 408 ") {
					t.Errorf("slow caller gets %q, %v", got, err)
				}
			})
		}
		group.Wait()
		until(t, "the end", func() bool { return h.shared.Open() == 0 })
	})
	goleak.VerifyNone(t, ignore)
}

// Under load, a drain loses nothing: every request that was sent is answered,
// and the caller is told when its connection ends.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	var h *house
	h = open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		if h.shared.Draining() {
			w.Header().Set("Connection", "close")
		}
		hello(w, r)
	})
	var group sync.WaitGroup
	counts := make([]int, 20)
	for i := range counts {
		nc := h.dial()
		group.Go(func() {
			br := bufio.NewReader(nc)
			for {
				if _, err := io.WriteString(nc, get); err != nil {
					t.Errorf("request %d: %v", counts[i], err)
					return
				}
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					t.Errorf("answer %d: %v", counts[i], err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				counts[i]++
				if resp.Close {
					return
				}
				if counts[i] == 20 && i == 0 {
					h.shared.Drain(2 * time.Second)
				}
			}
		})
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if left := h.shared.Wait(ctx); left != 0 {
		t.Errorf("%d connections left", left)
	}
	if slices.Min(counts) == 0 {
		t.Errorf("somebody was never answered: %v", counts)
	}
}
