package oldtls

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"tlslift/test/certs"
	"tlslift/test/harness"
)

// rawUpstream is an upstream that speaks no TLS at all: a test whose tunnel ends at
// it can see what becomes of each byte.
type rawUpstream struct {
	listener net.Listener
	ca       *certs.CA
	serving  sync.WaitGroup
}

func startRaw(t *testing.T, serve func(*net.TCPConn)) *rawUpstream {
	t.Helper()
	ca, err := certs.NewCA("unused", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rawUpstream{listener: listener, ca: ca}
	u.serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			u.serving.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(harness.Patience))
				serve(conn.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		u.serving.Wait()
	})
	return u
}

func (u *rawUpstream) Addr() string { return u.listener.Addr().String() }

func (u *rawUpstream) CAPEM() []byte { return u.ca.PEM() }

// splicedTo opens a connection and says a modern hello, which is returned.
func splicedTo(t *testing.T, s *stage, w way) (*net.TCPConn, []byte) {
	t.Helper()
	wire := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: api}.wire()
	conn := w.open(t, s, api).(*net.TCPConn)
	if _, err := conn.Write(wire); err != nil {
		t.Fatal(err)
	}
	return conn, wire
}

func noise(size int, seed byte) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

// TestSplicedBytesAreTheSame: many, both ways at once, and the hello first.
func TestSplicedBytesAreTheSame(t *testing.T) {
	t.Parallel()
	const size = 16 << 20
	up, down := noise(size, 1), noise(size, 2)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			arrived := make(chan []byte, 1)
			upstream := startRaw(t, func(conn *net.TCPConn) {
				var both sync.WaitGroup
				both.Go(func() {
					_, _ = conn.Write(down)
					_ = conn.CloseWrite()
				})
				all, _ := io.ReadAll(conn)
				both.Wait()
				arrived <- all
			})
			s := bare(t, upstream, "")
			conn, wire := splicedTo(t, s, w)
			var writing sync.WaitGroup
			writing.Go(func() {
				_, _ = conn.Write(up)
				_ = conn.CloseWrite()
			})
			got, err := io.ReadAll(conn)
			if err != nil || !bytes.Equal(got, down) {
				t.Errorf("%d of %d bytes came down, or others: %v", len(got), size, err)
			}
			writing.Wait()
			if got := <-arrived; !bytes.Equal(got, append(wire, up...)) {
				t.Errorf("%d of %d bytes went up, or others", len(got), len(wire)+size)
			}
			line := s.WaitLog(harness.Match{"msg": "tunnel"})
			if line.String("request_bytes") != asText(len(wire)+size) || line.String("response_bytes") != asText(size) {
				t.Errorf("the log says %v", line)
			}
		})
	}
}

// TestSplicedHalfCloses: either side may say no more and go on listening.
func TestSplicedHalfCloses(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name+", the client", func(t *testing.T) {
			t.Parallel()
			upstream := startRaw(t, func(conn *net.TCPConn) {
				all, err := io.ReadAll(conn)
				if err == nil {
					_, _ = conn.Write(append([]byte("after your end: "), all[len(all)-4:]...))
				}
			})
			s := bare(t, upstream, "")
			conn, _ := splicedTo(t, s, w)
			_, _ = conn.Write([]byte("last"))
			_ = conn.CloseWrite()
			if got, err := io.ReadAll(conn); err != nil || string(got) != "after your end: last" {
				t.Errorf("%q, %v", got, err)
			}
		})
		t.Run(w.name+", the upstream", func(t *testing.T) {
			t.Parallel()
			arrived := make(chan []byte, 1)
			upstream := startRaw(t, func(conn *net.TCPConn) {
				_, _ = conn.Write([]byte("no more from here"))
				_ = conn.CloseWrite()
				all, _ := io.ReadAll(conn)
				arrived <- all
			})
			s := bare(t, upstream, "")
			conn, wire := splicedTo(t, s, w)
			if got, err := io.ReadAll(conn); err != nil || string(got) != "no more from here" {
				t.Errorf("%q, %v", got, err)
			}
			_, _ = conn.Write([]byte("but from there"))
			_ = conn.Close()
			if got := <-arrived; string(got) != string(wire)+"but from there" {
				t.Errorf("%q went up", got)
			}
		})
	}
}

// TestSplicedReset: when one side breaks off, so does the other.
func TestSplicedReset(t *testing.T) {
	t.Parallel()
	upstream := startRaw(t, func(conn *net.TCPConn) {
		_, _ = io.ReadFull(conn, make([]byte, 10))
		_ = conn.SetLinger(0)
	})
	s := bare(t, upstream, "")
	conn, _ := splicedTo(t, s, connect)
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes after a reset", n)
	}
	s.WaitLog(harness.Match{"msg": "tunnel", "handling": "spliced"})
}

// TestSplicedIdle: a tunnel in which nothing moves is closed, one in which
// something moves in one direction alone is not.
func TestSplicedIdle(t *testing.T) {
	t.Parallel()
	const idle, step, steps = 3 * time.Second, 250 * time.Millisecond, 16
	upstream := startRaw(t, func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	s := bare(t, upstream, "limits: {tunnel_idle_timeout: "+idle.String()+"}")
	still, _ := splicedTo(t, s, connect)
	moving, _ := splicedTo(t, s, connect)
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	for range steps {
		<-ticker.C
		if _, err := moving.Write([]byte{0}); err != nil {
			t.Fatalf("closed although it moves: %v", err)
		}
	}
	_ = still.SetDeadline(time.Now().Add(harness.Patience))
	if _, err := still.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the still one: %v", err)
	}
	// A stranger may call a port that a test before this one had.
	if lines := s.Lines(0, harness.Match{"msg": "tunnel", "ingress": "connect"}); len(lines) != 1 {
		t.Errorf("%d of 2 tunnels have ended", len(lines))
	}
}
