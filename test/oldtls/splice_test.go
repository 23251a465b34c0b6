package oldtls

import (
	"bytes"
	"crypto/tls"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// modern are the versions that are spliced.
var modern = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// TestModernClientsAreSpliced: they talk to the upstream itself. A CA of ours
// is there and is not used.
func TestModernClientsAreSpliced(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, callers(len(ways)*len(modern)))
	for i, w := range ways {
		for j, version := range modern {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s.caller(t, i*len(modern)+j).splices(t, w, version)
			})
		}
	}
}

func (s *stage) splices(t *testing.T, w way, version uint16) {
	t.Helper()
	c := s.hello(t, w, api, speaking(version, s.portal.Roots(), api))
	path := "/v1/Balance/" + s.client
	if answer := c.Send(ask(api, path)).Answer("GET"); answer.StatusCode == 0 || answer.Problem() != "" {
		t.Errorf("%d %s", answer.StatusCode, answer.Text)
	}
	if got := s.arrived(t, path); got.TLSVersion != version || got.ServerName != api || got.Header.Get("Via") != "" {
		t.Errorf("the upstream saw %04x for %q, Via %q", got.TLSVersion, got.ServerName, got.Header.Get("Via"))
	}
	c.Close()
	line := s.says("tunnel", harness.Match{"handling": "spliced"})
	if line.String("tls_version") != words[version] || line.String("ingress") != w.name || line.String("host") != api ||
		line.String("ja4") == "" || line.String("tls_cipher") == "" {
		t.Errorf("the log says %v", line)
	}
	s.counts(
		t,
		wants{1, "tlslift_client_connections_total", []string{"client", s.client, "ingress", w.name, "tls_version", words[version], "handling", "spliced"}},
		wants{1, "tlslift_client_connections_total", []string{"client", s.client}},
		wants{1, "tlslift_client_hellos_total", []string{"client", s.client, "max_version", words[version], "framing", "tls", "sni", "yes"}},
		wants{0, "tlslift_leaf_certificates_minted_total", nil},
		wants{0, "tlslift_client_requests_total", nil},
		wants{0, "tlslift_client_handshake_failures_total", nil},
		wants{0, "tlslift_upgrades_total", nil},
	)
	if got := s.standing(t); got.Verdict != "capable" || version == tls.VersionTLS12 && !strings.HasPrefix(got.Library, "Go") {
		t.Errorf("the client stands %+v", got)
	}
}

// arrived is the request that the upstream got for this target.
func (s *stage) arrived(t testing.TB, target string) *smsportal.Request {
	t.Helper()
	for _, r := range s.portal.Requests() {
		if r.Target == target {
			return r
		}
	}
	t.Fatalf("no request for %s went up", target)
	return nil
}

// TestSplicedWithoutCA: modern clients need none of ours.
func TestSplicedWithoutCA(t *testing.T) {
	t.Parallel()
	server := portal(t, smsportal.Options{})
	s := bare(t, server, "")
	for _, w := range ways {
		c := s.hello(t, w, api, speaking(tls.VersionTLS12, server.Roots(), api))
		if answer := c.Send(ask(api, "/")).Answer("GET"); answer.Problem() != "" {
			t.Errorf("%s: %d %s", w.name, answer.StatusCode, answer.Problem())
		}
	}
}

// TestModernClientNamesNoHost: without a name nobody knows where to splice to,
// and such a client is not talked down. A default upstream is where it goes.
func TestModernClientNamesNoHost(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0'}, {address: '127.0.0.1:0', default_upstream: "+api+"}]")
	for _, sni := range []string{"", "undefined", "elsewhere.test"} {
		h := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: sni}
		refused(t, say(t, direct.open(t, s, ""), h.wire()), alertUnrecognizedName)
	}
	s.WaitMetric(3, "tlslift_denied_total", "reason", "host")
	if line := s.WaitLog(harness.Match{"msg": "tunnel", "error": "host"}); line.String("handling") != "refused" {
		t.Errorf("the log says %v", line)
	}

	conn := tls.Client(harness.Dial(t, s.ListenAddr(1)).Conn(), naming(tls.VersionTLS12, s.portal.Roots(), "", api))
	c := harness.NewCaller(t, conn)
	if answer := c.Send(ask(api, "/")).Answer("GET"); answer.Problem() != "" || s.portal.Count() != 1 {
		t.Errorf("by the default upstream: %d %s", answer.StatusCode, answer.Problem())
	}
}

// TestLargeAnswersThroughASplice: whole and byte by byte the same.
func TestLargeAnswersThroughASplice(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 512<<10) // 8 MiB
	s := start(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Body: large}, true
	}}, "")
	for _, w := range ways {
		for _, version := range modern {
			c := s.hello(t, w, api, speaking(version, s.portal.Roots(), api))
			if answer := c.Send(ask(api, "/")).Answer("GET"); answer.Text != string(large) {
				t.Errorf("%s %s: %d bytes, or others", w.name, words[version], len(answer.Text))
			}
		}
	}
}

// TestUpstreamSharesNoSuite: the refusal is the upstream's, the explanation
// ours.
func TestUpstreamSharesNoSuite(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{RSA: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}}, callers(len(ways)))
	for i, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			h := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: api}
			refused(t, say(t, w.open(t, s, api), h.wire()), alertHandshakeFailure)
			s.failed(t, "no_shared_cipher")
			line := s.says("the upstream refused a spliced client", harness.Match{"reason": "no_shared_cipher"})
			if !strings.Contains(line.String("advice"), "terminate_clients") || line.String("host") != api || line.String("offered") != "1.2" {
				t.Errorf("the log says %v", line)
			}
			if got := s.standing(t); got.Verdict != "no-shared-cipher" {
				t.Errorf("the client stands %+v", got)
			}
			s.counts(t, wants{0, "tlslift_client_connections_total", []string{"client", s.client}})
		})
	}
}

