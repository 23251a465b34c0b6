package front

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
)

func testCertificate(t testing.TB) tls.Certificate {
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
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// terminating is a house that ends TLS, inside CONNECT or straight away, and
// serves what is inside with the same server.
func terminating(t testing.TB, lim Limits, handler http.HandlerFunc) *house {
	var h *house
	config := &tls.Config{Certificates: []tls.Certificate{testCertificate(t)}, MinVersion: tls.VersionTLS12}
	terminate := func(raw net.Conn, a *call.Conn) {
		tc := tls.Server(raw, config)
		if err := tc.Handshake(); err != nil {
			_ = tc.Close()
			return
		}
		h.queue.put(NewConn(tc, a, h.shared))
	}
	h = open(t, lim, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			handler(w, r)
			return
		}
		outer := connOf(r)
		if _, _, err := w.(http.Hijacker).Hijack(); err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(outer, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			kind, err := Sniff(outer, time.Now().Add(5*time.Second))
			switch {
			case err != nil || kind == KindEOF:
				_ = outer.Close()
			case kind == KindHTTP:
				h.queue.put(outer)
			default:
				terminate(outer.HandOver(), outer.Arrival())
			}
		}()
	})
	h.tls = func(c *Conn, _ Kind) { terminate(c.HandOver(), c.Arrival()) }
	return h
}

// connect opens a CONNECT tunnel; early is sent together with the request.
func (h *house) connect() (*net.TCPConn, *bufio.Reader) {
	nc := h.dial()
	send(h.t, nc, "CONNECT h:443 HTTP/1.0\r\n\r\n")
	br := bufio.NewReader(nc)
	if line, err := br.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		h.t.Fatalf("CONNECT: %q, %v", line, err)
	}
	if _, err := br.ReadString('\n'); err != nil {
		h.t.Fatal(err)
	}
	return nc, br
}

func insecure(nc net.Conn) *tls.Conn {
	return tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
}

func TestInsideTunnels(t *testing.T) {
	t.Parallel()
	lim := testLimits()
	lim.BodyBytes = 1 << 20
	h := terminating(t, lim, func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r)
		if got := c.Gone(); got != Present && got != PresenceUnknown {
			t.Errorf("presence %v", got)
		}
		_, _ = io.WriteString(w, r.RequestURI)
		if c.secured {
			_, _ = io.WriteString(w, " over TLS")
		}
	})
	ways := map[string]func() (net.Conn, string){
		"plain": func() (net.Conn, string) { return h.dial(), "" },
		"tls":   func() (net.Conn, string) { return insecure(h.dial()), " over TLS" },
		"connect, plain": func() (net.Conn, string) {
			nc, _ := h.connect()
			return nc, ""
		},
		"connect, tls": func() (net.Conn, string) {
			nc, _ := h.connect()
			return insecure(nc), " over TLS"
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			nc, suffix := way()
			br := bufio.NewReader(nc)
			for range 2 {
				send(t, nc, "GET /a?x=1 2 HTTP/1.1\r\nHost: h\r\n\r\n")
				if _, got := answer(t, br); got != "/a?x=1%202"+suffix {
					t.Errorf("got %q", got)
				}
			}
			// Refused with a large body on its way: the answer arrives.
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n")
			send(t, nc, strings.Repeat("x", 3000000))
			if resp, got := answer(t, br); resp.StatusCode != 413 || got != detailBodyTooLarge {
				t.Errorf("got %d %q", resp.StatusCode, got)
			}
			_ = nc.Close()
		})
	}
	until(t, "the end of all", func() bool { return h.shared.Open() == 0 })
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	if len(h.shared.conns) != 0 || len(h.shared.clients) != 0 {
		t.Errorf("%d conns, %d clients left over", len(h.shared.conns), len(h.shared.clients))
	}
}

// Drain reaches connections inside tunnels.
func TestDrainInsideTunnel(t *testing.T) {
	t.Parallel()
	h := terminating(t, testLimits(), hello)
	nc, _ := h.connect()
	tc := insecure(nc)
	br := bufio.NewReader(tc)
	send(t, tc, get)
	answer(t, br)
	h.shared.Drain(10 * time.Millisecond)
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("after Drain: %v, want EOF", err)
	}
	_ = nc.Close()
	until(t, "the end", func() bool { return h.shared.Open() == 0 })
}

// CloseAll cuts tunnels too.
func TestCloseAll(t *testing.T) {
	t.Parallel()
	h := terminating(t, testLimits(), hello)
	nc, br := h.connect()
	idle := h.dial()
	send(t, idle, get)
	answer(t, bufio.NewReader(idle))
	h.shared.CloseAll()
	if _, err := br.ReadByte(); err == nil {
		t.Error("the tunnel lives")
	}
	_ = nc.Close()
	until(t, "the end", func() bool { return h.shared.Open() == 0 })
}

// What is handed over is copied whole in both directions, early bytes first,
// whichever way io.Copy takes.
func TestStreamCopies(t *testing.T) {
	t.Parallel()
	const early, later = "early bytes,", "later ones"
	c := NewConn(&scriptConn{segments: []string{early, later}, end: io.EOF}, nil, NewShared(testLimits()))
	if got, err := c.Peek(3, time.Time{}); string(got) != early || err != nil {
		t.Fatalf("Peek: %q, %v", got, err)
	}
	s := c.HandOver()
	var out bytes.Buffer
	if n, err := io.Copy(&out, s); n != int64(len(early+later)) || err != nil || out.String() != early+later {
		t.Errorf("out: %d %q, %v", n, out.String(), err)
	}
	if n, err := s.(io.ReaderFrom).ReadFrom(strings.NewReader("in")); n != 2 || err != nil {
		t.Errorf("in: %d, %v", n, err)
	}
	if got := c.nc.(*scriptConn).written.String(); got != "in" {
		t.Errorf("in: %q", got)
	}
}
