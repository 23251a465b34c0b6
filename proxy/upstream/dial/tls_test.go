package dial

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"testing/synctest"

	"tlslift/deploy/demo/certs"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
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
			conf := NewTLS(tls.VersionTLS12, ca.Pool(), [][]byte{pin[:]}, nil)
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
