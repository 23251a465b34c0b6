package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/certs"
	"tlslift/test/harness"
)

// signIn is a server that signs in connections, as NTLM and Negotiate do (RFC
// 4559 section 6): a challenge, an answer to it on the same connection, and from
// then on every request of the connection is that user's.
type signIn struct {
	listener net.Listener
	ca       *certs.CA // nil: plain HTTP
	scheme   string

	mu   sync.Mutex
	open int // connections
	met  int // connections so far
}

func startSignIn(t *testing.T, scheme string, secure bool) *signIn {
	t.Helper()
	s := &signIn{scheme: scheme}
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if secure {
		if s.ca, err = certs.NewCA("sign-in", certs.ECDSA); err != nil {
			t.Fatal(err)
		}
		leaf, err := s.ca.Issue(certs.Leaf{Names: []string{legacyHost}})
		if err != nil {
			t.Fatal(err)
		}
		s.listener = tls.NewListener(s.listener, &tls.Config{Certificates: []tls.Certificate{leaf}})
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = s.listener.Close(); running.Wait() })
	return s
}

func (s *signIn) Addr() string  { return s.listener.Addr().String() }
func (s *signIn) CAPEM() []byte { return s.ca.PEM() }

func (s *signIn) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	counted, user, challenged := false, "", false
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			break
		}
		if !counted { // not before: connections are kept ready, too
			counted = true
			s.count(1)
			defer s.count(-1)
		}
		_, _ = io.Copy(io.Discard, request.Body)
		step, isStep := strings.CutPrefix(request.Header.Get("Authorization"), s.scheme+" ")
		name, final := strings.CutPrefix(step, "answer:")
		switch {
		case isStep && final && challenged:
			user = name
		case isStep && !final:
			user, challenged = "", true
		}
		if user != "" {
			text := "payslips of " + user
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			continue
		}
		challenge := s.scheme
		if challenged {
			challenge += " Y2hhbGxlbmdl"
		}
		fmt.Fprintf(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n", challenge)
	}
}

func (s *signIn) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
	s.met += max(n, 0)
}

func (s *signIn) counts() (open, met int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open, s.met
}

// waitOpen waits until so many connections are open that served a request.
func (s *signIn) waitOpen(t *testing.T, want int) {
	t.Helper()
	ctx := patience(t)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		if open, _ := s.counts(); open == want {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			open, met := s.counts()
			t.Fatalf("%d connections of %d are open, want %d", open, met, want)
		}
	}
}

// TestASignInServesNobodyElse: NTLM and Negotiate sign in a connection. What one
// caller signed in is its own until it hangs up, and nobody's afterwards.
func TestASignInServesNobodyElse(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"NTLM", "Negotiate"} {
		t.Run("a foreign host/"+scheme, func(t *testing.T) {
			t.Parallel()
			server := startSignIn(t, scheme, false)
			p := harness.Start(t, harness.Options{})
			host := server.Addr()
			signInStaysApart(t, p, server, "_other", func(t *testing.T) *harness.Caller { return dial(t, p) },
				func(lines string) string {
					return "GET http://" + host + "/payslips HTTP/1.1\r\nHost: " + host + "\r\n" + lines + "\r\n"
				})
		})
	}
	dir := t.TempDir()
	files, err := authority.Init(authority.InitOptions{Dir: dir, Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	inside := way{"terminated TLS", "connect", func(t testing.TB, p *harness.Process) *harness.Caller {
		return insideOldTLS(t, p, files.Root)
	}, ""}
	for _, w := range append([]way{inside}, ways...) {
		t.Run("an upstream/"+w.name, func(t *testing.T) {
			t.Parallel()
			server := startSignIn(t, "NTLM", true)
			p := harness.Start(t, harness.Options{Upstream: server, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key}})
			signInStaysApart(t, p, server, "*.mymobileapi.com", func(t *testing.T) *harness.Caller { return w.open(t, p) },
				func(lines string) string { return w.request("GET", "/payslips", lines, "") })
		})
	}
}

// insideOldTLS is a caller inside TLS 1.0 that ends at tlslift.
func insideOldTLS(t testing.TB, p *harness.Process, rootFile string) *harness.Caller {
	t.Helper()
	root, err := os.ReadFile(rootFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	conn := tls.Client(dial(t, p).Tunnel(legacyHost+":443").Bytes(), &tls.Config{
		ServerName: legacyHost, RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
	})
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return harness.NewCaller(t, conn)
}

// signInStaysApart has A sign in, and B and C ask for what A may see.
func signInStaysApart(t *testing.T, p *harness.Process, server *signIn, label string, open func(*testing.T) *harness.Caller, request func(lines string) string) {
	t.Helper()
	ask := func(who string, c *harness.Caller, lines string, status int, text string) {
		t.Helper()
		if got := c.Send(request(lines)).Answer("GET"); got.StatusCode != status || got.Text != text {
			t.Errorf("%s: %d %q, want %d %q", who, got.StatusCode, got.Text, status, text)
		}
	}
	step := func(s string) string { return "Authorization: " + server.scheme + " " + s + "\r\n" }
	a, b := open(t), open(t)
	ask("A, first", a, "", 401, "")
	ask("A, negotiating", a, step("bmVnb3RpYXRl"), 401, "")
	ask("B beside a sign-in under way", b, "", 401, "")
	ask("A, signed in", a, step("answer:alice"), 200, "payslips of alice")
	ask("B beside A", b, "", 401, "")
	ask("another one beside A", open(t), "", 401, "")
	ask("A, later", a, "", 200, "payslips of alice")
	if label != "_other" { // of the others there is no pool
		p.WaitMetric(3, "tlslift_upstream_pool_connections", "upstream", label, "state", "busy")
	}
	if reused := p.WaitLogs(0, harness.Match{"msg": "request", "status": 200}, 2); reused[1]["upstream_reused"] != true {
		t.Errorf("A's connection was not its own: %v", reused[1])
	}
	_, before := server.counts()
	a.Close()
	server.waitOpen(t, before-1)
	ask("C, after A", open(t), "", 401, "")
	ask("B after A", b, "", 401, "")
}
