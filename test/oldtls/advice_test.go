package oldtls

import (
	"crypto/tls"
	"encoding/json"
	"html"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestShutOutIsUpAgainOverHTTP: a client that nobody can agree with is told, in
// the log and on its page, what works today; when it does that, it is no longer
// down, and its age is what is left to mend.
func TestShutOutIsUpAgainOverHTTP(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, callers(1)).caller(t, 0)
	h := spelled{version: tls.VersionTLS10, suites: []uint16{0x0033, 0x0004, 0x0003, 0x0009}, sni: api}
	refused(t, say(t, connect.open(t, s, api), h.wire()), alertHandshakeFailure)
	s.failed(t, "no_shared_cipher")
	if line := s.says("handshake failed", nil); !strings.Contains(line.String("advice"), "http:// addresses through tlslift") {
		t.Errorf("the log says %v", line)
	}
	got := s.standing(t)
	if got.Verdict != "shut-out" || got.State != "no-calls" || !slices.Equal(got.Pages, []string{"shut-out"}) {
		t.Errorf("the client stands %+v", got)
	}
	if line := s.says("handshake failed", nil); !strings.HasPrefix(line.String("advice"), got.Fix) {
		t.Errorf("the log says %v, the API %q", line, got.Fix)
	}
	s.WaitMetric(1, "tlslift_client_verdict", "client", s.client, "verdict", "shut-out")
	if _, page := s.Get("/clients/" + s.client); !strings.Contains(page, html.EscapeString(got.Fix)) || !strings.Contains(page, "What works today") {
		t.Errorf("its page lacks %q", got.Fix)
	}

	answer := harness.Dial(t, s.ListenAddr(0)).Send("GET http://" + api + credits + " HTTP/1.0\r\n\r\n").Answer("GET")
	if answer.StatusCode != 200 {
		t.Fatalf("%d %s", answer.StatusCode, answer.Text)
	}
	s.says("request", harness.Match{"status": "200"})
	if got := s.standing(t); got.Verdict != "legacy-only" || !strings.Contains(got.Fix, "at most TLS 1.0") {
		t.Errorf("the client stands %+v", got)
	}
}

// TestNoServerName: a modern client that names nobody, or an address, where
// nothing answers such callers, is refused with a reason and advice of its own.
func TestNoServerName(t *testing.T) {
	t.Parallel()
	names := []string{"", "127.0.0.1"}
	stage := start(t, smsportal.Options{}, callers(len(names)))
	for i, name := range names {
		t.Run("SNI "+name, func(t *testing.T) {
			t.Parallel()
			noServerName(t, stage.caller(t, i), name)
		})
	}
}

func noServerName(t *testing.T, s *stage, sni string) {
	t.Helper()
	refused(t, say(t, direct.open(t, s, ""), spelled{version: tls.VersionTLS12, suites: plainSuites, sni: sni}.wire()), alertUnrecognizedName)
	s.failed(t, "no_server_name")
	line := s.says("handshake refused", harness.Match{"reason": "no_server_name"})
	advice := line.String("advice")
	if got := s.standing(t); !strings.HasPrefix(advice, got.Fix+" ") || !strings.Contains(got.Fix, "begins with https:// and tlslift's address") {
		t.Errorf("the log says %q, the API %q", advice, got.Fix)
	}
	if !strings.Contains(advice, "default_upstream") || !strings.Contains(advice, "begins with https:// and tlslift's address, write http:// there") || line.String("offered") != "1.2" || line.String("level") != "warn" {
		t.Errorf("the log says %v", line)
	}
	s.says("tunnel", harness.Match{"handling": "refused", "handshake": "no_server_name", "error": "host"})
	if got := s.standing(t); got.Verdict != "no-server-name" || !slices.Contains(got.Pages, "no-server-name") || got.Failures["no_server_name"] != 1 {
		t.Errorf("the client stands %+v", got)
	}
	s.WaitMetric(1, "tlslift_client_verdict", "client", s.client, "verdict", "no-server-name")
	s.counts(t, wants{0, lastSecure, []string{"client", s.client}}, wants{0, lastInsecure, []string{"client", s.client}})
}

// TestNamesWrongHost: the hello names localhost, or another host than the
// CONNECT.
func TestNamesWrongHost(t *testing.T) {
	t.Parallel()
	names := []string{"localhost", "sms-gateway", legacy}
	stage := start(t, smsportal.Options{}, callers(len(names)+1))
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.caller(t, i)
			c := s.hello(t, connect, api, naming(tls.VersionTLS12, s.portal.Roots(), name, api))
			if answer := c.Send(ask(api, credits)).Answer("GET"); answer.StatusCode != 200 {
				t.Fatalf("%d %s", answer.StatusCode, answer.Text)
			}
			c.Close()
			s.says("tunnel", harness.Match{"handling": "spliced"})
			got := s.standing(t)
			if got.Verdict != "names-wrong-host" || !strings.Contains(got.Fix, "does not name the API host that it calls") || !slices.Contains(got.Pages, "names-wrong-host") {
				t.Errorf("the client stands %+v", got)
			}
			s.WaitMetric(1, "tlslift_client_verdict", "client", s.client, "verdict", "names-wrong-host")
		})
	}
	t.Run("direct, localhost", func(t *testing.T) {
		t.Parallel()
		s := stage.caller(t, len(names))
		refused(t, say(t, direct.open(t, s, ""), spelled{version: tls.VersionTLS12, suites: plainSuites, sni: "localhost"}.wire()), alertUnrecognizedName)
		s.says("tunnel", harness.Match{"handling": "refused"})
		if line := s.says("handshake refused", nil); !strings.Contains(line.String("advice"), "does not name the API host that it calls") {
			t.Errorf("the log says %v", line)
		}
		if got := s.standing(t); got.Verdict != "names-wrong-host" || !got.Failing {
			t.Errorf("the client stands %+v", got)
		}
	})
}

