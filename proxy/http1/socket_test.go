package http1

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// server serves a handler on a loopback port.
type server struct {
	t    testing.TB
	ln   net.Listener
	ends chan End

	mu    sync.Mutex
	conns []*Conn
}

func serve(t testing.TB, h handlerFunc, wrap func(net.Conn) net.Conn) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, ln: ln, ends: make(chan End, 1000)}
	o := Options{Limits: testLimits, Buffers: new(Buffers)}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.one(nc, wrap, o, h) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Drain(0)
		}
		s.mu.Unlock()
		running.Wait()
	})
	return s
}

func (s *server) one(nc net.Conn, wrap func(net.Conn) net.Conn, o Options, h handlerFunc) {
	defer nc.Close()
	top := nc
	if wrap != nil {
		top = wrap(nc)
	}
	c := newConn(top, o)
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	s.ends <- c.Serve(h)
	_ = top.Close()
}

func (s *server) dial() *net.TCPConn {
	s.t.Helper()
	nc, err := net.Dial("tcp", s.ln.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	return nc.(*net.TCPConn)
}

func tlsServer(t testing.TB) func(net.Conn) net.Conn {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return func(nc net.Conn) net.Conn { return tls.Server(nc, config) }
}

// before puts bytes in front of a connection, as accepting does that looked at
// them.
type before struct {
	net.Conn
	first []byte
}

func (b *before) Read(p []byte) (int, error) {
	if n := copy(p, b.first); n > 0 {
		b.first = b.first[n:]
		return n, nil
	}
	return b.Conn.Read(p)
}

func (b *before) Buffered() int     { return len(b.first) }
func (b *before) NetConn() net.Conn { return b.Conn }

// Many requests on one connection, whatever it is and wherever segments end.
func TestKeptConnections(t *testing.T) {
	t.Parallel()
	over := tlsServer(t)
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"socket": nil,
		"tls":    over,
		"bytes in front": func(nc net.Conn) net.Conn {
			first := make([]byte, 3)
			n, _ := io.ReadFull(nc, first)
			return &before{Conn: nc, first: first[:n]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, hello, wrap)
			var nc net.Conn = s.dial()
			if name == "tls" {
				nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
			}
			br := bufio.NewReader(nc)
			raw := get + "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + get
			for size := 1; size < len(raw); size += 5 {
				for _, segment := range split(raw, size) {
					send(t, nc, segment)
				}
				for _, want := range []string{"hello /a", "hello /b", "hello /a"} {
					if _, got := answer(t, br); got != want {
						t.Fatalf("segments of %d: got %q", size, got)
					}
				}
			}
			_ = nc.Close()
			if end := <-s.ends; end != Closed {
				t.Errorf("%v", end)
			}
		})
	}
}

// A caller that ends its side after the request gets its answer.
func TestHalfClosedCaller(t *testing.T) {
	t.Parallel()
	s := serve(t, hello, nil)
	nc := s.dial()
	send(t, nc, get)
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(nc)
	if err != nil || !strings.Contains(string(got), "hello /a") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestDrainOfSockets(t *testing.T) {
	t.Parallel()
	s := serve(t, hello, nil)
	nc := s.dial()
	br := bufio.NewReader(nc)
	send(t, nc, get)
	answer(t, br)
	s.mu.Lock()
	s.conns[0].Drain(time.Millisecond)
	s.mu.Unlock()
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("%v", err)
	}
}

// A hijacked connection reads what came early, then the socket.
func TestHijackedSocket(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w *Response, _ *Request) {
		nc, _, err := w.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		c := newConn(&before{Conn: nc, first: w.Early()}, Options{})
		if end := c.Serve(handlerFunc(hello)); end != Closed {
			t.Errorf("inside: %v", end)
		}
	}, nil)
	nc := s.dial()
	br := bufio.NewReader(nc)
	send(t, nc, "CONNECT h:80 HTTP/1.1\r\n\r\n"+get)
	answer(t, br)
	send(t, nc, get)
	answer(t, br)
	_ = nc.CloseWrite()
	if end := <-s.ends; end != Hijacked {
		t.Errorf("%v", end)
	}
}

// Nothing is held for a connection that waits.
func TestIdleConnectionIsSmall(t *testing.T) {
	s := serve(t, hello, nil)
	const n = 300
	before := memory()
	for range n {
		nc := s.dial()
		send(t, nc, get)
		if _, err := nc.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	each := int64(memory()-before) / n
	t.Logf("%d bytes for an idle connection, the test's end included", each)
	if each > 12<<10 && !raceEnabled {
		t.Errorf("%d bytes for an idle connection", each)
	}
}

// memory is the live heap and the stacks.
func memory() uint64 {
	for range 3 { // stacks shrink by half at a time
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// request is an ordinary one, of eight fields.
const request = "GET http://api.smsportal.com/api5/http5.aspx?Type=sendparam&password=x HTTP/1.1\r\nHost: api.smsportal.com\r\n" +
	"User-Agent: Java/1.6.0_45\r\nAccept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\nProxy-Connection: keep-alive\r\n" +
	"Accept-Encoding: gzip\r\nCookie: a=b\r\nX-Request-Id: 0123456789abcdef\r\nReferer: http://x/\r\n\r\n"

// repeatConn gives the same bytes to each read.
type repeatConn struct {
	scriptConn
	raw string
}

func (c *repeatConn) Read(p []byte) (int, error)  { return copy(p, c.raw), nil }
func (c *repeatConn) Write(p []byte) (int, error) { return len(p), nil }

func TestAllocations(t *testing.T) {
	header := map[string][]string{"Content-Length": {"5"}, "Content-Type": {"text/xml"}, "Date": {"x"}, "Server": {"y"}}
	body, buf := []byte("hello"), make([]byte, 64)
	for _, tt := range []struct {
		name, raw string
		most      float64
	}{
		{"GET", request, 1},
		{"POST", strings.Replace(request, "GET", "POST", 1)[:len(request)-1] + "Content-Length: 5\r\n\r\nhello", 2},
	} {
		c := newConn(&repeatConn{raw: tt.raw}, Options{Limits: testLimits})
		h := handlerFunc(func(w *Response, r *Request) {
			_, _ = r.Body.Read(buf)
			w.SetHeader(header)
			w.WriteHeader(200)
			_, _ = w.Write(body)
		})
		got := testing.AllocsPerRun(1000, func() {
			c.release()
			if c.fill() != nil || c.serve(h, false) != goingOn {
				t.Fatal("not served")
			}
		})
		t.Logf("%s: %v allocations", tt.name, got)
		if got > tt.most && !raceEnabled {
			t.Errorf("%s: %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	header := map[string][]string{"Content-Length": {"5"}, "Content-Type": {"text/xml"}, "Date": {"x"}, "Server": {"y"}}
	c := newConn(&repeatConn{raw: request}, Options{Limits: testLimits})
	h := handlerFunc(func(w *Response, _ *Request) {
		w.SetHeader(header)
		_, _ = w.Write([]byte("hello"))
	})
	b.ReportAllocs()
	for b.Loop() {
		c.release()
		_ = c.fill()
		if c.serve(h, false) != goingOn {
			b.Fatal("not served")
		}
	}
}
