package rewrite

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/host"
)

// sent is the view of a caller of www.mymobileapi.com whose call went to
// new.example, which is no upstream, or to another one.
func sent(change ...func(*View)) View {
	v := View{
		Upgraded: func(n host.Name) bool { return ours(n) || strings.HasSuffix(n.String(), ".mymobileapi.com") },
		Host:     host.MustParse("www.mymobileapi.com"), Target: host.MustParse("new.example"), Port: 443, HTTP: true,
	}
	for _, f := range change {
		f(&v)
	}
	return v
}

func toListed(v *View)  { v.Target = host.MustParse("api.smsportal.com") }
func toSibling(v *View) { v.Target = host.MustParse("api.mymobileapi.com") }
func toPort(v *View)    { v.Port = 8443 }
func toBelow(v *View) {
	v.Host, v.Target = host.MustParse("smsportal.com"), host.MustParse("api.smsportal.com")
}

func byPath(v *View) {
	v.Base = &Base{Authority: "lift:3128", Prefix: "/WWW.mymobileapi.com", Path: "/api5/http5.aspx"}
}

// TestTarget: the name of another target stands for the host that was called.
func TestTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		view            View
		field, in, want string
	}{
		{sent(), "Location", "https://new.example/x?a=%26amp;#f", "http://www.mymobileapi.com/x?a=%26amp;#f"},
		{sent(), "Location", "HTTPS://u:p@NEW.example.:443", "http://u:p@www.mymobileapi.com"},
		{sent(), "Location", "http://new.example:80/x", "http://www.mymobileapi.com/x"},
		{sent(), "Location", "//new.example/x", "//www.mymobileapi.com/x"},
		{sent(), "Content-Location", "https://new.example/x", "http://www.mymobileapi.com/x"},
		{sent(), "Refresh", "1; url='https://new.example/x'", "1; url='http://www.mymobileapi.com/x'"},
		{sent(), "Link", "<https://new.example/2>; rel=next, <https://old.example/>", "<http://www.mymobileapi.com/2>; rel=next, <https://old.example/>"},
		{sent(toListed), "Location", "https://api.smsportal.com/x", "http://www.mymobileapi.com/x"},
		{sent(toListed, byPath), "Location", "https://api.smsportal.com/x", "http://lift:3128/WWW.mymobileapi.com/x"},
		{sent(byPath), "Location", "//new.example", "http://lift:3128/WWW.mymobileapi.com"},
		{sent(byPath, byDefault), "Location", "https://new.example/x", "http://lift:3128/x"},
		// A caller that sees https does so as before.
		{sent(overTLS), "Location", "https://new.example:443/x", "https://www.mymobileapi.com/x"},
		{sent(overTLS), "Location", "http://new.example/x", "http://www.mymobileapi.com/x"},
		{sent(overTLS), "Location", "//new.example/x", "//www.mymobileapi.com/x"},
		{sent(overTLS), "Set-Cookie", "a=b; Secure; Domain=new.example", "a=b; Secure; Domain=www.mymobileapi.com"},
		// A target is named with its port, unless that is 443.
		{sent(toPort), "Location", "https://new.example:8443/x", "http://www.mymobileapi.com/x"},
		{sent(toPort), "Location", "//new.example:8443/x", "//www.mymobileapi.com/x"},
		{sent(toPort, byPath), "Location", "https://new.example:8443/x", "http://lift:3128/WWW.mymobileapi.com/x"},
		{sent(toPort, overTLS), "Location", "https://new.example:8443/x", "https://www.mymobileapi.com:8443/x"},
		// Other hosts and ports are as for any call.
		{sent(), "Location", "https://rest.smsportal.com/x", "http://rest.smsportal.com/x"},
		{sent(), "Location", "https://www.mymobileapi.com/x", "http://www.mymobileapi.com/x"},
		{sent(), "Location", "https://www.new.example/x", "https://www.new.example/x"},
		{sent(), "Location", "https://new.example:8443/x", "https://new.example:8443/x"},
		{sent(toPort), "Location", "http://new.example:8443/x", "http://new.example:8443/x"},
		{sent(toPort), "Location", "https://www.mymobileapi.com:8443/x", "https://www.mymobileapi.com:8443/x"},
		{sent(), "Location", `https://new.example\@x/`, `https://new.example\@x/`},
		{sent(overTLS), "Location", "https://rest.smsportal.com:443/x", "https://rest.smsportal.com:443/x"},
		{sent(), "Location", "/x", "/x"},

		// The caller can keep a cookie for the host that it called, or one above
		// it (RFC 6265 5.3, step 6).
		{sent(), "Set-Cookie", "a=b; Domain=new.example; Path=/", "a=b; Domain=www.mymobileapi.com; Path=/"},
		{sent(), "Set-Cookie", "a=b;domain = .NEW.example ;Secure", "a=b; Domain=www.mymobileapi.com"},
		{sent(toListed), "Set-Cookie", "a=b; Secure; Domain=.smsportal.com; Path=/", "a=b; Path=/"},
		{sent(toListed), "Set-Cookie", "a=b; Domain=smsportal.com; domain=api.smsportal.com", "a=b; Domain=www.mymobileapi.com"},
		{sent(toSibling), "Set-Cookie", "a=b; Domain=mymobileapi.com", "a=b; Domain=mymobileapi.com"},
		{sent(toBelow), "Set-Cookie", "a=b; Domain=api.smsportal.com; Path=/", "a=b; Path=/"},
		{sent(byPath), "Set-Cookie", "a=b; Domain=new.example; Path=/x", "a=b; Path=/WWW.mymobileapi.com/x"},
		{sent(byPath, byDefault), "Set-Cookie", "a=b; Domain=new.example; Path=/x", "a=b; Path=/x"},
		// What nobody may keep stays so.
		{sent(toListed), "Set-Cookie", "a=b; Domain=x.api.smsportal.com", "a=b; Domain=x.api.smsportal.com"},
		{sent(), "Set-Cookie", "a=b; Domain=old.example", "a=b; Domain=old.example"},
		{sent(), "Set-Cookie", "a=b; Domain=w.example", "a=b; Domain=w.example"},
		{sent(), "Set-Cookie", "a=b; Domain=; Domain", "a=b; Domain=; Domain"},
		{sent(), "Set-Cookie", "Domain=new.example", "Domain=new.example"},
		{sent(), "Set-Cookie", "a=Domain=new.example; Path=Domain=new.example", "a=Domain=new.example; Path=Domain=new.example"},
	} {
		h := http.Header{tt.field: {tt.in}}
		var c counter
		Response(h, everything, tt.view, c.count)
		if got := h[tt.field]; !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%s: %q became %q, want %q", tt.field, tt.in, got, tt.want)
		}
		if (len(c) == 1) != (tt.in != tt.want) {
			t.Errorf("%s: %q: counted %v", tt.field, tt.in, c)
		}
	}
}

func TestDocumentOfTarget(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		view View
		want string
	}{
		{sent(), "http://www.mymobileapi.com"},
		{sent(overTLS), "https://www.mymobileapi.com"},
		{sent(byPath), "http://lift:3128/WWW.mymobileapi.com"},
	} {
		in, want := marked(`<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="{{https://new.example/a}}"/></schema>`,
			func(s string) string { return strings.Replace(s, "https://new.example", tt.want, 1) })
		if got, err := tt.view.Document([]byte(in), "text/xml"); err != nil || string(got) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, got, want)
		}
	}
}

// TestChanges: an answer is looked at only where it may have to change.
func TestChanges(t *testing.T) {
	t.Parallel()
	itself := func(v *View) { v.Target = v.Host }
	for _, tt := range []struct {
		view View
		want bool
	}{{sent(), true}, {sent(overTLS), true}, {sent(itself), true}, {sent(itself, overTLS), false}, {sent(itself, overTLS, byPath), true}} {
		if got := tt.view.Changes(); got != tt.want {
			t.Errorf("%+v: %v", tt.view, got)
		}
	}
}
