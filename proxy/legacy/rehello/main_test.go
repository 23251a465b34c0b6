package rehello

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tlslift/proxy/hello"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate is made once: an RSA key costs most of a test's time.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// convertible are the suites with RSA key exchange, the only ones of an SSL
// 2.0 framed hello.
var convertible = []uint16{
	tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA,
}

func serverConfig() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{certificate()}, MinVersion: tls.VersionTLS10,
		CipherSuites: append([]uint16{
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		}, convertible...),
	}
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

// serve does a handshake through the converter; seen, if any, gets the hello.
func serve(conn net.Conn, seen ...func(*hello.ClientHello)) (*tls.Conn, error) {
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	h, raw, err := hello.Read(conn, hello.MaxSize)
	if err != nil {
		return nil, err
	}
	for _, f := range seen {
		f(h)
	}
	config := serverConfig()
	wrapped := net.Conn(&replayed{conn, raw})
	if Needed(h) {
		wrapped = Wrap(wrapped, h, config)
	}
	server := tls.Server(wrapped, config)
	return server, server.HandshakeContext(context.Background())
}

// echo serves one connection: what it reads it sends back.
func echo(conn net.Conn, seen ...func(*hello.ClientHello)) error {
	defer conn.Close()
	server, err := serve(conn, seen...)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		if err != nil {
			server.Close()
			return nil // the client is done
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return err
		}
	}
}

// tcpPair is a connection over the loopback.
func tcpPair(t testing.TB) (client, server net.Conn) {
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
	return c, s
}
