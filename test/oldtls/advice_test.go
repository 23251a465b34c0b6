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
	for _, part := range []string{"It offers at most TLS 1.1.", "PHP uses OpenSSL", "OpenSSL 1.0.1 and 1.0.2 have TLS 1.2"} {
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
