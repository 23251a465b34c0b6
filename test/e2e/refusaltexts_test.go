package e2e

import (
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const namesNoHost = "The request names no API host."

// TestBrokenChunksAreToldAsSuch: whichever way the request came in, the answer has
// the cause that the log has.
func TestBrokenChunksAreToldAsSuch(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, withDefault)
	const lines, body = "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\nZZ\r\n"
	check := func(name string, in *harness.Caller, request string) {
		t.Helper()
		mark := p.Mark()
		answer := in.Send(request).Answer("POST")
		if answer.StatusCode != 400 || answer.Problem() != "malformed" || answer.Delivery() != "not_sent" ||
			!strings.Contains(answer.Text, "The chunks of the request body are broken. Nothing was sent. Correct the client: each chunk begins with its length") {
			t.Errorf("%s: %d %s %s %s", name, answer.StatusCode, answer.Problem(), answer.Delivery(), answer.Text)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "malformed", "delivery": "not_sent", "detail": "the body's chunk framing is malformed"})
	}
	for _, w := range ways {
		check(w.name, w.open(t, p), w.request("POST", "/api5/http5.aspx", lines, body))
	}
	plain, byDefault := p.ListenAddr(0), p.ListenAddr(1)
	for _, c := range []struct{ name, listener, target, host string }{
		{"a base URL", plain, "/api.smsportal.com/api5/http5.aspx", plain},
		{"a misspelt base URL", plain, "/api.smsportl.com/api5/http5.aspx", plain},
		{"no upstream", plain, "/api5/http5.aspx", "www.example.com"},
		{"default_upstream", byDefault, "/api5/http5.aspx", byDefault},
		{"default_upstream, named", byDefault, "/api5/http5.aspx", "api.smsportal.com"},
	} {
		check(c.name, harness.Dial(t, c.listener), "POST "+c.target+" HTTP/1.1\r\nHost: "+c.host+"\r\n"+lines+"\r\n"+body)
	}
	if n := server.Count(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestMalformedNamesItsOwnCause: no way in blames a host that is missing for
// anything else.
func TestMalformedNamesItsOwnCause(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, withDefault)
	for _, r := range malformed() {
		hostless := r.name == "HTTP/1.0 that names nobody" || r.name == "empty Host"
		for way, in := range map[string]*harness.Caller{
			"gateway": dial(t, p), "default_upstream": harness.Dial(t, p.ListenAddr(1)), "connect": tunnel(t, p),
		} {
			answer := in.Send(r.in).Answer(strings.Fields(r.in)[0])
			if got, want := strings.Contains(answer.Text, namesNoHost), hostless && way == "gateway"; got != want {
				t.Errorf("%s, %s: names no host is %v, want %v: %s", r.name, way, got, want, answer.Text)
			}
		}
	}
}

// TestALoopIsNoMissingHost: a request with our own Via names its host.
func TestALoopIsNoMissingHost(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	via := server.Requests()[0].Header.Get("Via")
	for name, in := range map[string]*harness.Caller{"gateway": dial(t, p), "connect": dial(t, p).Tunnel("api.smsportal.com:443")} {
		mark := p.Mark()
		answer := in.Send("GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\nVia: " + via + "\r\n\r\n").Answer("GET")
		if answer.StatusCode != 508 || answer.Problem() != "loop" || !strings.Contains(answer.Text, "The request came back to the proxy that sent it.") {
			t.Errorf("%s: %d %s %s", name, answer.StatusCode, answer.Problem(), answer.Text)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "loop", "detail": "the request has passed through this tlslift before"})
	}
}

// TestAHostThatIsNotServedIsNamed: a misspelt name in a hosts file or a base URL is
// in the answer, in the caller's format. An address is not a name, so there the
// answer asks for one.
func TestAHostThatIsNotServedIsNamed(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "others: pass")
	for _, c := range []struct{ target, host, format, says string }{
		{"/x", "www.example.com", "text/plain", "This proxy does not serve www.example.com. Nothing was sent. Correct the name in the URL or in the hosts file, or ask the operator of tlslift to add it to its upstreams."},
		{"/api5/http5.aspx?Type=credits", "api.smsportal.co", "text/xml", "<error>This proxy does not serve api.smsportal.co."},
		{"/api5/http5.aspx?Type=credits", "API.smsportal.co:" + port(p.Addr()), "text/xml", "<error>This proxy does not serve api.smsportal.co."},
		{"/api.smsportl.com/api5/http5.aspx", "tlslift", "text/xml", "If tlslift is a name of tlslift itself, begin the path of the URL with the API host"},
		{"/api5/http5.aspx", "192.0.2.1:3128", "text/xml", namesNoHost},
		{"/api5/http5.aspx", "[2001:db8::1]", "text/xml", namesNoHost},
	} {
		mark := p.Mark()
		answer := dial(t, p).Send("GET " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n").Answer("GET")
		if answer.StatusCode != 403 || answer.Problem() != "host" || !strings.HasPrefix(answer.Header.Get("Content-Type"), c.format) || !strings.Contains(answer.Text, c.says) {
			t.Errorf("%s of %s: %d %s %s %s", c.target, c.host, answer.StatusCode, answer.Problem(), answer.Header.Get("Content-Type"), answer.Text)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "host", "delivery": "not_sent", "detail": "hosts that are not upstreams are served only in absolute form and by CONNECT"})
	}
	mark := p.Mark()
	if answer := dial(t, p).Send("GET /api5/http5.aspx HTTP/1.1\r\nHost: " + p.Addr() + "\r\n\r\n").Answer("GET"); answer.StatusCode != 508 || !strings.Contains(answer.Text, namesNoHost) {
		t.Errorf("a base URL without a host: %d %s", answer.StatusCode, answer.Text)
	}
	p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "loop", "delivery": "not_sent", "detail": "the target is tlslift itself: the request names no API host"})
}

// TestSchemesThatAreNotServed: neither is broken HTTP, nor a host that nobody may
// call.
func TestSchemesThatAreNotServed(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "others: pass")
	for _, c := range []struct {
		target, problem, detail, says string
		status                        int
	}{
		{"ftp://www.example.com/a", "malformed", "the target's scheme is neither http nor https", "This proxy serves http and https only.", 400},
		{"https://www.example.com/a", "host", "foreign https needs CONNECT", "This proxy does not encrypt calls to www.example.com, because it is not one of its upstreams. Nothing was sent. Use CONNECT,", 403},
	} {
		mark := p.Mark()
		answer := p.Ask("GET " + c.target + " HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
		if answer.StatusCode != c.status || answer.Problem() != c.problem || answer.Delivery() != "not_sent" || !strings.Contains(answer.Text, c.says) {
			t.Errorf("%s: %d %s %s", c.target, answer.StatusCode, answer.Problem(), answer.Text)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": c.problem, "delivery": "not_sent", "detail": c.detail})
	}
}