// TestClientDistrustsTheUpstream: up to TLS 1.2 it says so in clear, at 1.3
// encrypted. Either way it is one failure, one warning, and a client that never
// got through: not one that is migrated, or that could do without tlslift.
func TestClientDistrustsTheUpstream(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{}, callers(len(modern)))
	for i, version := range modern {
		t.Run(words[version], func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			conn := connect.open(t, s, api)
			err := tls.Client(conn, speaking(version, s.ours, api)).Handshake()
			if err == nil {
				t.Fatal("the client trusts anybody")
			}
			_ = conn.Close()
			s.says("tunnel", harness.Match{"handling": "spliced", "handshake": "client_rejected_upstream", "end": "handshake"})
			s.failed(t, "client_rejected_upstream")
			s.counts(t, wants{0, lastSecure, []string{"client", s.client}}, wants{0, "tlslift_client_connections_total", []string{"client", s.client}})
			lines := s.Lines(0, harness.Match{"level": "warn", "client": s.client})
			if len(lines) != 1 || lines[0].String("host") != api || lines[0].String("reason") != "client_rejected_upstream" ||
				!strings.Contains(lines[0].String("advice"), "root certificates") {
				t.Errorf("the log says %v", lines)
			}
			if got := s.standing(t); got.Verdict != "distrusts-upstream" || got.State != "no-calls" {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestSuitesThatNobodyHas: what SMSPortal and tlslift lack alike is one advice, in
// the log as elsewhere, and it does not offer what would not help.
func TestSuitesThatNobodyHas(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{RSA: true, MaxVersion: tls.VersionTLS12}, callers(1)).caller(t, 0)
	h := spelled{version: tls.VersionTLS12, suites: []uint16{0x003d, 0x0041}, sni: api} // AES256-SHA256, CAMELLIA128-SHA
	refused(t, say(t, connect.open(t, s, api), h.wire()), alertHandshakeFailure)
	s.failed(t, "no_shared_cipher")
	line, got := s.says("the upstream refused a spliced client", harness.Match{"reason": "no_shared_cipher", "offered": "1.2"}), s.standing(t)
	if got.Verdict != "shut-out" || line.String("advice") != got.Fix || !strings.Contains(got.Fix, "or only ciphers that SMSPortal and tlslift refuse") {
		t.Errorf("the client stands %+v; the log says %v", got, line)
	}
	s.saidEverywhere(t, got)
}

// TestLeavingWithoutAWord: a client that completes its handshake and hangs up may
// distrust the certificate, or be a health check. Both are said, until it says more.
func TestLeavingWithoutAWord(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{}, callers(len(modern)))
	for i, version := range modern {
		t.Run(words[version], func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			trusting := connect.open(t, s, api)
			if err := tls.Client(trusting, speaking(version, s.portal.Roots(), api)).Handshake(); err != nil {
				t.Fatal(err)
			}
			_ = trusting.Close() // without close_notify
			s.failed(t, "no_call")
			got := s.standing(t)
			if got.State != "no-calls" || got.Verdict != "distrusts-upstream" || !got.Failing || !strings.Contains(got.Fix, "may not trust SMSPortal's certificate: unless it is a health check") {
				t.Errorf("the client stands %+v", got)
			}
			s.saidEverywhere(t, got)
			if _, page := s.Get("/clients/" + s.client); !strings.Contains(page, "it left without a call, 1 time (no_call); last at ") || !strings.Contains(page, "If it is a health check, it needs no change.") {
				t.Error("its page is sure of itself")
			}
			distrusting := connect.open(t, s, api)
			_ = tls.Client(distrusting, speaking(version, s.ours, api)).Handshake()
			_ = distrusting.Close()
			s.In(t).WaitMetric(1, "tlslift_client_handshake_failures_total", "client", s.client, "reason", "client_rejected_upstream")
			if got := s.standing(t); !strings.HasPrefix(got.Fix, "It rejects SMSPortal's certificate:") {
				t.Errorf("then the client stands %+v", got)
			}
		})
	}
}

// TestFallback: a client that says it tried better before is told to go back
// there (RFC 7507), and is known to be able to.
func TestFallback(t *testing.T) {
	t.Parallel()
	stage := start(t, smsportal.Options{}, callers(len(oldVersions)*len(ways)))
	for i, version := range oldVersions {
		for j, w := range ways {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s := stage.caller(t, i*len(ways)+j)
				h := spelled{version: version, suites: append([]uint16{0x5600}, plainSuites...), sni: api}
				refused(t, say(t, w.open(t, s, api), h.wire()), alertInappropriateFallback)
				s.failed(t, "version")
				got := s.standing(t)
				if got.Verdict != "capable" || got.State != "no-calls" || !got.Failing || !strings.Contains(got.Fix, "fell back to an older version, and was refused") {
					t.Errorf("the client stands %+v", got)
				}
				if line := s.says("handshake failed", nil); line.String("advice") != got.Fix {
					t.Errorf("the log says %v, the API %q", line, got.Fix)
				}
				s.saidEverywhere(t, got)
				s.WaitMetric(1, "tlslift_client_verdict", "client", s.client, "verdict", "capable")
				s.counts(t, wants{1, "tlslift_client_handshake_failures_total", []string{"client", s.client, "reason", "version"}})
				s.counts(t, wants{0, "tlslift_client_last_insecure_timestamp_seconds", []string{"client", s.client}})
			})
		}
	}
}
