package e2e

import (
	"crypto/tls"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// refusal is a request that tlslift answers itself, and how.
type refusal struct {
	name   string
	in     string
	status int
	reason string
	stays  bool // the connection stays open
}

// check sends it and looks at the answer, the log, the metric and the
// upstream, which must not have heard of it.
func (r refusal) check(t *testing.T, p *harness.Process, server *smsportal.Server, in *harness.Caller) {
	t.Helper()
	p = p.In(t)
	server.Reset()
	mark := p.Mark()
	before := p.Metrics().Sum("tlslift_denied_total", "reason", r.reason)
	method, _, _ := strings.Cut(r.in, " ")
	answer := in.Send(r.in).Answer(method)
	if answer.StatusCode != r.status || answer.Problem() != r.reason || answer.Delivery() != "not_sent" {
		t.Errorf("answered %d, Tlslift-Error %q, Tlslift-Delivery %q; want %d %q not_sent\n%s",
			answer.StatusCode, answer.Problem(), answer.Delivery(), r.status, r.reason, answer.Text)
	}
	if r.stays {
		again := in.Send("GET /still/here HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n")
		if second, err := again.TryAnswer("GET"); err != nil || second.Problem() != "" {
			t.Errorf("the connection did not stay: %v %q", err, second.Problem())
		}
	} else {
		in.ExpectClosed()
	}
	p.WaitLogAfter(mark, harness.Match{"error": r.reason, "status": r.status, "origin": "tlslift", "delivery": "not_sent"})
	p.WaitMetric(before+1, "tlslift_denied_total", "reason", r.reason)
	for _, got := range server.Requests() {
		if got.Target != "/still/here" {
			t.Errorf("the upstream received %q", got.Raw)
		}
	}
}

// malformed heads are those that two servers could read in two ways.
func malformed() []refusal {
	const start = "POST /a HTTP/1.1\r\nHost: api.smsportal.com\r\n"
	heads := map[string]string{
		"two lengths, equal":            start + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"two lengths, different":        start + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
		"a list of lengths":             start + "Content-Length: 1, 1\r\n\r\nx",
		"length with sign":              start + "Content-Length: +1\r\n\r\nx",
		"negative length":               start + "Content-Length: -1\r\n\r\n",
		"length in hex":                 start + "Content-Length: 0x1\r\n\r\nx",
		"length with a space inside":    start + "Content-Length: 1 1\r\n\r\nx",
		"length of nothing":             start + "Content-Length:\r\n\r\n",
		"length and chunked":            start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and length":            start + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"chunked twice":                 start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked, chunked":              start + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"gzip, chunked":                 start + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"identity":                      start + "Transfer-Encoding: identity\r\n\r\n",
		"xchunked":                      start + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"chunked with vertical tab":     start + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"empty transfer encoding":       start + "Transfer-Encoding:\r\n\r\n",
		"chunked on HTTP/1.0":           "POST " + api + "/a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"underscore in a coding":        start + "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
		"the same beside a length":      start + "Content-Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n",
		"underscore in a length":        start + "Content_Length: 1\r\n\r\nx",
		"underscores, in lower case":    start + "transfer_encoding: chunked\r\n\r\n0\r\n\r\n",
		"folded header":                 start + "X-A: b\r\n c\r\n\r\n",
		"folded transfer encoding":      start + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"first header line folded":      "GET /a HTTP/1.1\r\n X: y\r\nHost: api.smsportal.com\r\n\r\n",
		"NUL in a value":                start + "X-A: b\x00c\r\n\r\n",
		"NUL in the target":             "GET /a\x00b HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"bare CR in a value":            start + "X-A: b\rContent-Length: 3\r\n\r\n",
		"two Hosts, equal":              "GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\nHost: api.smsportal.com\r\n\r\n",
		"two Hosts, different":          "GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\nHost: evil.test\r\n\r\n",
		"two Hosts under absolute form": "GET " + api + "/a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"space before the colon":        start + "Content-Length : 1\r\n\r\nx",
		"line without colon":            start + "nonsense\r\n\r\n",
		"empty name":                    start + ": value\r\n\r\n",
		"space in a name":               start + "X A: b\r\n\r\n",
		"control in a name":             start + "X\x01: b\r\n\r\n",
		"no Host":                       "GET /a HTTP/1.1\r\n\r\n",
		"empty Host":                    "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"HTTP/1.0 that names nobody":    "GET /a HTTP/1.0\r\n\r\n",
		"Host with a path":              "GET /a HTTP/1.1\r\nHost: api.smsportal.com/x\r\n\r\n",
		"Host with a user":              "GET /a HTTP/1.1\r\nHost: user@api.smsportal.com\r\n\r\n",
		"Host with a space":             "GET /a HTTP/1.1\r\nHost: api.smsportal.com evil.test\r\n\r\n",
		"Host with two ports":           "GET /a HTTP/1.1\r\nHost: api.smsportal.com:80:80\r\n\r\n",
		"Host with a bad port":          "GET /a HTTP/1.1\r\nHost: api.smsportal.com:x\r\n\r\n",
		"target without host":           "GET http:///a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"other scheme":                  "GET ftp://api.smsportal.com/a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"neither path nor address":      "GET a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"no version":                    "GET /a\r\nHost: api.smsportal.com\r\n\r\n",
		"HTTP/2.0":                      "GET /a HTTP/2.0\r\nHost: api.smsportal.com\r\n\r\n",
		"HTTP/1.2":                      "GET /a HTTP/1.2\r\nHost: api.smsportal.com\r\n\r\n",
		"bad method":                    "G(T /a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"CONNECT without port":          "CONNECT api.smsportal.com HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"CONNECT to a path":             "CONNECT /a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"CONNECT port out of range":     "CONNECT api.smsportal.com:99999 HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"CR LF injected by a bare CR":   "GET /a\rb HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
	}
	var all []refusal
	for name, head := range heads {
		all = append(all, refusal{name: name, in: head, status: 400, reason: "malformed"})
	}
	return all
}

// TestUnreadableConnectIsOneInTheLog: what asks for a tunnel and cannot be
// read is told as the CONNECT that it is.
func TestUnreadableConnectIsOneInTheLog(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	for name, head := range map[string]string{
		"no port":           "CONNECT nope HTTP/1.1\r\nHost: nope\r\n\r\n",
		"a path":            "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
		"port out of range": "CONNECT api.smsportal.com:99999 HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"two Hosts":         "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			mark := p.Mark()
			if answer := harness.Dial(t, p.Addr()).Send(head).Answer("CONNECT"); answer.StatusCode != 400 || answer.Problem() != "malformed" {
				t.Errorf("answered %d %q", answer.StatusCode, answer.Problem())
			}
			p.In(t).WaitLogAfter(mark, harness.Match{"method": "CONNECT", "ingress": "connect", "path": "", "error": "malformed"})
		})
	}
}

