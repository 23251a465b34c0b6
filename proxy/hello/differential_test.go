package hello

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// byCryptoTLS is what crypto/tls makes of a hello, nil if it refuses it
// unread.
func byCryptoTLS(raw []byte) *tls.ClientHelloInfo {
	var info *tls.ClientHelloInfo
	stop := errors.New("seen enough")
	_ = tls.Server(&scriptedConn{Reader: bytes.NewReader(raw)}, &tls.Config{
		MinVersion: tls.VersionTLS10,
		GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
			info = i
			return nil, stop
		},
	}).Handshake()
	return info
}

// scriptedConn reads from memory and swallows what is written.
type scriptedConn struct{ io.Reader }

func (*scriptedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (*scriptedConn) Close() error                     { return nil }
func (*scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*scriptedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (*scriptedConn) SetDeadline(time.Time) error      { return nil }
func (*scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (*scriptedConn) SetWriteDeadline(time.Time) error { return nil }

// agree compares our reading with that of crypto/tls.
func agree(t *testing.T, h *ClientHello, info *tls.ClientHelloInfo) {
	t.Helper()
	same := func(what string, ok bool) {
		if !ok {
			t.Errorf("%s: we have %+v, crypto/tls %+v", what, h, info)
		}
	}
	same("suites", slices.Equal(h.CipherSuites, info.CipherSuites))
	same("name", h.ServerName == hostOf(info.ServerName))
	same("protocols", slices.Equal(h.ALPN, info.SupportedProtos))
	same("formats", slices.Equal(h.PointFormats, info.SupportedPoints))
	same("extensions", slices.Equal(h.Extensions, info.Extensions))
	same("groups", slices.EqualFunc(h.Groups, info.SupportedCurves, func(a uint16, b tls.CurveID) bool { return a == uint16(b) }))
	same("signatures", slices.EqualFunc(h.SignatureAlgorithms, info.SignatureSchemes, func(a uint16, b tls.SignatureScheme) bool { return a == uint16(b) }))
	// Without supported_versions crypto/tls lists what it can speak itself, and
	// negotiates at most TLS 1.2.
	if len(h.SupportedVersions) > 0 {
		same("versions", slices.Equal(h.SupportedVersions, info.SupportedVersions))
	} else if len(info.SupportedVersions) > 0 {
		same("highest version", h.MaxVersion == min(slices.Max(info.SupportedVersions), VersionTLS12))
	}
}

// TestSameAsCryptoTLS has crypto/tls clients of many configurations write
// hellos, and compares what both make of them.
func TestSameAsCryptoTLS(t *testing.T) {
	t.Parallel()
	names := []string{"", "api.smsportal.com", "check.tlslift.test"}
	protos := [][]string{nil, {"http/1.1"}, {"h2", "http/1.1"}}
	curves := [][]tls.CurveID{nil, {tls.CurveP256}, {tls.X25519, tls.CurveP521}}
	suites := [][]uint16{nil, {tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, tls.TLS_RSA_WITH_RC4_128_SHA}, {tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	n := 0
	for _, limits := range [][2]uint16{{0x301, 0x301}, {0x301, 0x302}, {0x301, 0x303}, {0x301, 0x304}, {0x304, 0x304}, {0x303, 0x303}} {
		for i := range len(names) * len(protos) * len(curves) * len(suites) {
			c := &tls.Config{
				MinVersion: limits[0], MaxVersion: limits[1], InsecureSkipVerify: true,
				ServerName: names[i%3], NextProtos: protos[i/3%3], CurvePreferences: curves[i/9%3], CipherSuites: suites[i/27],
			}
			raw := helloOf(c)
			h, used, err := Parse(raw)
			if err != nil || used != len(raw) {
				t.Fatalf("%d of %d bytes, %v", used, len(raw), err)
			}
			if h.MaxVersion != limits[1] {
				t.Errorf("highest version %04x, configured %04x", h.MaxVersion, limits[1])
			}
			info := byCryptoTLS(raw)
			if info == nil {
				t.Fatalf("crypto/tls refuses its own hello %x", raw)
			}
			agree(t, h, info)
			n++
		}
	}
	if n != 6*81 {
		t.Errorf("%d hellos", n)
	}
}

// helloOf is what a crypto/tls client writes first.
func helloOf(c *tls.Config) []byte {
	var out bytes.Buffer
	_ = tls.Client(&writtenConn{scriptedConn{strings.NewReader("")}, &out}, c).Handshake()
	return out.Bytes()
}

type writtenConn struct {
	scriptedConn
	out *bytes.Buffer
}

func (c *writtenConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func TestRealClientsAsCryptoTLSReadsThem(t *testing.T) {
	t.Parallel()
	for _, c := range readCaptured(t) {
		h, _, err := Parse(c.raw)
		if err != nil {
			t.Fatal(err)
		}
		info := byCryptoTLS(c.raw)
		if h.Framing == SSLv2 || h.MaxVersion < VersionTLS10 {
			continue // crypto/tls does not read the one, and knows no version for the other
		}
		if info == nil {
			t.Fatalf("%s: crypto/tls refuses it", c.client)
		}
		agree(t, h, info)
	}
}

// FuzzParse holds us to crypto/tls: what it reads we read, and the same way.
// In pieces a hello must be read as it is in one, and nothing beyond it.
func FuzzParse(f *testing.F) {
	for _, c := range readCaptured(f) {
		f.Add(c.raw)
	}
	f.Add(records(buildHello(VersionTLS10, plainSuites, []extension{{extServerName, serverName("a.example.")}}), 5))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, n, err := Parse(raw)
		if errors.Is(err, ErrIncomplete) && n <= len(raw) {
			t.Fatalf("%d bytes are there and %d are needed", len(raw), n)
		}
		info := byCryptoTLS(raw)
		if err == nil && n > len(raw) {
			t.Fatalf("%d of %d bytes used", n, len(raw))
		}
		if info != nil && err != nil && !tolerated(raw, err) {
			t.Fatalf("crypto/tls reads it, we say %v", err)
		}
		if err != nil {
			return
		}
		if info != nil {
			agree(t, h, info)
		}
		h.JA4()
		h.Library()
		piecewise, got, err := Read(&sliceReader{raw[:n]}, MaxSize)
		if err != nil || !bytes.Equal(got, raw[:n]) || piecewise.JA4() != h.JA4() || !bytes.Equal(piecewise.Message, h.Message) {
			t.Fatalf("in pieces: %v", err)
		}
	})
}

// tolerated are hellos that crypto/tls reads and we need not: it skips alerts
// before them, and takes records of any version and of the size of encrypted
// ones.
func tolerated(raw []byte, err error) bool {
	return len(raw) > 0 && raw[0] != RecordHandshake || errors.Is(err, ErrTooLarge) ||
		strings.Contains(err.Error(), "handshake record of") || strings.Contains(err.Error(), "record version")
}
