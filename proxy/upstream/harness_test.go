package upstream

import (
	"bufio"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/budget"
	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/test/memnet"
)

// authority is a certificate authority made for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert: cert, key: key, pool: pool}
}

// leaf makes a certificate for names; one that has ended with expired.
func (a *authority) leaf(t testing.TB, expired bool, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	end := time.Now().Add(12 * time.Hour)
	if expired {
		end = time.Now().Add(-time.Minute)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	check(t, err)
	leaf, err := x509.ParseCertificate(der)
	check(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rawConn is a TCP connection, of the system or in memory.
type rawConn interface {
	net.Conn
	SetLinger(sec int) error
}

// serverConn is one connection that a server accepted, after its handshake.
type serverConn struct {
	net.Conn
	raw   rawConn
	br    *bufio.Reader
	index int // of the connection, from 0
	s     *server
}

// request reads a request's head and counts it.
func (c *serverConn) request() (*http.Request, bool) {
	req, err := http.ReadRequest(c.br)
	if err != nil {
		return nil, false
	}
	c.s.mu.Lock()
	c.s.requests = append(c.s.requests, req.Method+" "+req.RequestURI)
	c.s.mu.Unlock()
	return req, true
}

// reset closes the connection so that the peer gets a reset.
func (c *serverConn) reset() {
	_ = c.raw.SetLinger(0)
	_ = c.raw.Close()
}

func (c *serverConn) say(s string) { _, _ = io.WriteString(c, s) }

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// answerAll answers every request with okAnswer, after reading its body.
func answerAll(c *serverConn) {
	for {
		req, ok := c.request()
		if !ok {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		c.say(okAnswer)
	}
}

// server accepts TLS connections and hands each to serve.
type server struct {
	addr  string
	ca    *authority
	serve func(*serverConn)
	net   func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) // nil = that of the system

	closeListener func()

	mu         sync.Mutex
	requests   []string
	accepted   int
	ended      int
	handshakes int
	resumed    int
	conns      []net.Conn
	until      chan struct{} // what a server may wait for
	wg         sync.WaitGroup
}

// closeAll closes the accepted connections.
func (s *server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

// open is how many connections have not ended.
func (s *server) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted - s.ended
}

func (s *server) counts() (accepted, handshakes, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted, s.handshakes, len(s.requests)
}

const testHost = "api.example.test"

// newServer starts a server on loopback with a certificate for testHost. adjust
// may change its TLS configuration; a nil result means no TLS.
func newServer(t testing.TB, serve func(*serverConn), adjust ...func(*tls.Config) *tls.Config) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	return startServer(t, l, serve, adjust...)
}

// memServer is newServer in memory, for tests in a bubble of synctest.
func memServer(t testing.TB, serve func(*serverConn), adjust ...func(*tls.Config) *tls.Config) *server {
	t.Helper()
	l := memnet.Listen("192.0.2.1:443")
	s := startServer(t, l, serve, adjust...)
	s.net = func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
		if err := judge(addr); err != nil {
			return nil, err
		}
		return l.Dial(ctx)
	}
	return s
}

// networks runs a test in memory, where time is the test's own, and on loopback.
func networks(t *testing.T, f func(t *testing.T, newServer maker)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { f(t, memServer) })
	})
	t.Run("loopback", func(t *testing.T) {
		t.Parallel()
		f(t, newServer)
	})
}

type maker func(t testing.TB, serve func(*serverConn), adjust ...func(*tls.Config) *tls.Config) *server

func startServer(t testing.TB, l net.Listener, serve func(*serverConn), adjust ...func(*tls.Config) *tls.Config) *server {
	ca := newAuthority(t)
	conf := &tls.Config{Certificates: []tls.Certificate{ca.leaf(t, false, testHost, "*.example.test")}}
	for _, f := range adjust {
		conf = f(conf)
	}
	s := &server{addr: l.Addr().String(), ca: ca, serve: serve, closeListener: func() { _ = l.Close() }}
	ctx, cancel := context.WithCancel(context.Background())
	s.wg.Go(func() { s.accept(ctx, l, conf) })
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *server) accept(ctx context.Context, l net.Listener, conf *tls.Config) {
	for index := 0; ; index++ {
		raw, err := l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.accepted++
		s.conns = append(s.conns, raw)
		s.mu.Unlock()
		s.wg.Go(func() {
			stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
			defer stop()
			defer func() { _ = raw.Close() }()
			s.one(ctx, raw.(rawConn), conf, index)
			s.mu.Lock()
			s.ended++
			s.mu.Unlock()
		})
	}
}

