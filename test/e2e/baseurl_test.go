package e2e

import (
	"net/http"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// withDefault is a configuration with one listener without and one with
// default_upstream.
const withDefault = `
listen:
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.1:0", default_upstream: api.smsportal.com}
`

// TestBaseURL: a program whose endpoint setting has tlslift's own address
// reaches the host in its path, or the listener's default_upstream, by every
// spelling and with or without HTTP_PROXY.
func TestBaseURL(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, withDefault)
	plain, byDefault := p.ListenAddr(0), p.ListenAddr(1)
	const call = "/api5/http5.aspx?Type=credits&Username=u&Password=p%26amp;"
	for _, c := range []struct{ listener, target, host, want string }{
		{plain, "/api.smsportal.com" + call, plain, "api.smsportal.com"},
		{plain, "/WWW.MyMobileAPI.com:443" + call, plain, "www.mymobileapi.com"},
		{plain, "/rest.smsportal.com:80" + call, "localhost:3128", "rest.smsportal.com"},
		{plain, "/api.smsportal.com" + call, "tlslift.sms.svc.cluster.local", "api.smsportal.com"},
		{plain, "/api.smsportal.com" + call, "tlslift", "api.smsportal.com"},
		{plain, " /api.smsportal.com" + call, plain, "api.smsportal.com"},
		{plain, "/api.smsportal.com" + call, "", "api.smsportal.com"},
		{plain, "http://" + plain + "/api.smsportal.com" + call, plain, "api.smsportal.com"},
		{plain, "http://tlslift:" + port(plain) + "/api.smsportal.com" + call, plain, "api.smsportal.com"},
		{byDefault, call, byDefault, "api.smsportal.com"},
		{byDefault, call, "localhost", "api.smsportal.com"},
		{byDefault, call, "tlslift.sms:80", "api.smsportal.com"},
		{byDefault, call, "", "api.smsportal.com"},
		{byDefault, call, "www.mymobileapi.com", "www.mymobileapi.com"},
		{byDefault, "/rest.mymobileapi.com" + call, byDefault, "rest.mymobileapi.com"},
		{byDefault, "http://" + byDefault + call, byDefault, "api.smsportal.com"},
		{byDefault, "http://localhost:" + port(byDefault) + call, byDefault, "api.smsportal.com"},
		{plain, "http://" + byDefault + call, plain, "api.smsportal.com"}, // that listener's own
	} {
		for _, version := range []string{"1.0", "1.1"} {
			if c.host == "" && version == "1.1" {
				continue
			}
			server.Reset()
			from := p.Mark()
			field := ""
			if c.host != "" {
				field = "Host: " + c.host + "\r\n"
			}
			answer := harness.Dial(t, c.listener).Send("GET " + c.target + " HTTP/" + version + "\r\n" + field + "\r\n").Answer("GET")
			if answer.StatusCode != 200 || !strings.Contains(answer.Text, "<credits>") {
				t.Errorf("%s, Host %q, %s: %d %s", c.target, c.host, version, answer.StatusCode, answer.Text)
				continue
			}
			if got := server.Requests(); len(got) != 1 || got[0].Target != call || got[0].Host() != c.want {
				t.Errorf("%s, Host %q: upstream saw %d requests, %q of %q", c.target, c.host, len(got), got[0].Target, got[0].Host())
			}
			line := p.WaitLogAfter(from, harness.Match{"msg": "request"})
			if line.String("host") != c.want || line.String("path") != "/api5/http5.aspx" || line.String("decision") != "upgrade" || line.String("api_type") != "credits" {
				t.Errorf("%s, Host %q: %v", c.target, c.host, line)
			}
		}
	}
	if n := p.Metrics().Sum("tlslift_client_requests_total", "insecure", "true"); n == 0 {
		t.Error("no insecure request was counted")
	}
	(harness.Secrets{"p%26amp;"}).Search(t, "output", p.Output())
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// TestBaseURLHasNoHost: what names no host of ours is refused, and told what
// to write, or to set.
func TestBaseURLHasNoHost(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, withDefault)
	plain := p.ListenAddr(0)
	for _, c := range []struct {
		target, host string
		status       int
		problem      string
	}{
		{"/api5/http5.aspx", "", 400, "malformed"},
		{"/api5/http5.aspx", plain, 508, "loop"},
		{"/api5/http5.aspx", "tlslift", 403, "host"},
		{"//api.smsportal.com/", "tlslift", 403, "host"},
		{"/api%2Esmsportal.com/", "tlslift", 403, "host"},
		{"/api.example.com/", "tlslift", 403, "host"},
	} {
		field := ""
		if c.host != "" {
			field = "Host: " + c.host + "\r\n"
		}
		answer := harness.Dial(t, plain).Send("GET " + c.target + " HTTP/1.0\r\n" + field + "\r\n").Answer("GET")
		if answer.StatusCode != c.status || answer.Problem() != c.problem || answer.Delivery() != "not_sent" {
			t.Errorf("%s, Host %q: %d %s %s", c.target, c.host, answer.StatusCode, answer.Problem(), answer.Delivery())
		}
		if !strings.Contains(answer.Text, "default_upstream") || !strings.Contains(answer.Text, "/api.smsportal.com/") {
			t.Errorf("%s, Host %q: the answer does not say what to write or set: %s", c.target, c.host, answer.Text)
		}
	}
	answer := p.Ask("GET http://" + plain + "/api5/http5.aspx HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.StatusCode != 508 || answer.Problem() != "loop" {
		t.Errorf("our own address without a host: %d %s", answer.StatusCode, answer.Problem())
	}
	if n := server.Count(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestBaseURLLinks: what an answer leads to is reached by the same base.
func TestBaseURLLinks(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Status: 302, Header: http.Header{
			"Location":                  {"https://api.smsportal.com/next?a=b"},
			"Content-Location":          {"/here"},
			"Link":                      {"<https://rest.smsportal.com/other>; rel=x, <https://example.com/>"},
			"Set-Cookie":                {"a=b; Domain=smsportal.com; Path=/; Secure", "c=d"},
			"Strict-Transport-Security": {"max-age=1"},
		}}, true
	}}, withDefault)
	plain, byDefault := p.ListenAddr(0), p.ListenAddr(1)
	for _, c := range []struct{ listener, target, host, want string }{
		{
			plain, "/API.smsportal.com/api5/x", "tlslift:3128",
			"http://tlslift:3128/API.smsportal.com/next?a=b | /API.smsportal.com/here | <http://tlslift:3128/rest.smsportal.com/other>; rel=x, <https://example.com/> | a=b; Path=/API.smsportal.com | c=d; Path=/API.smsportal.com/api5",
		},
		{
			plain, "/api.smsportal.com/x", "",
			"/api.smsportal.com/next?a=b | /api.smsportal.com/here | </rest.smsportal.com/other>; rel=x, <https://example.com/> | a=b; Path=/api.smsportal.com | c=d; Path=/api.smsportal.com",
		},
		{
			byDefault, "/api5/x", "tlslift",
			"http://tlslift/next?a=b | /here | <http://tlslift/rest.smsportal.com/other>; rel=x, <https://example.com/> | a=b; Path=/ | c=d",
		},
	} {
		field := ""
		if c.host != "" {
			field = "Host: " + c.host + "\r\n"
		}
		h := harness.Dial(t, c.listener).Send("GET " + c.target + " HTTP/1.0\r\n" + field + "\r\n").Answer("GET").Header
		got := strings.Join(append([]string{h.Get("Location"), h.Get("Content-Location"), h.Get("Link")}, h.Values("Set-Cookie")...), " | ")
		if got != c.want || h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s, Host %q:\n%s\nwant\n%s", c.target, c.host, got, c.want)
		}
	}
	p.WaitMetric(5, "tlslift_rewrites_total", "kind", "cookie")
}

