package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestRewritesAreCounted: each field that is changed, by its kind, and only for
// callers that see http.
func TestRewritesAreCounted(t *testing.T) {
	t.Parallel()
	reply := http.Header{
		"Location":                            {"https://api.smsportal.com/l"},
		"Content-Location":                    {"https://api.smsportal.com/c"},
		"Refresh":                             {"5; url=https://api.smsportal.com/r"},
		"Link":                                {"<https://api.smsportal.com/k>; rel=next"},
		"Set-Cookie":                          {"a=b; Secure", "c=d", "e=f; Secure"},
		"Strict-Transport-Security":           {"max-age=1"},
		"Alt-Svc":                             {`h3=":443"`},
		"Content-Security-Policy":             {"upgrade-insecure-requests"},
		"Content-Security-Policy-Report-Only": {"default-src 'self'"},
	}
	want := map[string]float64{"location": 1, "content_location": 1, "refresh": 1, "link": 1, "cookie": 2, "hsts": 1, "alt_svc": 1, "csp": 1, "wsdl": 0, "wsdl_skipped": 0}
	_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Header: reply.Clone(), Body: []byte("ok")}, true
	}}, "")
	counts := func(times float64) {
		t.Helper()
		m := p.Metrics()
		for kind, each := range want {
			if got := m.Sum("tlslift_rewrites_total", "kind", kind); got != times*each {
				t.Errorf("%s is counted %v times, want %v", kind, got, times*each)
			}
		}
	}
	counts(0)
	for i, target := range []string{api + "/a", "/a", "https://api.smsportal.com/a"} {
		p.Ask("GET " + target + " HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n")
		counts(min(float64(i+1), 2)) // who writes https sees https
	}
}

// TestExposedCredentialsAreCounted by the way they were exposed, once for each
// request.
func TestExposedCredentialsAreCounted(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	basic := base64.StdEncoding.EncodeToString([]byte("user:secret"))
	seen := 0.0
	for kind, d := range map[string]disclosure{
		"query":  {"", "GET", "/api5/http5.aspx?Type=credits&Username=user&Password=secret", "", ""},
		"basic":  {"", "GET", "/v1/Authentication", "Authorization: Basic " + basic, ""},
		"bearer": {"", "GET", "/v1/Balance", "Authorization: Bearer abc.def.ghi", ""},
		"form":   {"", "POST", "/api5/http5.aspx", "Content-Type: application/x-www-form-urlencoded", "Type=credits&Username=user&Password=secret"},
		"soap":   {"", "POST", "/api5/api.asmx", "Content-Type: text/xml", "<Envelope><Body><Credits_STR><username>user</username><password>secret</password></Credits_STR></Body></Envelope>"},
	} {
		t.Run(kind, func(t *testing.T) {
			p := p.In(t)
			for range 2 {
				seen++
				p.Ask(d.spell(ways[0]))
				p.WaitMetric(seen, "tlslift_client_credentials_exposed_total", "client", "127.0.0.1")
			}
			m := p.Metrics()
			if n := m.Sum("tlslift_client_credentials_exposed_total", "kind", kind); n != 2 {
				t.Errorf("%v of 2 are counted", n)
			}
			if all := m.Sum("tlslift_client_credentials_exposed_total"); all != seen {
				t.Errorf("%v are counted in all, want %v", all, seen)
			}
		})
	}
	p.Ask("GET " + api + "/nothing/secret HTTP/1.1\r\nHost: x\r\n\r\n")
	p.WaitMetric(seen+1, "tlslift_client_requests_total")
	if all := p.Metrics().Sum("tlslift_client_credentials_exposed_total"); all != seen {
		t.Errorf("a request without a secret: %v are counted, want %v", all, seen)
	}
}

// TestDurationsAreObserved: each request's by its way in, and each phase of what
// was done for it upstream.
func TestDurationsAreObserved(t *testing.T) {
	t.Parallel()
	const host = "api.smsportal.com"
	server := startPortal(t, smsportal.Options{})
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	dns := harness.StartDNS(t, map[string][]string{host: {"127.0.0.1"}})
	p := harness.Start(t, harness.Options{Config: fmt.Sprintf(`
allow_internal_addresses: true
upstream: {dns_servers: ['%s'], warm_connections: 0}
upstreams: [{host: %s, port: %s, ca_file: %s}]`, dns.Addr(), host, port, harness.TempFile(t, "ca.pem", string(server.CAPEM())))})
	requests := 0
	for ingress, in := range map[string]*harness.Caller{
		"forward": dial(t, p), "gateway": dial(t, p), "connect": dial(t, p).Tunnel(host + ":443"),
	} {
		target := "/a"
		if ingress == "forward" {
			target = api + target
		}
		for range 2 {
			if answer := in.Send("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n").Answer("GET"); answer.Problem() != "" {
				t.Fatalf("%s: %d %q", ingress, answer.StatusCode, answer.Problem())
			}
			requests++
		}
		p.WaitMetric(2, "tlslift_request_duration_seconds", "upstream", host, "ingress", ingress)
	}
	m := p.Metrics()
	if all := m.Sum("tlslift_request_duration_seconds"); all != float64(requests) {
		t.Errorf("%v durations of %d requests", all, requests)
	}
	// One connection served them all.
	for phase, want := range map[string]int{"dns": 1, "connect": 1, "tls": 1, "first_byte": requests} {
		if got := m.Sum("tlslift_upstream_phase_duration_seconds", "upstream", host, "phase", phase); got != float64(want) {
			t.Errorf("%s was observed %v times, want %d", phase, got, want)
		}
	}
}

// TestLevelsOfLines: doubt is an error, a loss a warning, all else information.
func TestLevelsOfLines(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: fault.Marked("/doubt", fault.AfterRead(fault.Close))})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "others: refuse"})
	lost := harness.Start(t, harness.Options{Upstream: stranger{deserted(t, server.Addr()), server.CAPEM()}})
	for _, tt := range []struct {
		name, in, level string
		p               *harness.Process
		line            harness.Match
	}{
		{"answered", "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n", "info", p, harness.Match{"delivery": "answered", "status": 200}},
		{"turned away", "GET http://elsewhere.test/a HTTP/1.1\r\nHost: x\r\n\r\n", "info", p, harness.Match{"delivery": "not_sent", "error": "host"}},
		{"doubt", "GET " + api + "/doubt HTTP/1.1\r\nHost: x\r\n\r\n", "error", p, harness.Match{"delivery": "unknown", "error": "reset"}},
		{"a loop", "GET http://" + p.Addr() + "/ HTTP/1.1\r\nHost: x\r\n\r\n", "warn", p, harness.Match{"delivery": "not_sent", "error": "loop"}},
		{"a loss", "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n", "warn", lost, harness.Match{"delivery": "not_sent", "error": "connect"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.p.In(t)
			p.Ask(tt.in)
			tt.line["msg"] = "request"
			if line := p.WaitLog(tt.line); line.String("level") != tt.level {
				t.Errorf("logged as %s: %v", line.String("level"), line)
			}
		})
	}
	t.Run("a tunnel", func(t *testing.T) {
		for p, level := range map[*harness.Process]string{p: "info", lost: "warn"} {
			in := tunnel(t, p)
			_ = tls.Client(in.Conn(), &tls.Config{ServerName: legacyHost, RootCAs: server.CA().Pool()}).Handshake()
			in.Close()
			if line := p.In(t).WaitLog(harness.Match{"msg": "tunnel"}); line.String("level") != level {
				t.Errorf("logged as %s: %v", line.String("level"), line)
			}
		}
	})
}