func (s *server) one(ctx context.Context, raw rawConn, conf *tls.Config, index int) {
	var c net.Conn = raw
	if conf != nil {
		tc := tls.Server(raw, conf)
		if tc.HandshakeContext(ctx) != nil {
			return
		}
		s.mu.Lock()
		s.handshakes++
		if tc.ConnectionState().DidResume {
			s.resumed++
		}
		s.mu.Unlock()
		c = tc
		defer func() { _ = tc.Close() }()
	}
	s.serve(&serverConn{Conn: c, raw: raw, br: bufio.NewReader(c), index: index, s: s})
}

// host is the configuration of an upstream at the server's address.
func (s *server) host() Host {
	return Host{Roots: s.ca.pool}.named(testHost).at(s.addr)
}

// named is h for a host or *.domain.
func (h Host) named(pattern string) Host {
	p, err := host.ParsePattern(pattern)
	if err != nil {
		panic(err)
	}
	h.Pattern = p
	return h
}

// at is h connected to at an address.
func (h Host) at(address string) Host {
	name, port, err := host.ParseAuthority(address)
	if err != nil {
		panic(err)
	}
	h.Address, h.AddressPort = name, port
	return h
}

// clock is a clock that the test sets. It stands still, so no connection grows
// old on a slow machine.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// start makes a Transport for the server; adjust changes its options. Nothing
// times out soon. On loopback its clock stands still.
func start(t testing.TB, s *server, adjust ...func(*Options)) *Transport {
	t.Helper()
	now := newClock().now
	if s.net != nil {
		now = time.Now
	}
	return startWith(t, s, now, adjust...)
}

func (s *server) options(adjust ...func(*Options)) Options {
	const long = time.Minute
	o := Options{
		Hosts: []Host{s.host()}, DialTimeout: long, TLSTimeout: long, ResponseTimeout: long, BodyTimeout: long,
		HostsFile: os.DevNull, ResolvConf: os.DevNull, net: s.net,
	}
	for _, f := range adjust {
		f(&o)
	}
	return defaulted(o)
}

func startWith(t testing.TB, s *server, now func() time.Time, adjust ...func(*Options)) *Transport {
	t.Helper()
	tr, err := newTransport(s.options(adjust...), now)
	check(t, err)
	t.Cleanup(tr.Close)
	return tr
}

func route(t testing.TB, tr *Transport, name string) *Route {
	t.Helper()
	r, ours := tr.Snapshot().Route(host.MustParse(name))
	if !ours {
		t.Fatalf("%s is foreign", name)
	}
	return r
}

// newRequest makes a request as net/http's server would hand it over.
func newRequest(method, target, body string) (*http.Request, *Exchange) {
	req := &http.Request{Method: method, Header: http.Header{}, Body: http.NoBody}
	if body != "" {
		req.Body = io.NopCloser(strings.NewReader(body))
		req.ContentLength = int64(len(body))
	}
	return req, newExchange(target)
}

// newExchange returns the exchange of a caller that waits and does not keep a
// connection. A Read of its body does not block.
func newExchange(target string) *Exchange {
	return &Exchange{
		Target: target, Caller: waiting{}, AbortBody: func() {}, Memory: new(Memory), Owned: &Owned{closed: true}, Share: new(budget.Share),
	}
}

type waiting struct{}

func (waiting) Gone() bool { return false }

// send does one request and reads its answer.
func send(tr *Transport, r *Route, method, target, body string) (status int, text string, ex *Exchange, err error) {
	req, ex := newRequest(method, target, body)
	return sendAs(tr, r, req, ex)
}

