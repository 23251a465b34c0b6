package oldtls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestWithoutCA: old clients are told by an alert, counted, and their owner
// reads what to do.
func TestWithoutCA(t *testing.T) {
	t.Parallel()
	stage := bare(t, portal(t, smsportal.Options{}), callers(len(ways)*len(oldVersions)))
	for i, w := range ways {
		for j, version := range oldVersions {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s := stage.caller(t, i*len(oldVersions)+j)
				h := spelled{version: version, suites: plainSuites, sni: api}
				refused(t, say(t, w.open(t, s, api), h.wire()), alertProtocolVersion)
				s.failed(t, "version")
				line := s.says("handshake refused", harness.Match{"reason": "version"})
				if !strings.Contains(line.String("advice"), "tlslift ca init") || line.String("offered") != words[version] || line.String("host") != api {
					t.Errorf("the log says %v", line)
				}
				s.WaitMetric(1, "tlslift_client_connections_total", "client", s.client, "ingress", w.name, "tls_version", words[version], "handling", "refused")
				if got := s.standing(t); got.Verdict != "legacy-only" || got.State != "no-calls" {
					t.Errorf("the client stands %+v", got)
				}
			})
		}
	}
}

// TestMinVersion: what is below it is refused although there is a CA.
func TestMinVersion(t *testing.T) {
	t.Parallel()
	for _, minimum := range []uint16{tls.VersionTLS11, tls.VersionTLS12} {
		t.Run(words[minimum], func(t *testing.T) {
			t.Parallel()
			s := start(t, smsportal.Options{}, fmt.Sprintf("legacy_tls: {min_version: '%s'}", words[minimum]))
			for _, version := range oldVersions {
				answer := say(t, connect.open(t, s, api), spelled{version: version, suites: plainSuites, sni: api}.wire())
				if answer.Refused != (version < minimum) || answer.Refused && answer.Alert != alertProtocolVersion {
					t.Errorf("%s: %+v", words[version], answer)
				}
			}
			s.WaitMetric(float64(minimum-tls.VersionTLS10), "tlslift_client_handshake_failures_total", "reason", "version")
		})
	}
}

// TestSSL3: no server can answer it any more; the client's owner is told so.
func TestSSL3(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{}, callers(len(ways)))
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			refused(t, say(t, w.open(t, s, api), spelled{version: 0x0300, suites: plainSuites}.wire()), alertProtocolVersion)
			s.failed(t, "version")
			if line := s.says("handshake failed", harness.Match{"offered": "ssl3"}); line.String("advice") == "" {
				t.Errorf("the log says %v", line)
			}
			s.WaitMetric(1, "tlslift_client_hellos_total", "client", s.client, "max_version", "ssl3", "framing", "tls", "sni", "no")
			s.WaitMetric(1, "tlslift_client_connections_total", "client", s.client, "tls_version", "ssl3", "handling", "refused")
			if got := s.standing(t); got.Verdict != "shut-out" {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestNothingShared: suites that nobody has any more.
func TestNothingShared(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		suites  []uint16
		verdict string
	}{
		{"EXPORT", []uint16{0x0003, 0x0006, 0x0008}, "shut-out"},
		{"DES", []uint16{0x0009}, "shut-out"},
		{"DHE", []uint16{0x0033, 0x0039, 0x0016}, "shut-out"},
		{"RC4-MD5", []uint16{0x0004}, "shut-out"},
		{"anonymous", []uint16{0x0034, 0x001b}, "shut-out"},
		{"RC4", []uint16{0x0005, 0x0004}, "legacy-only"}, // legacy_tls.rc4 would help
		{"nothing", nil, "shut-out"},
	}
	stage := start(t, smsportal.Options{}, callers(len(tests)))
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			h := spelled{version: tls.VersionTLS10, suites: tt.suites, sni: api}
			refused(t, say(t, connect.open(t, s, api), h.wire()), alertHandshakeFailure)
			s.failed(t, "no_shared_cipher")
			if line := s.says("handshake failed", harness.Match{"reason": "no_shared_cipher"}); line.String("advice") == "" || line.String("ja4") == "" {
				t.Errorf("the log says %v", line)
			}
			if got := s.standing(t); got.Verdict != tt.verdict || got.State != "no-calls" {
				t.Errorf("the client stands %+v, want %s", got, tt.verdict)
			}
		})
	}
}

