package decide

import (
	"net/netip"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// TestBaseURLs holds which requests use a base URL, and what it means (design,
// section 1).
func TestBaseURLs(t *testing.T) {
	t.Parallel()
	byDefault := func(c *call.Conn) { c.Listener.DefaultUpstream = host.MustParse(odd) }
	elsewhere := func(c *call.Conn) {
		c.Client, c.Peer = netip.MustParseAddrPort("10.0.0.2:9"), netip.MustParseAddrPort("10.0.0.2:9")
	}
	here := func(c *call.Conn) {
		c.Client, c.Peer = netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddrPort("127.0.0.1:9")
	}
	on80 := func(c *call.Conn) { c.Local = netip.MustParseAddrPort("10.0.0.1:80") }
	own := Target{Host: host.MustParse("127.0.0.1"), Port: 3128}
	named := Target{Host: host.MustParse("lift"), Port: 3128}
	with := func(t Target, path string) Target { t.Path = path; return t }
	absolute := func(t Target) Target { t.Absolute, t.Scheme = true, "http"; return t }
	nameless, inConnect, redirected := ways["nameless old TLS"], ways["inside CONNECT"], ways["redirected"]
	for _, c := range []struct {
		what         string
		conn         *call.Conn
		target       Target
		host, prefix string // "" = no base URL
	}{
		{"an address", conn(), with(own, "/api.smsportal.com/x?y"), api, "/api.smsportal.com"},
		{"a name", conn(), with(named, "/api.smsportal.com/x?y"), api, "/api.smsportal.com"},
		{"no Host", conn(), Target{Path: "/api.smsportal.com/x"}, api, "/api.smsportal.com"},
		{"the host alone", conn(), with(named, "/api.smsportal.com"), api, "/api.smsportal.com"},
		{"a query straight away", conn(), with(named, "/api.smsportal.com?x"), api, "/api.smsportal.com"},
		{"another case, a port", conn(), with(named, "/API.SMSPortal.com:443/"), api, "/API.SMSPortal.com:443"},
		{"port 80", conn(), with(named, "/api.smsportal.com:80/"), api, "/api.smsportal.com:80"},
		{"a final dot", conn(), with(named, "/api.smsportal.com./"), api, "/api.smsportal.com."},
		{"two hosts", conn(), with(named, "/api.smsportal.com/odd.smsportal.com/x"), api, "/api.smsportal.com"},
		{"the self-test", conn(), with(named, "/"+host.SelfTest+"/"), host.SelfTest, "/" + host.SelfTest},
		{"path before default_upstream", conn(byDefault), with(named, "/api.smsportal.com/x"), api, "/api.smsportal.com"},
		{"default_upstream", conn(byDefault), with(named, "/x"), odd, ""},
		{"default_upstream, no Host", conn(byDefault), Target{Path: "/x"}, odd, ""},
		{"default_upstream, localhost", conn(byDefault), with(Target{Host: host.MustParse("localhost")}, "/x"), odd, ""},
		{"absolute form, the address of a listener with default_upstream", conn(), absolute(with(Target{Host: host.MustParse("127.0.0.1"), Port: 3130}, "/x")), odd, ""},
		{"absolute form, localhost", conn(), absolute(with(Target{Host: host.MustParse("localhost"), Port: 3130}, "/x")), odd, ""},
		{"absolute form, our address, path", conn(), absolute(with(own, "/api.smsportal.com/x")), api, "/api.smsportal.com"},
		{"absolute form, our name, path", conn(), absolute(with(Target{Host: host.MustParse("machine"), Port: 3128}, "/api.smsportal.com/x")), api, "/api.smsportal.com"},
		{"absolute form, our name, port 80, path", conn(on80), absolute(with(Target{Host: host.MustParse("machine")}, "/api.smsportal.com/x")), api, "/api.smsportal.com"},
		{"absolute form, a name and our port, path", conn(), absolute(with(named, "/api.smsportal.com/x")), api, "/api.smsportal.com"},
		{"absolute form, a Service's name, default_upstream, elsewhere", conn(byDefault, elsewhere), absolute(with(named, "/x")), odd, ""},
		{"absolute form, a Service's long name", conn(byDefault, elsewhere), absolute(with(Target{Host: host.MustParse("lift.sms.svc.cluster.local"), Port: 3128}, "/x")), odd, ""},
		{"absolute form, a Service's name, port 80, path", conn(on80, elsewhere), absolute(with(Target{Host: host.MustParse("lift")}, "/api.smsportal.com/x")), api, "/api.smsportal.com"},
		{"nameless old TLS, default_upstream", conn(nameless, byDefault, func(c *call.Conn) { c.DefaultHost = host.MustParse(odd) }), with(named, "/x"), odd, ""},
		{"old TLS to our own name, default_upstream", conn(nameless, byDefault), with(named, "/x"), odd, ""},

		{"another port, default_upstream", conn(byDefault), with(named, "/api.smsportal.com:8080/x"), odd, ""},
		{"another port, redirected, no Host", conn(redirected), Target{Path: "/api.smsportal.com:8080/x"}, "", ""},
		{"an encoded dot", conn(), with(named, "/api%2Esmsportal.com/x"), "", ""},
		{"an empty segment", conn(), with(named, "//api.smsportal.com/x"), "", ""},
		{"a user", conn(), with(named, "/u@api.smsportal.com/x"), "", ""},
		{"a foreign host", conn(), with(named, "/other.example/x"), "", ""},
		{"our Host", conn(byDefault), with(Target{Host: host.MustParse(api)}, "/odd.smsportal.com/x"), "", ""},
		{"absolute form, a foreign host", conn(byDefault), absolute(with(Target{Host: host.MustParse(other)}, "/api.smsportal.com/x")), "", ""},
		{"absolute form, our address, no default_upstream there", conn(byDefault), absolute(with(own, "/x")), "", ""},
		{"absolute form, the admin side", conn(byDefault), absolute(with(Target{Host: host.MustParse("127.0.0.1"), Port: 9128}, "/api.smsportal.com/x")), "", ""},
		{"absolute form, another port, default_upstream", conn(byDefault), absolute(with(Target{Host: host.MustParse("lift"), Port: 3129}, "/x")), "", ""},
		{"absolute form, port 80, default_upstream", conn(byDefault, on80, here), absolute(with(Target{Host: host.MustParse("lift")}, "/x")), "", ""},
		{"absolute form, another's host and our port, elsewhere", conn(byDefault, elsewhere), absolute(with(Target{Host: host.MustParse(other), Port: 3128}, "/x")), "", ""},
		{"absolute form, a name and our port, for a caller who may go there", conn(byDefault, here), absolute(with(named, "/x")), "", ""},
		{"absolute form, another's host and path on port 80", conn(on80, elsewhere), absolute(with(Target{Host: host.MustParse(other)}, "/api.smsportal.com/x")), "", ""},
		{"inside CONNECT", conn(inConnect, byDefault), with(named, "/odd.smsportal.com/x"), "", ""},
		{"redirected, a foreign Host", conn(redirected, byDefault), with(named, "/api.smsportal.com/x"), "", ""},
		{"redirected, no Host", conn(redirected, byDefault), Target{Path: "/x"}, "", ""},
		{"OPTIONS *", conn(), with(named, "*"), "", ""},
	} {
		p, d := settings(OthersAuto, true).Find(c.conn, c.target)
		if p.Base != (c.host != "") || p.Prefix != c.prefix || p.Base && (p.Host.String() != c.host || p.Port != 0 || d.Action == Refuse) {
			t.Errorf("%s: %+v %v", c.what, p, d.Action)
		}
	}
}

// A misspelt host is named, and nothing else that a path may begin with.
func TestMisnamedHosts(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/api.smsportl.com/api5/x": "api.smsportl.com", "/API.smsportl.com?a=b": "api.smsportl.com", "/service.asmx": "service.asmx",
		"/" + api + "/x": "", "/api5/http5.aspx": "", "//api.smsportl.com/x": "", "/": "", "*": "", "": "",
		"/10.0.0.1/x": "", "/27821234567/x": "", "/a.smsportl.com:443/x": "", "/a%2Eb/x": "", "/v1.2/x": "", "/*": "", "/a .b/x": "",
	} {
		if got := settings(OthersAuto, true).Misnamed(path).String(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// A base URL whose path names a port beside the host is refused for that port,
// not for a missing host.
func TestBaseURLsWithAPort(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]problem.Reason{
		"/api.smsportal.com:8443/x": problem.Port,
		"/api.smsportal.com:3128/x": problem.Port, // of this listener
		"/odd.smsportal.com:8443/x": problem.None, // its own
		"/other.example:8443/x":     problem.Loop,
	} {
		own := Target{Host: host.MustParse("127.0.0.1"), Port: 3128, Path: path}
		if p, d := settings(OthersAuto, true).ask(conn(), own, Head{Method: "GET"}); d.Reason != want || want == problem.Port && (!d.Ours || p.Host.String() != api) {
			t.Errorf("%s: %+v %v", path, p, d)
		}
	}
}
