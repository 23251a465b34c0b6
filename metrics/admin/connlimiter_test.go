package admin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

// visitor is a connection from an address.
type visitor struct {
	net.Conn
	from string
}

func (v visitor) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(v.from))
}

func TestWhoHasToGo(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		guests []string // address and state, in the order in which they came
		want   int      // the place of the one that goes for a newcomer; -1 = none
	}{
		"there is room":                 {[]string{"10.0.0.1:1 idle", "10.0.0.1:2 idle"}, -1},
		"the oldest idle one":           {[]string{"10.0.0.1:1 active", "10.0.0.1:2 idle", "10.0.0.1:3 idle"}, 1},
		"of the greediest":              {[]string{"10.0.0.2:1 idle", "10.0.0.1:2 active", "10.0.0.1:3 new"}, 2},
		"else one that has not asked":   {[]string{"10.0.0.1:1 active", "10.0.0.1:2 new", "10.0.0.1:3 active"}, 1},
		"else the one answered longest": {[]string{"10.0.0.1:1 active", "10.0.0.1:2 active", "10.0.0.1:3 active"}, 0},
		"a /64 is one peer":             {[]string{"10.0.0.2:1 idle", "[2001:db8::1]:1 active", "[2001:db8::2]:1 idle"}, 2},
		"a mapped address is IPv4":      {[]string{"10.0.0.2:1 idle", "[::ffff:10.0.0.1]:1 active", "10.0.0.1:1 idle"}, 2},
	} {
		c := newConnLimiter(nil, 3)
		var conns []net.Conn
		states := map[string]http.ConnState{"new": http.StateNew, "active": http.StateActive, "idle": http.StateIdle}
		for _, g := range tt.guests {
			address, state, _ := strings.Cut(g, " ")
			conn := &visitor{from: address}
			c.admit(conn)
			c.changed(conn, states[state])
			conns = append(conns, conn)
		}
		got := -1
		victim := c.admit(&visitor{from: "10.9.9.9:1"})
		for i, conn := range conns {
			if victim == conn {
				got = i
			}
		}
		if got != tt.want || len(c.open) > 3 {
			t.Errorf("%s: %d goes and %d are left, want %d", name, got, len(c.open), tt.want)
		}
		for _, conn := range conns {
			c.changed(conn, http.StateClosed)
		}
		if len(c.open) != 1 {
			t.Errorf("%s: %d are left of the newcomer alone", name, len(c.open))
		}
	}
}

// TestAProbeIsAnsweredBesideACrowd of idle connections, of half requests, and of
// answers that nobody reads.
func TestAProbeIsAnsweredBesideACrowd(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"idle":         "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"half a head":  "GET /metrics HTTP/1.1\r\nHo",
		"nothing":      "",
		"unread":       "GET /api/v1/big HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"after probes": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := New(full(t))
			a.limits.connections = 8
			big := strings.Repeat("x", 32<<20)
			a.Mount("/api/v1/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) }))
			ln := listen(t)
			done := make(chan error, 1)
			go func() { done <- a.Serve(ln) }()
			for i := range 30 {
				conn, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, request); err != nil {
					t.Fatal(fmt.Errorf("connection %d: %w", i, err))
				}
			}
			for range 3 {
				if got := exchange(t, ln.Addr().String(), "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200") || !strings.Contains(got, "Connection: close") {
					t.Errorf("/healthz: %q", got)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_ = a.Shutdown(ctx) // cuts who does not read
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// shortOf has no file descriptors for the first connections.
type shortOf struct {
	net.Listener
	failures int
}

func (l *shortOf) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// To be out of file descriptors for a while is no reason to stop listening.
func TestOutOfFileDescriptors(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	ln := &shortOf{Listener: listen(t), failures: 2}
	done := make(chan error, 1)
	go func() { done <- a.Serve(ln) }()
	if answer := exchange(t, ln.Addr().String(), "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n"); !strings.Contains(answer, "200 OK") {
		t.Errorf("answered %q", answer)
	}
	if err := a.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
