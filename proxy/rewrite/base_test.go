package rewrite

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/host"
)

var api = host.MustParse("api.smsportal.com")

// below is the view of a caller of http://lift:3128/API.smsportal.com/api5/http5.aspx.
func below(change ...func(*View)) View {
	v := View{Upgraded: ours, Host: api, Target: api, HTTP: true, Base: &Base{
		Authority: "lift:3128", Prefix: "/API.smsportal.com", Path: "/api5/http5.aspx",
	}}
	for _, f := range change {
		f(&v)
	}
	return v
}

func overTLS(v *View)     { v.HTTP = false }
func noHost(v *View)      { v.Base.Authority = "" }
func byDefault(v *View)   { v.Base.Prefix = "" }
func fromRoot(v *View)    { v.Base.Path = "/" }
func fromHidden(v *View)  { v.Base.Path = "" }
func fromMarkup(v *View)  { v.Base.Path = `/a"<&/b` }
func fromOutside(v *View) { v.Base.Path = "/\xe9/b" }

func TestBaseURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		view            View
		field, in, want string
	}{
		// A host's links stay below its prefix, as the caller spelled it.
		{below(), "Location", "/x?y#z", "/API.smsportal.com/x?y#z"},
		{below(), "Location", "/", "/API.smsportal.com/"},
		{below(), "Location", "https://api.smsportal.com/x?y", "http://lift:3128/API.smsportal.com/x?y"},
		{below(), "Location", "HTTP://API.SMSPORTAL.COM:80/x", "http://lift:3128/API.smsportal.com/x"},
		{below(), "Location", "https://api.smsportal.com:443?y", "http://lift:3128/API.smsportal.com?y"},
		{below(), "Location", "https://api.smsportal.com", "http://lift:3128/API.smsportal.com"},
		{below(), "Location", "//api.smsportal.com/x", "http://lift:3128/API.smsportal.com/x"},
		{below(), "Location", "https://u:p@api.smsportal.com/x", "http://u:p@lift:3128/API.smsportal.com/x"},
		{below(), "Location", "https://rest.smsportal.com/Balance", "http://lift:3128/rest.smsportal.com/Balance"},
		{below(), "Content-Location", "/x", "/API.smsportal.com/x"},
		{below(), "Refresh", "1; url=/x", "1; url=/API.smsportal.com/x"},
		{below(), "Link", "</2>; rel=next, <3>", "</API.smsportal.com/2>; rel=next, <3>"},
		// Whatever is not ours stays.
		{below(), "Location", "https://example.com/x", "https://example.com/x"},
		{below(), "Location", "//example.com/x", "//example.com/x"},
		{below(), "Location", "https://api.smsportal.com:8443/x", "https://api.smsportal.com:8443/x"},
		{below(), "Location", "http://api.smsportal.com:443/x", "http://api.smsportal.com:443/x"},
		{below(), "Location", "https://api.smsportal.com:80/x", "https://api.smsportal.com:80/x"},
		{below(), "Location", `/\example.com/x`, `/\example.com/x`},
		{below(), "Location", "mailto:a@api.smsportal.com", "mailto:a@api.smsportal.com"},
		{below(), "Location", "", ""},
		// Relative references mean the same below the prefix, unless they climb.
		{below(), "Location", "x", "x"},
		{below(), "Location", "?y", "?y"},
		{below(), "Location", "#z", "#z"},
		{below(), "Location", "a..b/x", "a..b/x"},
		{below(), "Location", "x?/../y", "x?/../y"},
		{below(), "Location", "s:../x", "s:../x"},
		{below(), "Location", "../x", "/API.smsportal.com/x"},
		{below(), "Location", "../../../x/./y?z", "/API.smsportal.com/x/y?z"},
		{below(), "Location", "a/../b/..", "/API.smsportal.com/api5/"},
		{below(fromRoot), "Location", "../x", "/API.smsportal.com/x"},
		{below(fromHidden), "Location", "../x", "../x"},
		// The URL of a call for "/" may be the prefix alone.
		{below(fromRoot), "Location", "x?y", "/API.smsportal.com/x?y"},
		{below(fromRoot), "Location", "?y", "?y"},
		// A path is the upstream's own, which does not know the prefix, even if it
		// begins like one.
		{below(), "Location", "/API.smsportal.com", "/API.smsportal.com/API.smsportal.com"},
		{below(), "Location", "/api.smsportal.com/x", "/API.smsportal.com/api.smsportal.com/x"},
		{below(), "Content-Location", "/rest.smsportal.com:443/x", "/API.smsportal.com/rest.smsportal.com:443/x"},
		{below(), "Link", "</API.smsportal.com/x>; rel=next", "</API.smsportal.com/API.smsportal.com/x>; rel=next"},
		{below(), "Location", "https://api.smsportal.com/api.smsportal.com", "http://lift:3128/API.smsportal.com/api.smsportal.com"},
		{below(), "Location", "../rest.smsportal.com", "/API.smsportal.com/rest.smsportal.com"},
		{below(), "Location", "http://lift:3128/API.smsportal.com/x", "http://lift:3128/API.smsportal.com/x"},

		{below(noHost), "Location", "https://u:p@api.smsportal.com/x", "/API.smsportal.com/x"},
		{below(noHost), "Location", "https://rest.smsportal.com", "/rest.smsportal.com"},
		{below(overTLS), "Location", "https://api.smsportal.com/x", "https://lift:3128/API.smsportal.com/x"},
		{below(overTLS), "Location", "http://api.smsportal.com/x", "https://lift:3128/API.smsportal.com/x"},
		{below(byDefault), "Location", "https://api.smsportal.com?x", "http://lift:3128/?x"},
		{below(byDefault), "Location", "https://api.smsportal.com/x", "http://lift:3128/x"},
		{below(byDefault), "Location", "https://rest.smsportal.com/x", "http://lift:3128/rest.smsportal.com/x"},
		{below(byDefault), "Location", "/x", "/x"},
		{below(byDefault), "Location", "../x", "../x"},
		{below(byDefault, noHost), "Location", "https://api.smsportal.com", "/"},
		// Without a prefix, a path that begins with a host would lead to that one.
		{below(byDefault), "Location", "/rest.smsportal.com/x", "/api.smsportal.com/rest.smsportal.com/x"},
		{below(byDefault), "Location", "/API.smsportal.com:443?x", "/api.smsportal.com/API.smsportal.com:443?x"},
		{below(byDefault), "Location", "../rest.smsportal.com#z", "/api.smsportal.com/rest.smsportal.com#z"},
		{below(byDefault, fromRoot), "Location", "rest.smsportal.com/x", "/api.smsportal.com/rest.smsportal.com/x"},
		{below(byDefault), "Location", "rest.smsportal.com/x", "rest.smsportal.com/x"},
		{below(byDefault, fromRoot), "Location", "rest.smsportal.com:443/x", "rest.smsportal.com:443/x"},
		{below(byDefault, fromHidden), "Location", "rest.smsportal.com/x", "rest.smsportal.com/x"},
		{below(byDefault), "Location", "https://api.smsportal.com/rest.smsportal.com", "http://lift:3128/api.smsportal.com/rest.smsportal.com"},
		{below(byDefault), "Location", "/example.com/x", "/example.com/x"},

		// A cookie reaches its own host alone.
		{below(), "Set-Cookie", "a=b", "a=b; Path=/API.smsportal.com/api5"},
		{below(func(v *View) { v.Base.Path = "/a/b;Max-Age=0/c" }), "Set-Cookie", "a=b", "a=b; Path=/API.smsportal.com/a"},
		{below(fromRoot), "Set-Cookie", "a=b; Path=x", "a=b; Path=/API.smsportal.com"},
		{below(fromHidden), "Set-Cookie", "a=b", "a=b; Path=/API.smsportal.com"},
		{below(), "Set-Cookie", "a=b; Path=/; Secure; domain=.smsportal.com; HttpOnly", "a=b; HttpOnly; Path=/API.smsportal.com"},
		{below(), "Set-Cookie", "a=b;path=/x/ ;Path=/y;SameSite=None", "a=b; Path=/API.smsportal.com/y"},
		{below(overTLS), "Set-Cookie", "a=b; Secure; Path=/", "a=b; Secure; Path=/API.smsportal.com"},
		{below(byDefault), "Set-Cookie", "a=b; Domain=smsportal.com; Path=/x", "a=b; Path=/x"},
		{below(byDefault), "Set-Cookie", "a=b; Path=/x", "a=b; Path=/x"},
		{below(), "Set-Cookie", "a=b; Path=/api.smsportal.com/x", "a=b; Path=/API.smsportal.com/api.smsportal.com/x"},
		{below(byDefault), "Set-Cookie", "a=b; path=/rest.smsportal.com/x; HttpOnly", "a=b; Path=/api.smsportal.com/rest.smsportal.com/x; HttpOnly"},

		{below(overTLS), "Strict-Transport-Security", "max-age=1", "max-age=1"},
		{View{Upgraded: ours, HTTP: true, Host: api, Target: api, Port: 8443}, "Location", "https://api.smsportal.com:8443/x", "http://api.smsportal.com/x"},
		{View{Upgraded: ours, HTTP: true, Host: api, Target: api, Port: 8443}, "Location", "https://rest.smsportal.com:8443/x", "https://rest.smsportal.com:8443/x"},
		{View{Upgraded: ours}, "Location", "https://api.smsportal.com/x", "https://api.smsportal.com/x"},
		{View{Upgraded: ours}, "Set-Cookie", "a=b; Secure; Domain=x", "a=b; Secure; Domain=x"},
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
		if !strings.Contains(tt.want, "://") {
			continue // a path is the upstream's own each time
		}
		Response(h, everything, tt.view, nil)
		if got := h[tt.field][0]; tt.field != "Set-Cookie" && got != tt.want {
			t.Errorf("%s: %q, a second time, became %q", tt.field, tt.want, got)
		}
	}
}