// TestRefusalsNameHostAndPath: the line of a request that is refused early names its host
// and path as far as they can be read, whichever way it came.
func TestRefusalsNameHostAndPath(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{
		Upstream: startPortal(t, smsportal.Options{}), Env: caFiles(t), Config: "limits: {header_bytes: 4KiB, body_bytes: 10}",
	})
	origin := func(target string) string { return target }
	url := func(target string) string { return "http://" + legacyHost + target }
	base := func(target string) string { return "/" + legacyHost + target }
	inTLS := func(c *harness.Caller) *harness.Caller {
		return harness.NewCaller(t, tls.Client(c.Bytes(), &tls.Config{ServerName: legacyHost, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}))
	}
	for _, w := range []struct {
		name, host string
		open       func() *harness.Caller
		target     func(string) string
	}{
		{"forward", p.Addr(), func() *harness.Caller { return dial(t, p) }, url},
		{"gateway", legacyHost, func() *harness.Caller { return dial(t, p) }, origin},
		{"base URL", p.Addr(), func() *harness.Caller { return dial(t, p) }, base},
		{"connect", legacyHost, func() *harness.Caller { return tunnel(t, p) }, origin},
		{"tls", legacyHost, func() *harness.Caller { return inTLS(dial(t, p)) }, origin},
		{"connect, tls", legacyHost, func() *harness.Caller { return inTLS(tunnel(t, p)) }, origin},
	} {
		for name, r := range map[string]struct {
			method, target, version, fields string
			status                          int
			path                            string
		}{
			"no method":           {"FOO", "/a/b?c=d", "HTTP/1.1", "", 501, ""}, // a path behind a word that is no method may be part of a message
			"a bad field":         {"GET", "/a/b?c=d", "HTTP/1.1", "A\x01: b\r\n", 400, "/a/b"},
			"a bad value":         {"GET", "/a/b?c=d", "HTTP/1.1", "A: \x00\r\n", 400, "/a/b"},
			"a folded field":      {"GET", "/a/b?c=d", "HTTP/1.1", "A: b\r\n c\r\n", 400, "/a/b"},
			"two lengths":         {"POST", "/a/b?c=d", "HTTP/1.1", "Content-Length: 1\r\nContent-Length: 2\r\n", 400, "/a/b"},
			"a lookalike":         {"POST", "/a/b?c=d", "HTTP/1.1", "Content_Length: 1\r\n", 400, "/a/b"},
			"a bad escape":        {"GET", "/a/%zz?c=d", "HTTP/1.1", "", 400, "/a/%zz"},
			"a phone number":      {"GET", "/a/%zz/27829876543?c=d", "HTTP/1.1", "", 400, "/a/%zz/*"},
			"a control character": {"GET", "/a/\x01?c=d", "HTTP/1.1", "", 400, ""},
			"another version":     {"GET", "/a/b?c=d", "HTTP/1.2", "", 400, "/a/b"},
			"a large body":        {"POST", "/a/b?c=d", "HTTP/1.1", "Content-Length: 11\r\n", 413, "/a/b"},
			"a large head":        {"GET", "/a/b?c=d", "HTTP/1.1", "A: " + strings.Repeat("b", 4<<10) + "\r\n", 431, "/a/b"},
		} {
			mark := p.Mark()
			c := w.open()
			answer := c.Send(r.method + " " + w.target(r.target) + " " + r.version + "\r\nHost: " + w.host + "\r\n" + r.fields + "\r\n").Answer(r.method)
			c.Close()
			if answer.StatusCode != r.status {
				t.Errorf("%s, %s: answered %d, want %d", w.name, name, answer.StatusCode, r.status)
			}
			line := p.WaitLogAfter(mark, harness.Match{"msg": "request", "status": r.status})
			if w.name == "base URL" && name == "a control character" {
				continue // in the base URL, the path names the host
			}
			if line.String("host") != legacyHost || line.String("path") != r.path {
				t.Errorf("%s, %s: the log has host %q and path %q, want %q", w.name, name, line.String("host"), line.String("path"), r.path)
			}
		}
	}
}

