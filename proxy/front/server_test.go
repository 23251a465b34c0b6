package front

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// queue is a listener fed with Conns: what package proxy serves them from.
type queue struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newQueue() *queue { return &queue{conns: make(chan net.Conn), done: make(chan struct{})} }

func (q *queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

func (q *queue) Close() error   { q.once.Do(func() { close(q.done) }); return nil }
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

func (q *queue) put(c net.Conn) {
	select {
	case q.conns <- c:
	case <-q.done:
		_ = c.Close()
	}
}

type connKey struct{}

// connOf is the Conn that a request came through.
func connOf(r *http.Request) *Conn { return r.Context().Value(connKey{}).(*Conn) }

// newServer is an http.Server set up as package proxy does it. A refused
// request is answered before the handler, naming reason and detail.
func newServer(h http.HandlerFunc) *http.Server {
	srv := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Front", "yes")
			if ref := connOf(r).Refusal(); ref != nil {
				w.Header().Set("Reason", ref.Reason.String())
				w.WriteHeader(ref.Status)
				_, _ = io.WriteString(w, ref.Detail)
				return
			}
			h(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	Configure(srv)
	return srv
}

// house is a listener, the acceptor and the server behind it.
type house struct {
	t      testing.TB
	addr   string
	shared *Shared
	queue  *queue
	server *http.Server
	tls    func(*Conn, Kind)

	mu      sync.Mutex
	refused []problem.Reason
	dropped []problem.Reason
}

func (h *house) HTTP(c *Conn)           { h.queue.put(c) }
func (h *house) TLS(c *Conn, kind Kind) { h.tls(c, kind) }

func (h *house) Refused(c *Conn, reason problem.Reason) {
	h.mu.Lock()
	h.refused = append(h.refused, reason)
	h.mu.Unlock()
	h.queue.put(c)
}

func (h *house) RefusedTLS(c *Conn, refusal Refusal) {
	h.mu.Lock()
	h.refused = append(h.refused, refusal.Reason)
	h.mu.Unlock()
	_ = c.Close()
}

// open starts a house on a loopback port; it is torn down with the test.
func open(t testing.TB, lim Limits, handler http.HandlerFunc, with ...func(*Options)) *house {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		t: t, addr: ln.Addr().String(), shared: NewShared(lim), queue: newQueue(), server: newServer(handler),
		tls: func(c *Conn, _ Kind) { _ = c.Close() },
	}
	opt := Options{
		Shared: h.shared, Listener: &call.Listener{Address: h.addr, Loopback: true}, Handler: h,
		Logger: zaptest.NewLogger(t, zaptest.Level(zapError)),
		Dropped: func(_ *call.Conn, r problem.Reason) {
			h.mu.Lock()
			h.dropped = append(h.dropped, r)
			h.mu.Unlock()
		},
	}
	for _, f := range with {
		f(&opt)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := Serve(ctx, ln, opt); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	running.Go(func() {
		if err := h.server.Serve(h.queue); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("http.Server.Serve: %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		h.shared.CloseAll()
		_ = h.server.Close()
		running.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if left := h.shared.Wait(ctx); left != 0 {
			t.Errorf("%d connections left open", left)
		}
	})
	return h
}

// dial connects to the house.
func (h *house) dial() *net.TCPConn {
	h.t.Helper()
	nc, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		h.t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

// send writes raw bytes.
func send(t testing.TB, nc net.Conn, raw string) {
	t.Helper()
	if _, err := io.WriteString(nc, raw); err != nil {
		t.Fatal(err)
	}
}

// until polls for something that another process (the kernel) does.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: it did not happen", what)
		}
	}
}

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// memory is the live heap and the stacks.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