// TestBaseURLLeadsToTheSame: a caller that follows a reference gets to where the
// upstream meant.
func TestBaseURLLeadsToTheSame(t *testing.T) {
	t.Parallel()
	resolved := func(base, ref string) *url.URL {
		b, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		u, err := b.Parse(ref)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for _, v := range []View{below(), below(noHost), below(overTLS), below(fromRoot), below(byDefault), below(byDefault, fromRoot), below(byDefault, noHost)} {
		for _, ref := range []string{
			"/", "/x?y", "x", ".", "..", "../x", "../../x?y", "a/../../b", "?y", "//api.smsportal.com/x", "https://api.smsportal.com", "https://api.smsportal.com/x/y",
			"https://rest.smsportal.com/x", "https://rest.smsportal.com/api.smsportal.com/x", "https://api.smsportal.com/rest.smsportal.com/x",
			"/api.smsportal.com", "/API.smsportal.com/x", "/rest.smsportal.com/x?y", "/api.smsportal.com:443/x", "../rest.smsportal.com/x", "rest.smsportal.com/x", "rest.smsportal.com", "/example.com/x",
		} {
			h := http.Header{"Location": {ref}}
			Response(h, everything, v, nil)
			meant := resolved("https://api.smsportal.com"+v.Base.Path, ref)
			base := "http://lift:3128" + v.Base.Prefix + v.Base.Path
			if v.scoped() {
				base = strings.TrimSuffix(base, "/")
			}
			got := resolved(base, h.Get("Location"))
			if got.Host != "lift:3128" {
				t.Errorf("%+v: %q became %q, which leaves the base", v.Base, ref, h.Get("Location"))
				continue
			}
			// As decide takes it apart (design, section 1).
			first, rest, _ := strings.Cut(got.Path[1:], "/")
			n, _, err := host.ParseAuthority(first)
			if !v.scoped() && (err != nil || !ours(n)) {
				n, rest = api, got.Path[1:]
			}
			if n.String() != meant.Host || "/"+rest != cmp.Or(meant.Path, "/") || got.RawQuery != meant.RawQuery {
				t.Errorf("%+v: %q, which means %s, became %q, which means /%s of %s", v.Base, ref, meant, h.Get("Location"), rest, n)
			}
		}
	}
}
