package legacy

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tlslift/proxy/authority"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testCerts stands in for the authority: one certificate, and a record of
// what was asked for.
type testCerts struct {
	cert, sha1, ecdsa tls.Certificate

	mu    sync.Mutex
	asked []host.Name
}

func (c *testCerts) Leaf(k authority.Kind, n host.Name, extra ...host.Name) (*tls.Certificate, error) {
	if k == authority.RSASHA1 {
		return &c.sha1, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(append(c.asked, n), extra...)
	if n.String() == "evil.example" {
		return nil, errors.New("not permitted")
	}
	if k == authority.ECDSA {
		return &c.ecdsa, nil
	}
	return &c.cert, nil
}

// material is made once: an RSA key costs most of a test's time.
var material = sync.OnceValue(func() (m struct {
	cert, sha1, ecdsa tls.Certificate
	roots             *x509.CertPool
},
) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	m.roots = x509.NewCertPool()
	for i, c := range []*tls.Certificate{&m.cert, &m.sha1, &m.ecdsa} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "api.smsportal.com"},
			DNSNames: []string{"api.smsportal.com"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			SignatureAlgorithm: []x509.SignatureAlgorithm{x509.SHA256WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA256}[i],
		}
		var signer crypto.Signer = key
		if c == &m.ecdsa {
			signer = ec
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
		if err != nil {
			panic(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			panic(err)
		}
		m.roots.AddCert(leaf)
		*c = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer, Leaf: leaf}
	}
	return m
})

func newTestServer(t testing.TB, edit func(*Options)) (*Server, *testCerts) {
	t.Helper()
	certs := &testCerts{cert: material().cert, sha1: material().sha1, ecdsa: material().ecdsa}
	o := Options{Certificates: certs, MinVersion: tls.VersionTLS10, Timeout: 10 * time.Second, Tickets: NewTickets(nil, TicketKeys{}), RC4: true, SSLv2Hello: true}
	if edit != nil {
		edit(&o)
	}
	return NewServer(o), certs
}

// clientConfig trusts the test's certificate and speaks anything crypto/tls
// knows.
func clientConfig(edit func(*tls.Config)) *tls.Config {
	ecdhe, rsa := suites(true)
	c := &tls.Config{
		RootCAs: material().roots, ServerName: "api.smsportal.com",
		MinVersion: tls.VersionTLS10, CipherSuites: slices.Concat(ecdhe, rsa),
	}
	if edit != nil {
		edit(c)
	}
	return c
}

// replayed yields what was read before what comes.
type replayed struct {
	net.Conn
	early []byte
}

func (c *replayed) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

func (c *replayed) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// tcpPair is a connection over the loopback: its ends half-close and reset as
// real ones do.
func tcpPair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// outcome is how the server's side of a handshake ended.
type outcome struct {
	hello *hello.ClientHello
	state tls.ConnectionState
	conn  *tls.Conn
	err   error
}

// serve reads a hello from conn and does the handshake, as a tunnel would.
func serve(ctx context.Context, s *Server, conn net.Conn, name string) outcome {
	_ = conn.SetReadDeadline(time.Now().Add(s.options.Timeout))
	h, raw, err := hello.Read(conn, hello.MaxSize)
	if err != nil {
		Refuse(conn, nil, AlertHandshakeFailure)
		return outcome{err: &Error{Failure: Classify(err), Alert: AlertNone, Err: err}}
	}
	n, _ := host.Parse(name) // "" is none
	out := outcome{hello: h}
	if out.conn, out.err = s.Handshake(ctx, &replayed{conn, raw}, h, n, host.Name{}); out.err == nil {
		out.state = out.conn.ConnectionState()
	}
	return out
}

// handshake does one between a crypto/tls client and s.
func handshake(t testing.TB, s *Server, config *tls.Config, host string) (outcome, *tls.Conn, error) {
	t.Helper()
	raw, server := tcpPair(t)
	done := make(chan outcome, 1)
	go func() { done <- serve(context.Background(), s, server, host) }()
	client := tls.Client(raw, config)
	err := client.Handshake()
	if err != nil {
		raw.Close()
	}
	return <-done, client, err
}