// TestRC4ByKey: only where the operator has allowed it.
func TestRC4ByKey(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "legacy_tls: {rc4: true}")
	config := speaking(tls.VersionTLS10, s.ours, legacy)
	config.CipherSuites = []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}
	if answer := s.hello(t, connect, legacy, config).Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, answer.Text)
	}
}

// TestClientRejectsTheCA: it says so by an alert, and the line says what is to
// be installed where.
func TestClientRejectsTheCA(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{}, callers(len(ways)*len(oldVersions)))
	for i, w := range ways {
		for j, version := range oldVersions {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s := stage.caller(t, i*len(oldVersions)+j)
				conn := w.open(t, s, api)
				if err := tls.Client(conn, speaking(version, s.portal.Roots(), api)).Handshake(); err == nil {
					t.Fatal("the client trusts anybody")
				}
				s.failed(t, "client_rejected_ca")
				line := s.says("handshake failed", harness.Match{"reason": "client_rejected_ca"})
				if line.String("client_addr") == "" || line.String("host") != api || !strings.Contains(line.String("advice"), "/ca.pem") {
					t.Errorf("the log says %v", line)
				}
				if got := s.standing(t); got.Verdict != "distrusts-ca" {
					t.Errorf("the client stands %+v", got)
				}
			})
		}
	}
}