// TestOneAdviceEverywhere: log, page, API, report and self-test say the same of
// the same client, from three facts: obstacle, TLS library, program.
func TestOneAdviceEverywhere(t *testing.T) {
	t.Parallel()
	stage := bare(t, portal(t, smsportal.Options{}), callers(3))

	// A PHP program on OpenSSL: what PHP needs first, what OpenSSL needs second.
	s := stage.caller(t, 0)
	hello := spelled{version: tls.VersionTLS10, suites: []uint16{0xc014, 0x0035}, sni: api, alpn: "http/1.1", formats: []byte{0, 1, 2}}
	refused(t, say(t, direct.open(t, s, ""), hello.wire()), alertProtocolVersion)
	line := s.says("handshake refused", harness.Match{"reason": "version"})
	if line.String("library") != "OpenSSL 1.0.x" {
		t.Errorf("the log says %v", line)
	}
	s.call(t, 0, api, "PHP/5.3.29")
	s.says("request", harness.Match{"status": "200"})
	got := s.standing(t)
	if got.Verdict != "legacy-only" || got.Library != "OpenSSL 1.0.x" || got.Program != "PHP" || !slices.Equal(got.Pages, []string{"php", "curl-openssl"}) {
		t.Errorf("the client stands %+v", got)
	}
	for _, part := range []string{"It offers at most TLS 1.0.", "PHP uses OpenSSL", "If it is 1.0.1 or 1.0.2, remove the setting that limits the program to TLS 1.0 or 1.1."} {
		if !strings.Contains(got.Fix, part) {
			t.Errorf("%q is not in %q", part, got.Fix)
		}
	}
	s.WaitMetric(1, "tlslift_client_library_info", "client", s.client, "library", "OpenSSL 1.0.x", "program", "PHP")
	s.saidEverywhere(t, got)

	// A program in clear: the self-test says what its page will say.
	s = stage.caller(t, 1)
	const agent = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; .NET CLR 2.0.50727; .NET CLR 3.5.30729)"
	s.call(t, 1, api, agent)
	s.says("request", harness.Match{"status": "200"})
	got = s.standing(t)
	if got.Program != "WinINet" || got.Library != "" || !slices.Equal(got.Pages, []string{"http-to-https", "access-vba"}) || strings.Contains(got.Fix, "SchUseStrongCrypto") {
		t.Errorf("Internet Explorer's engine stands %+v", got)
	}
	s.saidEverywhere(t, got)
	if told := s.call(t, 1, "check.tlslift.test", agent).Text; !strings.Contains(told, got.Fix) {
		t.Errorf("the self-test says %q, its page %q", told, got.Fix)
	}

	// No User-Agent is a sign too.
	s = stage.caller(t, 2)
	s.call(t, 2, api, "")
	s.says("request", harness.Match{"status": "200"})
	if got := s.standing(t); got.Program != "none" || !slices.Equal(got.Pages, []string{"http-to-https", "no-user-agent"}) {
		t.Errorf("a client without a User-Agent stands %+v", got)
	}
}

// call sends one request in clear.
func (s *stage) call(t *testing.T, listener int, host, agent string) harness.Answer {
	t.Helper()
	head := "GET http://" + host + credits + " HTTP/1.0\r\n"
	if agent != "" {
		head += "User-Agent: " + agent + "\r\n"
	}
	return harness.Dial(t, s.ListenAddr(listener)).Send(head + "\r\n").Answer("GET")
}

// saidEverywhere compares a row's sentence with the client's page, the list and
// the report.
func (s *stage) saidEverywhere(t *testing.T, row standing) {
	t.Helper()
	for _, path := range []string{"/clients/" + s.client, "/?q=" + s.client} {
		if _, page := s.Get(path); !strings.Contains(page, html.EscapeString(row.Fix)) {
			t.Errorf("%s does not say %q", path, row.Fix)
		}
	}
	out, err := exec.Command(harness.Binary(t), "report", "--admin", "http://"+s.AdminAddr(), "--format", "json").Output()
	var report struct {
		Clients []standing `json:"clients"`
	}
	if err != nil || json.Unmarshal(out, &report) != nil {
		t.Fatalf("report: %v, %.300s", err, out)
	}
	i := slices.IndexFunc(report.Clients, func(c standing) bool { return c.Client == s.client })
	if i < 0 || report.Clients[i].Fix != row.Fix || !slices.Equal(report.Clients[i].Pages, row.Pages) {
		t.Errorf("the report says %.400s", out)
	}
}
