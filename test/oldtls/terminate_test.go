package oldtls

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// credits is a call of the legacy API.
const credits = "/api5/http5.aspx?Type=credits&Username=u&Password=p"

// TestOldClientsAreTerminated: every old version, every way in; the request
// goes up over TLS 1.2 or 1.3.
func TestOldClientsAreTerminated(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, callers(len(ways)*len(oldVersions)))
	for i, w := range ways {
		for j, version := range oldVersions {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s.caller(t, i*len(oldVersions)+j).upgrades(t, w, version)
			})
		}
	}
	t.Cleanup(func() {
		s.counts(t, wants{1, "tlslift_leaf_certificates_minted_total", nil}) // one name, one leaf
	})
}

func (s *stage) upgrades(t *testing.T, w way, version uint16) {
	t.Helper()
	config := speaking(version, s.ours, legacy)
	config.CipherSuites = nil // Go's own, by which it is known
	c := s.hello(t, w, legacy, config)
	path := credits + "&caller=" + s.client
	answer := c.Send(ask(legacy, path)).Answer("GET")
	if answer.StatusCode != 200 || !strings.Contains(answer.Text, "<result>True</result>") {
		t.Errorf("%d %s", answer.StatusCode, answer.Text)
	}
	if got := s.arrived(t, path); got.TLSVersion < tls.VersionTLS12 || got.ServerName != legacy {
		t.Errorf("the upstream saw %04x for %q", got.TLSVersion, got.ServerName)
	}
	word := words[version]
	line := s.says("request", nil)
	if line.String("tls_version") != word || line.String("ingress") != w.name || line.String("host") != legacy ||
		line.String("ja4") == "" || line.String("tls_cipher") != tls.CipherSuiteName(c.tls.ConnectionState().CipherSuite) ||
		line.String("upstream_tls_version") != "1.3" {
		t.Errorf("the log says %v", line)
	}
	s.WaitMetric(1, "tlslift_client_requests_total", "client", s.client)
	s.counts(
		t,
		wants{1, "tlslift_client_connections_total", []string{"client", s.client, "ingress", w.name, "tls_version", word, "handling", "terminated"}},
		wants{1, "tlslift_client_connections_total", []string{"client", s.client}},
		wants{1, "tlslift_client_hellos_total", []string{"client", s.client, "max_version", word, "framing", "tls", "sni", "yes"}},
		wants{1, "tlslift_client_requests_total", []string{"client", s.client, "tls_version", word, "insecure", "true"}},
		wants{1, "tlslift_upgrades_total", []string{"client", s.client, "from", word}},
		wants{0, "tlslift_client_handshake_failures_total", nil},
	)
	if got := s.standing(t); got.Verdict != "legacy-only" || !strings.HasPrefix(got.Library, "Go") || got.State != "insecure" {
		t.Errorf("the client stands %+v", got)
	}
}

// TestNamesInTheHello: after a CONNECT the leaf is for the CONNECT's host,
// whatever the hello says. Directly, a name that is no upstream gets the leaf
// with all names, and the inner Host decides.
func TestNamesInTheHello(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, w := range ways {
		for _, sni := range []string{"", "localhost", "undefined", "elsewhere.test", legacy} {
			t.Run(w.name+" "+sni, func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				c := s.hello(t, w, legacy, naming(tls.VersionTLS10, s.ours, sni, legacy))
				for range 2 {
					if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 || answer.Problem() != "" {
						t.Errorf("%d %s", answer.StatusCode, answer.Text)
					}
				}
				leaf := c.tls.ConnectionState().PeerCertificates[0]
				switch {
				case leaf.Subject.CommonName == "" || !slices.Contains(leaf.DNSNames, legacy) && !slices.Contains(leaf.DNSNames, "*.mymobileapi.com"):
					t.Errorf("CN %q, names %v", leaf.Subject.CommonName, leaf.DNSNames)
				case w.name == direct.name && sni != legacy && len(leaf.DNSNames) != len(harness.UpstreamHosts)+1: // and the self-test's
					t.Errorf("not all names: %v", leaf.DNSNames)
				case slices.Contains(leaf.DNSNames, "elsewhere.test"):
					t.Errorf("a stranger's name: %v", leaf.DNSNames)
				}
			})
		}
	}
}

// TestInnerHostDecides on connections that named no host of ours, request by
// request; default_upstream is for requests that name none either, and is then
// the leaf's CN.
func TestInnerHostDecides(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"alone": "", "with default_upstream": "listen: [{address: '127.0.0.1:0', default_upstream: " + api + "}]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, smsportal.Options{}, config)
			c := s.hello(t, direct, "", naming(tls.VersionTLS10, s.ours, "", legacy))
			if leaf := c.tls.ConnectionState().PeerCertificates[0]; leaf.VerifyHostname(api) != nil || leaf.VerifyHostname(legacy) != nil ||
				(leaf.Subject.CommonName == api) != (config != "") {
				t.Errorf("the leaf is for %s, %v", leaf.Subject.CommonName, leaf.DNSNames)
			}
			for i, host := range []string{api, legacy, strings.ToUpper(legacy), legacy + ".", legacy + ":443"} {
				if answer := c.Send(ask(host, credits)).Answer("GET"); answer.Problem() != "" {
					t.Errorf("%s: %d %s", host, answer.StatusCode, answer.Problem())
					continue
				}
				want := legacy
				if host == api {
					want = api
				}
				if got := s.portal.Requests()[i]; got.ServerName != want || got.Header.Get("Host") != want {
					t.Errorf("%s went to %s, Host %s", host, got.ServerName, got.Header.Get("Host"))
				}
			}
			if answer := c.Send(ask("elsewhere.test", credits)).Answer("GET"); config == "" && (answer.StatusCode != 403 || answer.Problem() != "host") ||
				config != "" && answer.Problem() != "" {
				t.Errorf("a stranger: %d %s", answer.StatusCode, answer.Problem())
			}
			if answer := c.Send(ask("tlslift", "/"+api+credits)).Answer("GET"); answer.Problem() != "" {
				t.Errorf("a base URL: %d %s", answer.StatusCode, answer.Problem())
			}
			answer := c.Send("GET " + credits + " HTTP/1.0\r\n\r\n").Answer("GET")
			switch {
			case config == "" && (answer.StatusCode != 400 || answer.Problem() != "malformed"):
				t.Errorf("no host at all: %d %s", answer.StatusCode, answer.Problem())
			case config != "" && answer.Problem() != "":
				t.Errorf("no host at all: %d %s", answer.StatusCode, answer.Problem())
			}
		})
	}
}