// TestBaseURLOfAPathLikeAHost: a path of the upstream's that begins with the name
// of a host is followed to that path, with the cookies for it.
func TestBaseURLOfAPathLikeAHost(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Status: 302, Header: http.Header{
			"Location":         {"/rest.smsportal.com/y"},
			"Content-Location": {"/api.smsportal.com/q"},
			"Link":             {"</api.smsportal.com/l>; rel=x"},
			"Set-Cookie":       {"a=b; Path=/rest.smsportal.com"},
		}}, true
	}}, withDefault)
	for listener, target := range map[string]string{p.ListenAddr(0): "/api.smsportal.com/d", p.ListenAddr(1): "/d"} {
		caller := harness.Dial(t, listener)
		get := func(target string) http.Header {
			return caller.Send("GET " + target + " HTTP/1.1\r\nHost: " + listener + "\r\n\r\n").Answer("GET").Header
		}
		h := get(target)
		const base = "/api.smsportal.com"
		got := strings.Join([]string{h.Get("Location"), h.Get("Content-Location"), h.Get("Link"), h.Get("Set-Cookie")}, " | ")
		want := base + "/rest.smsportal.com/y | " + base + "/api.smsportal.com/q | <" + base + "/api.smsportal.com/l>; rel=x | a=b; Path=" + base + "/rest.smsportal.com"
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", target, got, want)
		}
		server.Reset()
		get(h.Get("Location"))
		if all := server.Requests(); len(all) != 1 || all[0].Target != "/rest.smsportal.com/y" || all[0].Host() != "api.smsportal.com" {
			t.Errorf("%s: followed, the upstream saw %+v", target, all)
		}
	}
}

