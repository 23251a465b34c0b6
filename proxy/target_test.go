package proxy

import (
	"net/http"
	"net/netip"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestSplitAbsolute(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string][4]string{
		"/api5/http5.aspx?a=http://x/": {"", "", "", "no"},
		"*":                            {"", "", "", "no"},
		"http://h/a?b":                 {"http", "h", "/a?b", "yes"},
		"HTTP://User:pw@H:80":          {"http", "User:pw@H:80", "/", "yes"},
		"https://h?x=/":                {"https", "h", "/?x=/", "yes"},
		"http://h//double":             {"http", "h", "//double", "yes"},
		"http://h/%26amp;%zz\xe9":      {"http", "h", "/%26amp;%zz\xe9", "yes"},
		"h:443":                        {"", "", "", "no"},
	} {
		scheme, authority, raw, ok := splitAbsolute(uri)
		got := [4]string{scheme, authority, raw, "no"}
		if ok {
			got[3] = "yes"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

func TestSplitAuthority(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct {
		host string
		port uint16
		ok   bool
	}{
		"":                   {"", 0, true},
		"API.SMSPortal.com.": {"api.smsportal.com", 0, true},
		"h:80":               {"h", 80, true},
		"h:":                 {"h", 0, true},
		"user:secret@h:443":  {"h", 443, true},
		"[2001:DB8::1]:8443": {"2001:db8::1", 8443, true},
		"[::1]":              {"::1", 0, true},
		"[::1":               {"", 0, false},
		"[host]":             {"", 0, false},
		"[::1]x":             {"", 0, false},
		"h:0":                {"", 0, false},
		"h:65536":            {"", 0, false},
		"h:x":                {"", 0, false},
		"a:b:c":              {"", 0, false},
	} {
		host, port, ok := splitAuthority(in)
		if ok != want.ok || ok && (host != want.host || port != want.port) {
			t.Errorf("%q: %q %d %v, want %+v", in, host, port, ok, want)
		}
	}
}

func FuzzSplitAuthority(f *testing.F) {
	for _, s := range []string{"", "h", "H.:80", "[::1]:1", "a@b:1", ":", "@", "[]", "[::1%25eth0]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		host, port, ok := splitAuthority(in)
		if !ok {
			return
		}
		again, _, ok := splitAuthority(host)
		if _, err := netip.ParseAddr(host); err == nil {
			again, _, ok = splitAuthority("[" + host + "]")
		}
		if host != "" && len(host) < len(in) && ok && again != host && host[len(host)-1] != '.' {
			t.Errorf("%q: host %q (port %d) normalises to %q", in, host, port, again)
		}
	})
}

func TestTargetOf(t *testing.T) {
	t.Parallel()
	plain := func(change func(*call.Conn)) *call.Conn {
		a := &call.Conn{Listener: &call.Listener{Forward: true, Gateway: true, Connect: true, TLS: true}}
		if change != nil {
			change(a)
		}
		return a
	}
	connect := func(a *call.Conn) { a.Ingress, a.Authority, a.Port = call.Connect, "api.smsportal.com", 443 }
	for name, test := range map[string]struct {
		arr       *call.Conn
		uri, host string
		want      target
		reason    problem.Reason
	}{
		"forward":       {plain(nil), "http://API.smsportal.com:80/a?b", "API.smsportal.com:80", target{call.Forward, "http", "api.smsportal.com", 80, "/a?b"}, 0},
		"forward https": {plain(nil), "https://api.smsportal.com/a", "api.smsportal.com", target{call.Forward, "https", "api.smsportal.com", 0, "/a"}, 0},
		"forward ftp":   {plain(nil), "ftp://api.smsportal.com/a", "api.smsportal.com", target{}, problem.Malformed},
		"gateway":       {plain(nil), "/a?b=%zz", "api.smsportal.com.", target{call.Gateway, "http", "api.smsportal.com", 0, "/a?b=%zz"}, 0},
		"no host":       {plain(nil), "/a", "", target{}, problem.Malformed},
		"default_upstream": {
			plain(func(a *call.Conn) { a.Listener.DefaultUpstream = "api.smsportal.com" }),
			"/a", "",
			target{call.Gateway, "http", "api.smsportal.com", 0, "/a"},
			0,
		},
		"inside CONNECT":               {plain(connect), "/a", "API.smsportal.com:443", target{call.Connect, "http", "api.smsportal.com", 0, "/a"}, 0},
		"inside CONNECT, no Host":      {plain(connect), "/a", "", target{call.Connect, "http", "api.smsportal.com", 0, "/a"}, 0},
		"inside CONNECT, absolute":     {plain(connect), "http://api.smsportal.com/a", "api.smsportal.com", target{call.Connect, "http", "api.smsportal.com", 0, "/a"}, 0},
		"inside CONNECT, another host": {plain(connect), "/a", "rest.smsportal.com", target{}, problem.Misdirected},
		"terminated, no SNI": {
			plain(func(a *call.Conn) { a.Ingress, a.Handling = call.TLS, call.Terminated }),
			"/a", "rest.smsportal.com",
			target{call.TLS, "https", "rest.smsportal.com", 0, "/a"},
			0,
		},
		"terminated, other SNI": {plain(func(a *call.Conn) {
			a.Ingress, a.Handling, a.Authority = call.TLS, call.Terminated, "api.smsportal.com"
		}), "/a", "rest.smsportal.com", target{}, problem.Misdirected},
		"transparent, no host": {plain(func(a *call.Conn) {
			a.Listener.Transparent, a.OriginalDst = true, netip.MustParseAddrPort("192.0.2.1:80")
		}), "/a", "", target{call.Transparent, "http", "192.0.2.1", 80, "/a"}, 0},
	} {
		got, ref := targetOf(test.arr, &http.Request{RequestURI: test.uri, Host: test.host})
		switch {
		case test.reason != problem.None:
			if ref == nil || ref.reason != test.reason {
				t.Errorf("%s: %+v, want the refusal %s", name, ref, test.reason)
			}
		case ref != nil:
			t.Errorf("%s: refused: %+v", name, ref)
		case got != test.want:
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestHostOfHead(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: API.example:80\r\n\r\n":  "api.example",
		"GET / HTTP/1.0\nAccept: */*\nhost:x.example\n\n": "x.example",
		"GET http://a.example/ HTTP/1.1\r\nHost: b\r\n":   "a.example",
		"GET / HTTP/1.0\r\n\r\nHost: body.example\r\n":    "",
		"SSH-2.0-OpenSSH\r\n":                             "",
		"":                                                "",
	} {
		if got, known := hostOfHead([]byte(head)); got != want && known {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