// TestMisdirected: a connection for one of our hosts is not for another, but
// spelling does not matter.
func TestMisdirected(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			s := s.in(t)
			c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
			for _, host := range []string{strings.ToUpper(legacy), legacy + ".", legacy + ":443"} {
				if answer := c.Send(ask(host, credits)).Answer("GET"); answer.Problem() != "" {
					t.Errorf("%s: %d %s", host, answer.StatusCode, answer.Problem())
				}
			}
			for _, host := range []string{api, "elsewhere.test", "localhost"} {
				answer := c.Send(ask(host, credits)).Answer("GET")
				if answer.StatusCode != http.StatusMisdirectedRequest || answer.Problem() != "misdirected" || answer.Delivery() != "not_sent" {
					t.Errorf("%s: %d %s", host, answer.StatusCode, answer.Problem())
				}
			}
			if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.Problem() != "" {
				t.Errorf("afterwards: %d %s", answer.StatusCode, answer.Problem())
			}
		})
	}
	s.WaitMetric(6, "tlslift_denied_total", "reason", "misdirected")
	for _, r := range s.portal.Requests() {
		if r.ServerName != legacy {
			t.Errorf("a request went to %s", r.ServerName)
		}
	}
}

// TestTrailingDot: a name with a dot at its end, which crypto/tls would refuse,
// is answered with the leaf of the name without. (test/interop does the whole
// exchange with a client that can.)
func TestTrailingDot(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, w := range ways {
		for _, version := range oldVersions {
			h := spelled{version: version, suites: plainSuites, sni: strings.ToUpper(legacy) + "."}
			if answer := say(t, w.open(t, s, legacy), h.wire()); answer.Refused || answer.Version != version {
				t.Errorf("%s %s: %+v", w.name, words[version], answer)
			}
		}
	}
	if got := s.Metrics().Sum("tlslift_leaf_certificates_minted_total"); got != 1 {
		t.Errorf("%v leaves for one name", got)
	}
}

// TestSelfTestIsTerminated, whatever the client offers: it asks what tlslift
// sees of it.
func TestSelfTestIsTerminated(t *testing.T) {
	t.Parallel()
	const host = "check.tlslift.test"
	s := start(t, smsportal.Options{}, "")
	for _, w := range ways {
		for _, version := range append(modern, oldVersions...) {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				c := s.hello(t, w, host, speaking(version, s.ours, host))
				answer := c.Send(ask(host, "/")).Answer("GET")
				for _, want := range []string{
					"TLS version  " + words[version], "offers       " + words[version], "way in       " + w.name, "address      127.0.0.1",
					fmt.Sprintf("insecure     %t", version < tls.VersionTLS12), tls.CipherSuiteName(c.tls.ConnectionState().CipherSuite),
				} {
					if answer.StatusCode != 200 || !strings.Contains(answer.Text, want) {
						t.Errorf("%d, without %q: %s", answer.StatusCode, want, answer.Text)
					}
				}
			})
		}
	}
	t.Cleanup(func() {
		if n := s.portal.Count(); n != 0 {
			t.Errorf("%d requests went up", n)
		}
	})
}

// TestTerminateClients: the operator chose so, for clients that cannot do
// without. Nothing else is terminated at 1.2.
func TestTerminateClients(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, `
listen: [{address: '127.0.0.1:0', client: chosen}, {address: '127.0.0.1:0', client: other}]
legacy_tls: {terminate_clients: [chosen]}`)
	for _, version := range modern {
		c := s.hello(t, connect, api, speaking(version, s.ours, api))
		if answer := c.Send(ask(api, "/")).Answer("GET"); answer.Problem() != "" {
			t.Errorf("%s: %d %s", words[version], answer.StatusCode, answer.Problem())
		}
		s.WaitMetric(1, "tlslift_client_connections_total", "client", "chosen", "tls_version", words[version], "handling", "terminated")
		s.WaitMetric(1, "tlslift_client_requests_total", "client", "chosen", "tls_version", words[version], "insecure", "false")
		s.WaitMetric(1, "tlslift_upgrades_total", "client", "chosen", "from", words[version])
	}
	other := tls.Client(harness.Dial(t, s.ListenAddr(1)).Tunnel(api+":443").Conn(), speaking(tls.VersionTLS12, s.portal.Roots(), api))
	if answer := harness.NewCaller(t, other).Send(ask(api, "/")).Answer("GET"); answer.Problem() != "" {
		t.Errorf("another client: %d %s", answer.StatusCode, answer.Problem())
	}
	s.WaitMetric(1, "tlslift_client_connections_total", "client", "other", "handling", "spliced")
}
