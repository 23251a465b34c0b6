package e2e

import (
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const api = "http://api.smsportal.com"

// TestHeadsAndBodiesReachTheUpstream: raw bytes in, exact bytes out. Every
// tolerated oddity of real callers is one row.
func TestHeadsAndBodiesReachTheUpstream(t *testing.T) {
	t.Parallel()
	const host = "\r\nHost: api.smsportal.com"
	tests := []struct {
		name, in string
		line     string // method and target at the upstream
		host     string // default api.smsportal.com
		body     string
	}{
		{name: "forward", in: "GET " + api + "/a?b=c HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?b=c"},
		{name: "forward https", in: "GET https://api.smsportal.com/a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "forward https with port", in: "GET https://api.smsportal.com:443/a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "gateway", in: "GET /a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "gateway host with port", in: "GET /a HTTP/1.1\r\nHost: api.smsportal.com:80\r\n\r\n", line: "GET /a"},
		{name: "port 80", in: "GET " + api + ":80/a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "upper-case host", in: "GET http://API.SMSPortal.COM/A HTTP/1.1\r\nHost: API.SMSPortal.COM\r\n\r\n", line: "GET /A"},
		{name: "upper-case scheme", in: "GET HTTP://api.smsportal.com/a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "trailing dot", in: "GET http://api.smsportal.com./a HTTP/1.1\r\nHost: api.smsportal.com.\r\n\r\n", line: "GET /a"},
		{name: "target beats Host", in: "GET http://rest.smsportal.com/a HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n", line: "GET /a", host: "rest.smsportal.com"},
		{name: "other upstream host", in: "GET http://legacy.mymobileapi.com/a HTTP/1.1\r\nHost: legacy.mymobileapi.com\r\n\r\n", line: "GET /a", host: "legacy.mymobileapi.com"},
		{name: "bare domain", in: "GET http://mymobileapi.com/a HTTP/1.1\r\nHost: mymobileapi.com\r\n\r\n", line: "GET /a", host: "mymobileapi.com"},
		{name: "user in target", in: "GET http://user:pass@api.smsportal.com/a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},
		{name: "no path", in: "GET " + api + " HTTP/1.1" + host + "\r\n\r\n", line: "GET /"},
		{name: "no path but a query", in: "GET " + api + "?a=b HTTP/1.1" + host + "\r\n\r\n", line: "GET /?a=b"},

		{name: "raw space", in: "GET /a?data1=hello big world HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?data1=hello%20big%20world"},
		{name: "raw space, forward", in: "GET " + api + "/a?data1=hello big HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?data1=hello%20big"},
		{name: "raw tab", in: "GET /a?data1=x\ty HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?data1=x%09y"},
		{name: "raw space in path", in: "GET /a b/c HTTP/1.1" + host + "\r\n\r\n", line: "GET /a%20b/c"},
		{name: "a target that speaks of HTTP", in: "GET /a?data1=about HTTP/1.0 and more HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?data1=about%20HTTP/1.0%20and%20more"},
		{name: "escaped entities", in: "GET /a?x=%26amp;%26lt;%26gt; HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=%26amp;%26lt;%26gt;"},
		{name: "semicolons", in: "GET /a?a=1;password=P&b=2;c HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?a=1;password=P&b=2;c"},
		{name: "bad escapes in the query", in: "GET /a?d=100%&e=%zz&f=%4 HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?d=100%&e=%zz&f=%4"},
		{name: "quotes and brackets", in: "GET /a?x=\"<b>\"|{}[]\\^` HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=\"<b>\"|{}[]\\^`"},
		{name: "hash in the query", in: "GET /a?x=#1 HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=#1"},
		{name: "Latin-1", in: "GET /a?x=caf\xe9 HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=caf\xe9"},
		{name: "UTF-8", in: "GET /a?x=\xe2\x82\xac HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=\xe2\x82\xac"},
		{name: "plus and case of escapes", in: "GET /a?x=a+b%2b%2B HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=a+b%2b%2B"},
		{name: "empty query", in: "GET /a? HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?"},
		{name: "dots and double slashes", in: "GET //a/../b/./c//d HTTP/1.1" + host + "\r\n\r\n", line: "GET //a/../b/./c//d"},
		{name: "escaped slash", in: "GET /a%2Fb%2fc HTTP/1.1" + host + "\r\n\r\n", line: "GET /a%2Fb%2fc"},
		{name: "case of the path", in: "GET /API5/Http5.ASPX HTTP/1.1" + host + "\r\n\r\n", line: "GET /API5/Http5.ASPX"},
		{name: "url in the query", in: "GET /a?u=http://x.test/?y HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?u=http://x.test/?y"},
		{name: "long query", in: "GET /a?x=" + strings.Repeat("y", 16000) + " HTTP/1.1" + host + "\r\n\r\n", line: "GET /a?x=" + strings.Repeat("y", 16000)},

		{name: "HTTP/1.0 with Host", in: "GET /a HTTP/1.0" + host + "\r\n\r\n", line: "GET /a"},
		{name: "HTTP/1.0 forward without Host", in: "GET " + api + "/a HTTP/1.0\r\n\r\n", line: "GET /a"},
		{name: "bare line feeds", in: "GET " + api + "/a HTTP/1.1\nHost: api.smsportal.com\nX-A: b\n\n", line: "GET /a"},
		{name: "empty lines in front", in: "\r\n\r\nGET /a HTTP/1.1" + host + "\r\n\r\n", line: "GET /a"},

		{name: "offer of h2c, as of Java 11", in: "GET /a HTTP/1.1" + host + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", line: "GET /a"},

		{name: "POST with length", in: "POST /a HTTP/1.1" + host + "\r\nContent-Length: 5\r\n\r\n\x00a\r\nz", line: "POST /a", body: "\x00a\r\nz"},
		{name: "POST of nothing", in: "POST /a HTTP/1.1" + host + "\r\nContent-Length: 0\r\n\r\n", line: "POST /a"},
		{name: "POST without length", in: "POST /a?x=y HTTP/1.1" + host + "\r\n\r\n", line: "POST /a?x=y"},
		{name: "POST chunked", in: "POST /a HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", line: "POST /a", body: "abcde"},
		{name: "POST chunked with trailer", in: "POST /a HTTP/1.1" + host + "\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n", line: "POST /a", body: "abc"},
		{name: "POST HTTP/1.0", in: "POST " + api + "/a HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", line: "POST /a", body: "abc"},
		{name: "GET with a body", in: "GET /a HTTP/1.1" + host + "\r\nContent-Length: 2\r\n\r\nhi", line: "GET /a", body: "hi"},
		{name: "PUT", in: "PUT /a HTTP/1.1" + host + "\r\nContent-Length: 2\r\n\r\nhi", line: "PUT /a", body: "hi"},
		{name: "DELETE", in: "DELETE /a HTTP/1.1" + host + "\r\n\r\n", line: "DELETE /a"},
		{name: "PATCH", in: "PATCH /a HTTP/1.1" + host + "\r\nContent-Length: 1\r\n\r\nx", line: "PATCH /a", body: "x"},
		{name: "OPTIONS", in: "OPTIONS /a HTTP/1.1" + host + "\r\n\r\n", line: "OPTIONS /a"},
		{name: "HEAD", in: "HEAD /a HTTP/1.1" + host + "\r\n\r\n", line: "HEAD /a"},
	}
	server, p := portal(t, smsportal.Options{}, "")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server.Reset()
			answer := p.In(t).Ask(tt.in)
			got := server.Requests()
			if len(got) != 1 {
				t.Fatalf("the upstream received %d requests; answered %d %q %q", len(got), answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			r := got[0]
			if line := r.Method + " " + r.Target; line != tt.line || r.Proto != "HTTP/1.1" {
				t.Errorf("request line %q %s, want %q HTTP/1.1", line, r.Proto, tt.line)
			}
			want := tt.host
			if want == "" {
				want = "api.smsportal.com"
			}
			if r.Host() != want || r.ServerName != want {
				t.Errorf("Host %q, SNI %q, want %q", r.Host(), r.ServerName, want)
			}
			if string(r.Body) != tt.body {
				t.Errorf("body %q, want %q", r.Body, tt.body)
			}
		})
	}
}

// TestHeaderFidelity: values arrive as they were sent, nothing is invented.
func TestHeaderFidelity(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	sent := map[string]string{
		"Accept-Encoding": "gzip, deflate;q=0.5,  br",
		"Authorization":   "bAsIc  dXNlcjpwYXNz",
		"Soapaction":      `"http://www.mymobileapi.com/api5/Send_STR_STR"`,
		"Content-Type":    `multipart/form-data; boundary="a b;c"`,
		"Cookie":          "a=b; c=d;e",
		"If-None-Match":   `W/"x"`,
		"X-Latin":         "caf\xe9",
		"X-Empty":         "",
		"X-Long":          strings.Repeat("v", 8000),
		"Range":           "bytes=0-1",
	}
	head := "POST /a HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 2\r\nX-Two: one\r\nx-two: two\r\n"
	for name, value := range sent {
		head += name + ": " + value + "\r\n"
	}
	p.Ask(head + "\r\nhi")
	got := server.Requests()[0].Header
	for name, value := range sent {
		if values := got[name]; len(values) != 1 || values[0] != value {
			t.Errorf("%s: %q, want %q", name, values, value)
		}
	}
	if two := strings.Join(got["X-Two"], "|"); two != "one|two" {
		t.Errorf("X-Two: %q", two)
	}
	allowed := map[string]bool{"Host": true, "Content-Length": true, "X-Two": true, "Via": true}
	for name := range got {
		if _, wasSent := sent[name]; !wasSent && !allowed[name] {
			t.Errorf("%s: %q was invented", name, got[name])
		}
	}
	if got.Get("Via") == "" {
		t.Error("no Via")
	}
}

func TestNothingIsInventedForABareCaller(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	p.Ask("GET " + api + "/a HTTP/1.0\r\n\r\n")
	for name, values := range server.Requests()[0].Header {
		if name != "Host" && name != "Via" {
			t.Errorf("%s: %q was invented", name, values)
		}
	}
}

// TestEveryWayInIsUpgraded: verified TLS 1.2+, the answer whole, and the
// canonical line says how it came in.
func TestEveryWayInIsUpgraded(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			p := p.In(t)
			server.Reset()
			mark := p.Mark()
			answer := w.open(t, p).Send(w.request("GET", sendPath("one"), "", "")).Answer("GET")
			if answer.StatusCode != 200 || !strings.Contains(answer.Text, "<result>True</result>") {
				t.Errorf("%d %s", answer.StatusCode, answer.Text)
			}
			for _, own := range []string{"Tlslift-Error", "Tlslift-Delivery"} {
				if answer.Header.Get(own) != "" {
					t.Errorf("a healthy answer carries %s", own)
				}
			}
			if n := sendsOf(server, "one"); n != 1 {
				t.Errorf("sent %d times", n)
			}
			line := p.WaitLogAfter(mark, harness.Match{"msg": "request", "path": "/api5/http5.aspx"})
			want := harness.Match{
				"ingress": w.ingress, "method": "GET", "host": legacyHost, "api_type": "sendparam", "status": 200,
				"origin": "upstream", "delivery": "answered", "client_gone": false, "tls_version": "none", "upstream_tls_version": "1.3", "error": "",
			}
			for key, value := range want {
				if line.String(key) != asText(value) {
					t.Errorf("log: %s is %q, want %v", key, line.String(key), value)
				}
			}
		})
	}
}

// TestCanonicalLineHasItsKeys holds design section 8's list.
func TestCanonicalLineHasItsKeys(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	line := p.WaitLog(harness.Match{"msg": "request"})
	for key := range strings.FieldsSeq(`ts level msg client client_addr ingress tls_version tls_cipher ja4 method host path api_type
		status origin delivery client_gone request_bytes response_bytes duration_ms upstream_ms upstream_tls_version upstream_reused
		decision error request_id conn_id`) {
		if _, present := line[key]; !present {
			t.Errorf("no %s in %v", key, line)
		}
	}
}

// TestLinesOfOneConnection share an id, and have the caller's own where it is plain.
func TestLinesOfOneConnection(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	ask := func(c *harness.Caller, header string) harness.Line {
		mark := p.Mark()
		c.Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n" + header + "\r\n").Answer("GET")
		return p.WaitLogAfter(mark, harness.Match{"msg": "request"})
	}
	c := harness.Dial(t, p.Addr())
	one, two, other := ask(c, "X-Request-Id: order-17\r\n"), ask(c, "X-Request-Id: 27821234567\r\n"), ask(harness.Dial(t, p.Addr()), "")
	if one.String("conn_id") == "" || one.String("conn_id") != two.String("conn_id") || one.String("conn_id") == other.String("conn_id") {
		t.Errorf("connections %q, %q and %q", one.String("conn_id"), two.String("conn_id"), other.String("conn_id"))
	}
	if id := one.String("caller_request_id"); id != "order-17" {
		t.Errorf("the caller's id is %q", id)
	}
	for _, line := range []harness.Line{two, other} {
		if id, present := line["caller_request_id"]; present {
			t.Errorf("the caller's id is %v", id)
		}
	}
}
