package front

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	get         = "GET /a HTTP/1.1\r\n"
	clientHello = "\x16\x03\x01\x00\x05hello"
	caller      = "192.0.2.7:4711"

	headerTimeout = 10 * time.Second
)

// end is one end of a connection in memory. It has addresses, and can be
// half-closed as TCP connections can.
type end struct {
	net.Conn               // read from
	out           net.Conn // written to
	local, remote net.Addr
}

// pipes returns the two ends of a connection from an address.
func pipes(from string) (near, far *end) {
	nearIn, farOut := net.Pipe()
	farIn, nearOut := net.Pipe()
	remote := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3128}
	return &end{nearIn, nearOut, local, remote}, &end{farIn, farOut, remote, local}
}

func (e *end) Write(p []byte) (int, error)        { return e.out.Write(p) }
func (e *end) CloseWrite() error                  { return e.out.Close() }
func (e *end) LocalAddr() net.Addr                { return e.local }
func (e *end) RemoteAddr() net.Addr               { return e.remote }
func (e *end) SetWriteDeadline(t time.Time) error { return e.out.SetWriteDeadline(t) }

// SetReadDeadline succeeds after the other end's FIN, as that of a socket does.
func (e *end) SetReadDeadline(t time.Time) error {
	_ = e.Conn.SetReadDeadline(t)
	return nil
}

func (e *end) Close() error {
	_ = e.out.Close()
	return e.Conn.Close()
}

func (e *end) SetDeadline(t time.Time) error {
	_ = e.out.SetWriteDeadline(t)
	return e.Conn.SetReadDeadline(t)
}

// accepted returns a connection that is counted as accepted.
func accepted(nc net.Conn, s *Shared) *Conn {
	return newConn(context.Background(), nc, s, new(atomic.Bool))
}

// gauge counts connections by how they are handled.
type gauge struct {
	mu sync.Mutex
	of map[call.Handling]int
}

func newGauge() *gauge { return &gauge{of: make(map[call.Handling]int)} }

func (g *gauge) add(h call.Handling, delta int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of[h] += delta; g.of[h] == 0 {
		delete(g.of, h)
	}
}

func (g *gauge) snapshot() map[call.Handling]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.of)
}

// empty checks that no connection is counted anywhere.
func empty(t *testing.T, s *Shared, g *gauge) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) > 0 || len(s.clients) > 0 {
		t.Errorf("left: %d connections, clients %v", len(s.conns), s.clients)
	}
	if of := g.snapshot(); len(of) > 0 {
		t.Errorf("left in the gauge: %v", of)
	}
}

// setup are a test's options and rules.
type setup struct {
	Options
	Rules
}

// fixed are rules that stay.
func fixed(r Rules) func() Rules { return func() Rules { return r } }

// harness is a front that accepts connections in memory, in a synctest bubble.
// Its handler is respond unless the test sets another.
type harness struct {
	t      *testing.T
	shared *Shared
	gauge  *gauge
	handle func(c *Conn, kind Kind, refusal *Refusal)

	stop   func()        // ends accepting
	conns  chan net.Conn // to be accepted
	closed chan struct{}
	once   sync.Once

	mu      sync.Mutex
	dropped []problem.Reason
}

func (h *harness) Accept() (net.Conn, error) {
	select {
	case nc := <-h.conns:
		return nc, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *harness) Close() error   { h.once.Do(func() { close(h.closed) }); return nil }
func (h *harness) Addr() net.Addr { return &net.TCPAddr{} }

func (h *harness) ServeConn(c *Conn, kind Kind, refusal *Refusal) { h.handle(c, kind, refusal) }

// respond answers with how the connection was let in, what it speaks, who is
// calling and the first line.
func respond(c *Conn, kind Kind, refusal *Refusal) {
	defer c.Close()
	how := "in"
	switch {
	case refusal != nil:
		how = refusal.Reason.String()
	case c.Facts().Denied:
		how = "barred"
	}
	if (c.RejectTimeout() > 0) != (how != "in") {
		how += ", hurry: " + c.RejectTimeout().String()
	}
	line := ""
	if kind == KindHTTP {
		line, _ = bufio.NewReader(c).ReadString('\n')
	}
	fmt.Fprintf(c, "%s %v %s %s", how, kind, c.Facts().ClientText, strings.TrimSpace(line))
}

// serve accepts connections until the end of the test, after which none may be
// left.
func serve(t *testing.T, lim Limits, with ...func(*setup)) *harness {
	t.Helper()
	h := &harness{t: t, gauge: newGauge(), handle: respond, conns: make(chan net.Conn), closed: make(chan struct{})}
	h.shared = NewShared(lim, h.gauge.add)
	opt := setup{Rules: Rules{Listener: &call.Listener{Address: "x"}}, Options: Options{
		Shared: h.shared, Handler: h, Logger: zap.NewNop(),
		Dropped: func(_ *call.Conn, r problem.Reason) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.dropped = append(h.dropped, r)
		},
	}}
	opt.Options.Rules = func() Rules { return opt.Rules }
	for _, f := range with {
		f(&opt)
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	served := make(chan error)
	go func() { served <- Serve(ctx, h, opt.Options) }()
	t.Cleanup(func() {
		cancel()
		h.shared.CloseAll()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		empty(t, h.shared, h.gauge)
	})
	return h
}

// dial connects from an address.
func (h *harness) dial(from string) *end {
	near, far := pipes(from)
	h.conns <- near
	h.t.Cleanup(func() { far.Close() })
	return far
}

// hold connects and sends the beginning of a line, which occupies respond until
// the connection ends.
func (h *harness) hold(from string) *end {
	far := h.dial(from)
	_, _ = io.WriteString(far, "G")
	synctest.Wait()
	return far
}

// ask sends segments from an address, ends its side, and returns all that is
// answered.
func (h *harness) ask(from string, segments ...string) string {
	far := h.dial(from)
	defer far.Close()
	go func() {
		for _, s := range segments {
			if _, err := io.WriteString(far, s); err != nil {
				return
			}
		}
		_ = far.CloseWrite()
	}()
	got, _ := io.ReadAll(far)
	return string(got)
}

// drops returns the reasons of the connections that were dropped since it was
// last called, as text.
func (h *harness) drops() string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.dropped = nil }()
	return strings.Trim(fmt.Sprintf("%v", h.dropped), "[]")
}

// split cuts s into segments of n bytes.
func split(s string, n int) (segments []string) {
	for len(s) > n {
		segments = append(segments, s[:n])
		s = s[n:]
	}
	return append(segments, s)
}

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// String returns the name of a kind, for comparisons in tests.
func (k Kind) String() string {
	return [...]string{KindHTTP: "http", KindTLS: "tls", KindSSLv2: "sslv2", KindEOF: "eof", KindSilent: "silent"}[k]
}
