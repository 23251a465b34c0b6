package dial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/test/certs"
)

// serveTLS answers handshakes on a network, and sends a byte after each.
func serveTLS(n *network, leaf tls.Certificate) {
	conf := &tls.Config{Certificates: []tls.Certificate{leaf}}
	n.accept = func(c net.Conn) {
		s := tls.Server(c, conf)
		_, _ = s.Write([]byte("x"))
		_, _ = s.Read(make([]byte, 1))
		_ = c.Close()
	}
}

// TestHandshakesInTurn: an address whose handshake fails or takes long gives way
// to the next one, as one that does not connect.
func TestHandshakesInTurn(t *testing.T) {
	const good, refuses, stalls, closes, misnamed = "203.0.113.5", "203.0.113.2", "203.0.113.6", "203.0.113.7", "203.0.113.8"
	for _, tt := range []struct {
		addrs []string
		took  time.Duration
		want  problem.Reason // None = works
		warns int
	}{
		{[]string{stalls, good}, handshakeDelay, problem.None, 0},
		{[]string{stalls, stalls, good}, 2 * handshakeDelay, problem.None, 0},
		{[]string{closes, good}, 0, problem.None, 1},
		{[]string{misnamed, good}, 0, problem.None, 1},
		{[]string{refuses, misnamed, closes, good}, 0, problem.None, 1},
		{[]string{good, misnamed}, 0, problem.None, 0},
		{[]string{misnamed, refuses}, 0, problem.TLSVerify, 0},
		{[]string{refuses, misnamed}, 0, problem.TLSVerify, 0},
		{[]string{misnamed, closes}, 0, problem.TLS, 0},
		{[]string{stalls}, 2 * 5 * time.Second, problem.TLS, 0}, // with either hello
		{[]string{stalls, stalls}, 2 * (handshakeDelay + 5*time.Second), problem.TLS, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			ca, err := certs.NewCA("root", certs.ECDSA)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := ca.Issue(certs.Leaf{Names: []string{"a.test"}})
			if err != nil {
				t.Fatal(err)
			}
			wrong, err := ca.Issue(certs.Leaf{Names: []string{"b.test"}})
			if err != nil {
				t.Fatal(err)
			}
			n := new(network)
			n.accept = func(c net.Conn) {
				defer func() { _ = c.Close() }()
				served := leaf
				switch c.LocalAddr().(*net.TCPAddr).IP.String() {
				case closes:
					return
				case stalls:
					_, _ = io.Copy(io.Discard, c)
					return
				case misnamed:
					served = wrong
				}
				_, _ = io.Copy(io.Discard, tls.Server(c, &tls.Config{Certificates: []tls.Certificate{served}}))
			}
			d := dialer(t, n, tt.addrs...)
			core, seen := observer.New(zap.WarnLevel)
			d.Logger = zap.New(core)
			conf := NewTLS(tls.VersionTLS12, ca.Pool(), nil, nil)
			start := time.Now()
			c, err := d.Connect(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443, ServerName: host.MustParse("a.test")}, "", conf, new(Hellos))
			if reason(err) != tt.want || time.Since(start) != tt.took || seen.Len() != tt.warns {
				t.Errorf("%v: %v after %v, tried %v; log: %v", tt.addrs, err, time.Since(start), n.tried, seen.All())
			}
			if err == nil {
				c.Close()
			}
			synctest.Wait()
			if len(d.Loops.sockets.open) != 0 {
				t.Errorf("%v: %d sockets left open", tt.addrs, len(d.Loops.sockets.open))
			}
		})
	}
}

// TestPinsHoldForResumedSessions: a resumed session brings the chain that was
// verified when it began. It is held to the pins of today.
func TestPinsHoldForResumedSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, err := certs.NewCA("root", certs.ECDSA)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := ca.Issue(certs.Leaf{Names: []string{"a.test"}})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(leaf.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		right := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
		wrong := right
		wrong[0]++
		n := new(network)
		serveTLS(n, leaf)
		d := dialer(t, n, "203.0.113.5")
		sessions := tls.NewLRUClientSessionCache(maxSessions)
		connect := func(pin [sha256.Size]byte) (resumed bool, err error) {
			conf := NewTLS(tls.VersionTLS12, ca.Pool(), [][32]byte{pin}, nil)
			conf.modern.ClientSessionCache = sessions
			c, err := d.Connect(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443, ServerName: host.MustParse("a.test")}, "", conf, new(Hellos))
			if err != nil {
				return false, err
			}
			defer c.Close()
			_, err = c.Reader.ReadByte() // and the tickets before it
			return c.State().DidResume, err
		}
		if resumed, err := connect(right); resumed || err != nil {
			t.Fatal(resumed, err)
		}
		if resumed, err := connect(right); !resumed || err != nil {
			t.Fatal("not resumed, so this proves nothing:", err)
		}
		if _, err := connect(wrong); reason(err) != problem.TLSVerify {
			t.Error(err)
		}
	})
}