// TestBaseURLErrorsNameTheHost: an error speaks of the host that was meant.
func TestBaseURLErrorsNameTheHost(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Config: `upstreams: [{host: api.smsportal.com, address: "127.0.0.1:1"}]`})
	answer := p.Ask("GET /api.smsportal.com/api5/http5.aspx?Type=send HTTP/1.1\r\nHost: tlslift\r\n\r\n")
	if answer.StatusCode != 502 || answer.Problem() != "connect" || answer.Delivery() != "not_sent" ||
		!strings.Contains(answer.Text, "api.smsportal.com") || strings.Contains(answer.Text, "/HOST") || !strings.Contains(answer.Text, "<api_result>") {
		t.Errorf("%d %s %s", answer.StatusCode, answer.Problem(), answer.Text)
	}
}

// TestNothingForeignReachesAnUpstream: what a caller would fetch from somebody
// else, or from the admin side, is no base URL, whatever its port.
func TestNothingForeignReachesAnUpstream(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"pass", "refuse"} {
		server, p := portal(t, smsportal.Options{}, withDefault+"others: "+others+"\n")
		for _, target := range []string{
			"http://" + p.AdminAddr() + "/api/v1/clients",
			"http://" + p.AdminAddr() + "/api.smsportal.com/x",
			"http://localhost:" + port(p.AdminAddr()) + "/quit",
			"http://intranet.invalid:" + port(p.ListenAddr(1)) + "/hr",
			"http://archive.invalid/api.smsportal.com/x",
		} {
			answer := harness.Dial(t, p.ListenAddr(1)).Send("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n\r\n").Answer("GET")
			if answer.Problem() == "" {
				t.Errorf("%s, %s: %d %s", others, target, answer.StatusCode, answer.Text)
			}
		}
		if n := server.Count(); n != 0 {
			t.Errorf("%s: %d requests reached the upstream", others, n)
		}
	}
}

// A mistake in a base URL is answered in the format of the API that the path is
// for, and names what is wrong.
func TestMistakesInBaseURLs(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	for target, want := range map[string]struct {
		reason, format, says string
	}{
		"/api.smsportl.com/api5/http5.aspx?Type=credits":           {"loop", "text/xml", "<api_result><call_result><result>False</result><error>The request names no API host: api.smsportl.com, at the beginning of the path, is not an upstream of this proxy. Nothing was sent. Correct it,"},
		"/rest.smsportl.com/v1/Balance":                            {"loop", "application/json", "The request names no API host: rest.smsportl.com, at the beginning of the path, is not"},
		"/api5/http5.aspx?Type=credits":                            {"loop", "text/xml", "<api_result>"},
		"/API.smsportl.com/x":                                      {"loop", "text/plain", "The request names no API host: api.smsportl.com, at the"},
		"/api.smsportl.com":                                        {"loop", "text/plain", "The request names no API host: api.smsportl.com, at the"},
		"/api.smsportl.com:443/x":                                  {"loop", "text/plain", "The request names no API host. "},
		"/27821234567/x":                                           {"loop", "text/plain", "The request names no API host. "},
		"/u.1234567.abcdef/x":                                      {"loop", "text/plain", "The request names no API host. "},
		"/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x5J2c-3k9yQeE0zQ/x": {"loop", "text/plain", "The request names no API host. "},
		"/api.smsportal.com:8443/api5/http5.aspx":                  {"port", "text/xml", "This port of api.smsportal.com is not served."},
	} {
		answer := dial(t, p).Send("GET " + target + " HTTP/1.1\r\nHost: " + p.Addr() + "\r\n\r\n").Answer("GET")
		if answer.Problem() != want.reason || !strings.HasPrefix(answer.Header.Get("Content-Type"), want.format) || !strings.Contains(answer.Text, want.says) {
			t.Errorf("%s: %d %q %s %q", target, answer.StatusCode, answer.Problem(), answer.Header.Get("Content-Type"), answer.Text)
		}
	}
}
