package oldtls

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// sslv2Framed is a hello in SSL 2.0 framing (RFC 5246 E.2) that offers a
// version and RSA key exchange with AES.
func sslv2Framed(version uint16) []byte {
	body := binary.BigEndian.AppendUint16([]byte{1}, version)
	body = append(body, 0, 9, 0, 0, 0, 16, 0, 0, 0x2f, 0, 0, 0xff, 1, 0, 0x80)
	challenge := make([]byte, 16)
	_, _ = rand.Read(challenge)
	body = append(body, challenge...)
	return append([]byte{0x80, byte(len(body))}, body...)
}

// TestSSLv2FramedHello: what Java 6 and OpenSSL 0.9.8 say. (test/interop does
// the whole exchange with clients that speak so.)
func TestSSLv2FramedHello(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, smsportal.Options{}, "")
			if answer := say(t, w.open(t, s, api), sslv2Framed(tls.VersionTLS10)); answer.Version != tls.VersionTLS10 || answer.CipherSuite != 0x2f {
				t.Errorf("answered %+v", answer)
			}
			s.WaitMetric(1, "tlslift_client_hellos_total", "max_version", "1.0", "framing", "sslv2", "sni", "no")
			if got := s.standing(t); got.Verdict != "sslv2-framed" {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestSSLv2FramedTLS11 is answered at TLS 1.0, the one version that is
// converted.
func TestSSLv2FramedTLS11(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	if answer := say(t, connect.open(t, s, api), sslv2Framed(tls.VersionTLS11)); answer.Version != tls.VersionTLS10 {
		t.Errorf("answered %+v", answer)
	}
}

// TestSSLv2FramedNotAllowed: told, counted and explained.
func TestSSLv2FramedNotAllowed(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"by key": "legacy_tls: {sslv2_hello: false}", "by version": "legacy_tls: {min_version: '1.1'}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, smsportal.Options{}, config)
			refused(t, say(t, connect.open(t, s, api), sslv2Framed(tls.VersionTLS10)), alertProtocolVersion)
			if name == "by version" {
				s.failed(t, "version")
				return
			}
			s.failed(t, "sslv2_hello")
			line := s.WaitLog(harness.Match{"msg": "handshake failed", "reason": "sslv2_hello"})
			if !strings.Contains(line.String("advice"), "legacy_tls.sslv2_hello") {
				t.Errorf("the log says %v", line)
			}
			if got := s.standing(t); got.Verdict != "sslv2-framed" {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestSSL2Alone is told so in the words of that protocol.
func TestSSL2Alone(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	conn := connect.open(t, s, api)
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	_, _ = conn.Write(sslv2Framed(0x0002))
	if got, err := io.ReadAll(conn); err != nil || string(got) != "\x80\x03\x00\x00\x01" {
		t.Errorf("answered %q, %v", got, err)
	}
	s.failed(t, "version")
}

// TestSSLv2FramedModern: a hello in this framing that offers TLS 1.2 is the
// upstream's to judge, which will not have it.
func TestSSLv2FramedModern(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	if answer := say(t, connect.open(t, s, api), sslv2Framed(tls.VersionTLS12)); !answer.Refused {
		t.Errorf("answered %+v", answer)
	}
	if got := s.standing(t); got.Verdict != "sslv2-framed" {
		t.Errorf("the client stands %+v", got)
	}
	if got := s.Metrics().Sum("tlslift_client_handshake_failures_total"); got != 1 {
		t.Errorf("%v failures were counted", got)
	}
}