// sendAs does one request and reads its answer.
func sendAs(tr *Transport, r *Route, req *http.Request, ex *Exchange) (status int, text string, _ *Exchange, err error) {
	resp, err := tr.Do(context.Background(), req, r, ex)
	if err != nil {
		return 0, "", ex, err
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, string(b), ex, err
}

// wantOK does one request that must succeed.
func wantOK(t testing.TB, tr *Transport, r *Route) *Exchange {
	t.Helper()
	status, text, ex, err := send(tr, r, "GET", "/", "")
	if err != nil || status != 200 || text != "ok" || ex.Delivery != problem.Answered {
		t.Fatalf("status %d, body %q, delivery %v, error %v", status, text, ex.Delivery, err)
	}
	return ex
}

// eventually waits for something that happens in the background.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		if t.Context().Err() != nil {
			t.Fatal("never: " + what)
		}
		pause()
	}
}

// pause lets others run, between two looks at something.
func pause() {
	timer := time.NewTimer(time.Millisecond)
	<-timer.C
}

// noTLS makes a server speak plain HTTP.
func noTLS(*tls.Config) *tls.Config { return nil }

// foreign returns the route of a foreign host at address.
func foreign(t testing.TB, tr *Transport, address string, guard bool) *Route {
	t.Helper()
	name, port, err := host.ParseAuthority(address)
	check(t, err)
	return tr.Snapshot().Foreign(name, port, guard, false)
}

// canned is a connection that takes everything and yields what it was given,
// once something was written.
type canned struct {
	net.Conn
	in    io.Reader
	asked bool
}

func (c *canned) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *canned) TryRead(p []byte) (int, error) {
	if !c.asked {
		return 0, syscall.EAGAIN
	}
	return c.in.Read(p)
}

func (c *canned) Write(p []byte) (int, error)      { c.asked = true; return len(p), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *canned) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// closedPort returns an address that nothing listens on. A closed port of
// 127.0.0.1 may soon be another test's, so it is one of an address that no test
// uses, where the system has such (all of 127.0.0.0/8 on Linux).
func closedPort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	check(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// recorder remembers what an Observer is told.
type recorder struct {
	mu         sync.Mutex
	events     []string
	idle, busy int
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// count returns how many events begin with prefix.
func (r *recorder) count(prefix string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if strings.HasPrefix(e, prefix) {
			n++
		}
	}
	return n
}

func (r *recorder) Phase(label string, p call.Phase, _ time.Duration) {
	r.note("phase %s %s", label, p)
}

func (r *recorder) Handshake(label string, version, _ uint16, resumed bool) {
	r.note("handshake %s %#x %v", label, version, resumed)
}

func (r *recorder) Certificate(label string, _ time.Time) { r.note("certificate %s", label) }

func (r *recorder) Pool(_ string, idle, busy int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle, r.busy = idle, busy
}

// wantPool waits until there are so many connections.
func (r *recorder) wantPool(t testing.TB, idle, busy int) {
	t.Helper()
	eventually(t, fmt.Sprint(idle, " idle and ", busy, " busy connections"), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.idle == idle && r.busy == busy
	})
}

func (r *recorder) ClassicHello(label string) { r.note("classic %s", label) }

// defaulted returns o with the defaults of the configuration.
func defaulted(o Options) Options {
	o.MinTLS = cmp.Or(o.MinTLS, tls.VersionTLS12)
	o.MaxConns = cmp.Or(o.MaxConns, 256)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 90*time.Second)
	o.DialTimeout = cmp.Or(o.DialTimeout, 5*time.Second)
	o.TLSTimeout = cmp.Or(o.TLSTimeout, 5*time.Second)
	o.ResponseTimeout = cmp.Or(o.ResponseTimeout, 90*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 60*time.Second)
	o.ResponseBuffer = cmp.Or(o.ResponseBuffer, 1<<20)
	if o.Own == nil {
		o.Own = func(netip.AddrPort) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Observer == nil {
		o.Observer = new(recorder)
	}
	return o
}

func newDefault(o Options) (*Transport, error) { return New(defaulted(o)) }