// TestClientRejectsTheCALate: some finish the handshake first, then look at
// the certificate, and go.
func TestClientRejectsTheCALate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, reason, end string
		leave             func(*tls.Conn)
	}{
		{"by hanging up", "no_call", "closed", func(c *tls.Conn) { _ = c.NetConn().Close() }},
		{"by taking its leave", "no_call", "closed", func(c *tls.Conn) { _ = c.Close() }},
		{"by a reset", "no_call", "reset_by_client", func(c *tls.Conn) { harness.NewCaller(t, c.NetConn()).Reset() }},
	}
	stage := start(t, smsportal.Options{}, callers(len(tests)))
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			tt.leave(s.hello(t, connect, api, speaking(tls.VersionTLS10, s.ours, api)).tls)
			s.failed(t, tt.reason)
			line := s.says("the client left after the handshake", harness.Match{"reason": tt.reason})
			if !strings.Contains(line.String("advice"), "trust") || line.String("host") != api {
				t.Errorf("the log says %v", line)
			}
			s.says("tunnel", harness.Match{"handling": "terminated", "handshake": tt.reason, "status": 200, "end": tt.end})
			if got := s.standing(t); got.Verdict != "distrusts-ca" || !got.Failing || !got.Suspected {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestNotTLS: garbage of every kind ends the connection, is counted where it
// began like TLS, and costs nothing more.
func TestNotTLS(t *testing.T) {
	t.Parallel()
	hello := spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()
	tests := []struct {
		name   string
		bytes  []byte
		reason string // "" = answered as HTTP
	}{
		{"a record of version 9", []byte{22, 9, 9, 0, 5, 1, 0, 0, 1, 0}, "not_tls"},
		{"an empty record", []byte{22, 3, 1, 0, 0}, "other"},
		{"a record of 32 KiB", []byte{22, 3, 1, 0x80, 0}, "other"},
		{"a ServerHello", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, "other"},
		{"a hello of 16 MiB", []byte{22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, "other"},
		{"a hello cut short", records([]byte{1, 0, 0, 3, 3, 1, 0}, 100), "other"},
		{"an alert in the middle", append(records(hello[5:], 20)[:25], 21, 3, 1, 0, 2, 2, 40), "not_tls"},
		{"a broken SSL 2.0 hello", []byte{0x80, 0x20, 1, 3, 1, 0, 7, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, "other"},
		{"a small SSL 2.0 hello", []byte{0x80, 2, 1, 3, 1, 0, 0, 0, 0, 0, 0}, "other"},
		{"noise", []byte{0xff, 0xfe, 0x42, 0x00, 0x13, 0x37, '\r', '\n', '\r', '\n'}, ""},
		{"a record that is no TLS", []byte{0x17, 3, 1, 0, 2, 0, 0, '\r', '\n', '\r', '\n'}, ""},
	}
	stage := start(t, smsportal.Options{}, callers(len(tests)*len(ways)))
	for i, tt := range tests {
		for j, w := range ways {
			t.Run(tt.name+" "+w.name, func(t *testing.T) {
				t.Parallel()
				s := stage.caller(t, i*len(ways)+j)
				conn := w.open(t, s, api)
				_ = conn.SetDeadline(time.Now().Add(harness.Patience))
				_, _ = conn.Write(tt.bytes)
				answer, err := io.ReadAll(conn)
				if err != nil && isTimeout(err) {
					t.Fatal("the connection stays open")
				}
				if tt.reason == "" {
					if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
						t.Errorf("answered %q", answer)
					}
					return
				}
				// What is TLS and cannot be read is told so (RFC 8446 6.2).
				if decodeError := "\x15\x03\x01\x00\x02\x02\x32"; (tt.reason == "other") != (string(answer) == decodeError) {
					t.Errorf("answered %q", answer)
				}
				s.failed(t, tt.reason)
				s.WaitMetric(1, "tlslift_client_connections_total", "client", s.client, "handling", "refused")
			})
		}
	}
	t.Cleanup(func() {
		if n := stage.portal.Connections(); n != 0 {
			t.Errorf("%d connections went up", n)
		}
	})
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// TestUpstreamIsNotThere: a modern client learns it by an alert, an old one by
// an answer inside its TLS.
func TestUpstreamIsNotThere(t *testing.T) {
	t.Parallel()
	// A closed port of 127.0.0.1 may soon be another test's; nobody else uses this address.
	s := start(t, smsportal.Options{Listen: "127.0.0.9:0"}, "")
	if err := s.portal.Close(); err != nil {
		t.Fatal(err)
	}
	for i, w := range ways {
		h := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: api}
		refused(t, say(t, w.open(t, s, api), h.wire()), alertInternalError)
		s.WaitLogs(0, harness.Match{"msg": "tunnel", "handling": "refused", "error": "connect", "host": api}, i+1)

		c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
		answer := c.Send(ask(legacy, credits)).Answer("GET")
		if answer.StatusCode != 502 || answer.Problem() != "connect" || answer.Delivery() != "not_sent" || !strings.Contains(answer.Text, "<api_result") {
			t.Errorf("%s: %d %s %s", w.name, answer.StatusCode, answer.Problem(), answer.Delivery())
		}
	}
	s.WaitMetric(4, "tlslift_upstream_failures_total", "reason", "connect") // the last is counted after its answer
	s.counts(t, wants{4, "tlslift_upstream_failures_total", []string{"reason", "connect", "delivery", "not_sent"}})
}

// TestListenerWithoutTLS: a listener for proxy clients alone refuses those who
// take it for the API.
func TestListenerWithoutTLS(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', accept: [forward, connect]}]")
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
		h := spelled{version: version, suites: plainSuites, sni: api}
		refused(t, say(t, direct.open(t, s, api), h.wire()), alertHandshakeFailure)
	}
	s.WaitMetric(2, "tlslift_denied_total", "reason", "acl")
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("by CONNECT: %d", answer.StatusCode)
	}
}

// TestHandshakeTimeout: who does not finish is counted, in the hello as after
// it.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	hello := spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()
	stage := start(t, smsportal.Options{}, "legacy_tls: {handshake_timeout: 200ms}\n"+callers(2*len(ways)))
	for i, said := range [][]byte{hello[:len(hello)/2], hello} {
		for j, w := range ways {
			t.Run(fmt.Sprintf("after %d bytes by %s", len(said), w.name), func(t *testing.T) {
				t.Parallel()
				s := stage.caller(t, i*len(ways)+j)
				conn := w.open(t, s, api)
				_, _ = conn.Write(said)
				_, _ = io.Copy(io.Discard, conn) // until it is closed
				s.failed(t, "timeout")
			})
		}
	}
}

// TestClientHangsUpInTheHandshake is counted as what it is.
func TestClientHangsUpInTheHandshake(t *testing.T) {
	t.Parallel()
	hello := spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()
	stage := start(t, smsportal.Options{}, callers(2))
	for i, said := range [][]byte{hello[:len(hello)/2], hello} {
		t.Run(fmt.Sprintf("after %d bytes", len(said)), func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			conn := connect.open(t, s, api)
			_, _ = conn.Write(said)
			_ = conn.Close()
			s.failed(t, "eof")
		})
	}
}