// TestMalformedTargetsCameForward: what begins as an http or https URL was sent to a proxy,
// whatever is wrong with it.
func TestMalformedTargetsCameForward(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	targets := []string{
		"http://a%zz/x", "http://a b%zz/x", "http://api_bad..com/x", "HTTP://api.smsportal.com:99999/x", "http:///x", "https://[::1/x", "Https://u@/x", "http://h/a%zz",
		"http://h/\x01", "http://h:0", "http://" + strings.Repeat("a", 2000) + "/",
	}
	for n, target := range targets {
		mark := p.Mark()
		c := dial(t, p).Send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")
		if answer := c.Answer("GET"); answer.StatusCode != 400 {
			t.Errorf("%.80q is answered %d", target, answer.StatusCode)
		}
		c.Close()
		if line := p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "malformed"}); line.String("ingress") != "forward" {
			t.Errorf("%.80q came by %s, says the log", target, line.String("ingress"))
		}
		p.WaitMetric(float64(n+1), "tlslift_client_connections_total", "handling", "refused")
	}
	if n := p.Metrics().Sum("tlslift_client_connections_total", "ingress", "forward"); n != float64(len(targets)) {
		t.Errorf("%v of %d connections came forward, say the metrics", n, len(targets))
	}
}

// TestBrokenChunksAreRefused: here bytes of the request may have gone up
// before the break was seen, so the delivery may be unknown; no whole request
// may have.
func TestBrokenChunksAreRefused(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for name, body := range map[string]string{
		"a bad size":          "zz\r\n",
		"a size with a sign":  "+1\r\nx\r\n0\r\n\r\n",
		"more than its size":  "1\r\nxyz\r\n0\r\n\r\n",
		"size beyond numbers": "ffffffffffffffffff\r\n",
		"broken second chunk": "1\r\nx\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server.Reset()
			in := dial(t, p).Send("POST /a HTTP/1.1\r\nHost: api.smsportal.com\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
			answer := in.Answer("POST")
			if answer.StatusCode != 400 || answer.Problem() != "malformed" || answer.Delivery() == "" {
				t.Errorf("answered %d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			in.ExpectClosed()
			for _, got := range server.Requests() {
				if got.Complete {
					t.Errorf("the upstream received a whole request: %q %q", got.Raw, got.RawBody)
				}
			}
		})
	}
}

func TestMalformedIsRefused(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, r := range malformed() {
		t.Run(r.name, func(t *testing.T) { r.check(t, p, server, dial(t, p)) })
	}
}

// TestMalformedInsideATunnelIsRefused: tunnelled heads are judged too.
func TestMalformedInsideATunnelIsRefused(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, r := range malformed() {
		if strings.HasPrefix(r.in, "CONNECT ") || r.name == "no Host" || strings.Contains(r.name, "names nobody") || strings.Contains(r.name, "empty Host") {
			continue // the tunnel names the host, and a tunnel inside it is judged elsewhere
		}
		t.Run(r.name, func(t *testing.T) {
			r.check(t, p, server, dial(t, p).Tunnel("api.smsportal.com:443"))
		})
	}
}

func TestForeignAndUnsupportedIsRefused(t *testing.T) {
	t.Parallel()
	const host = "Host: api.smsportal.com\r\n"
	server, p := portal(t, smsportal.Options{}, "others: refuse")
	for _, r := range []refusal{
		{"foreign host", "GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", 403, "host", true},
		{"foreign host by Host", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 403, "host", true},
		{"foreign CONNECT", "CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", 403, "host", true},
		{"a suffix is not a subdomain", "GET http://evilsmsportal.com/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "host", true},
		{"a prefix is not the host", "GET http://api.smsportal.com.evil.test/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "host", true},
		{"an address", "GET http://169.254.169.254/latest/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "host", true},
		{"an IPv6 address", "GET http://[::1]/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "host", true},
		{"another port", "GET http://api.smsportal.com:8080/ HTTP/1.1\r\n" + host + "\r\n", 403, "port", true},
		{"another port by Host", "GET / HTTP/1.1\r\nHost: api.smsportal.com:22\r\n\r\n", 403, "port", true},
		{"CONNECT to port 22", "CONNECT api.smsportal.com:22 HTTP/1.1\r\n" + host + "\r\n", 403, "port", true},
		{"CONNECT to port 80", "CONNECT api.smsportal.com:80 HTTP/1.1\r\n" + host + "\r\n", 403, "port", true},
		{"TRACE", "TRACE /a HTTP/1.1\r\n" + host + "\r\n", 501, "method", true},
		{"websocket", "GET /a HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", 501, "method", true},
		{"TLS upgrade", "GET /a HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n", 501, "method", true},
	} {
		t.Run(r.name, func(t *testing.T) { r.check(t, p, server, dial(t, p)) })
	}
}

func TestAnotherHostInsideTheTunnelIsMisdirected(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for name, inner := range map[string]string{
		"origin form":   "GET /a HTTP/1.1\r\nHost: rest.smsportal.com\r\n\r\n",
		"absolute form": "GET http://rest.smsportal.com/a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"foreign":       "GET /a HTTP/1.1\r\nHost: evil.test\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			refusal{name, inner, 421, "misdirected", true}.check(t, p, server, dial(t, p).Tunnel("api.smsportal.com:443"))
		})
	}
	for name, inner := range map[string]string{
		"port":         "GET /a HTTP/1.1\r\nHost: api.smsportal.com:443\r\n\r\n",
		"case":         "GET /a HTTP/1.1\r\nHost: API.smsportal.com\r\n\r\n",
		"trailing dot": "GET /a HTTP/1.1\r\nHost: api.smsportal.com.\r\n\r\n",
		"absolute":     "GET https://api.smsportal.com/a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n",
		"no host":      "GET /a HTTP/1.0\r\n\r\n",
	} {
		t.Run("the same but for its "+name, func(t *testing.T) {
			answer := dial(t, p).Tunnel("api.smsportal.com:443").Send(inner).Answer("GET")
			if answer.Problem() != "" {
				t.Errorf("answered %d %s", answer.StatusCode, answer.Problem())
			}
		})
	}
}

// TestErrorsSpeakTheCallersLanguage: clients parse the body without looking
// at the status.
func TestErrorsSpeakTheCallersLanguage(t *testing.T) {
	t.Parallel()
	dead := startFault(t, fault502())
	p := harness.Start(t, harness.Options{Upstream: dead})
	for name, tt := range map[string]struct{ request, contentType, contains string }{
		"legacy":   {"GET " + api + sendPath("x") + " HTTP/1.1\r\nHost: x\r\n\r\n", "text/xml", "<api_result"},
		"soap 1.1": {"POST " + api + "/api5/api.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nSOAPAction: \"x\"\r\nContent-Length: 0\r\n\r\n", "text/xml", "faultstring"},
		"soap 1.2": {"POST " + api + "/api5/api.asmx HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml\r\nContent-Length: 0\r\n\r\n", "application/soap+xml", "http://www.w3.org/2003/05/soap-envelope"},
		"rest":     {"GET http://rest.smsportal.com/v1/Balance HTTP/1.1\r\nHost: x\r\n\r\n", "application/json", `"statusCode":502`},
		"other":    {"GET " + api + "/ HTTP/1.1\r\nHost: x\r\n\r\n", "text/plain", "again"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := p.In(t).Ask(tt.request)
			kind := answer.Header.Get("Content-Type")
			if answer.StatusCode != 502 || !strings.HasPrefix(kind, tt.contentType) || !strings.Contains(strings.ReplaceAll(answer.Text, `": `, `":`), tt.contains) {
				t.Errorf("%d %s\n%s", answer.StatusCode, kind, answer.Text)
			}
		})
	}
}
