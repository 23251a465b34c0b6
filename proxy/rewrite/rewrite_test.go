package rewrite

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/host"
)

var everything = Options{Location: true, Cookies: true, HSTS: true}

// ours stands for the configured upstreams.
func ours(n host.Name) bool {
	return n.String() == "smsportal.com" || strings.HasSuffix(n.String(), ".smsportal.com") || n.String() == "::1"
}

// plain is the view of a caller that uses the upstreams' own names.
var plain = View{Upgraded: ours, HTTP: true}

// counter collects kinds as "location location csp".
type counter []string

func (c *counter) count(k Kind) { *c = append(*c, k.String()) }

func (c *counter) String() string { return strings.Join(*c, " ") }

func TestFields(t *testing.T) {
	t.Parallel()
	const gone = "\x00"
	for _, tt := range []struct{ field, in, want string }{
		// An https URL to a host of ours becomes http.
		{"Location", "https://api.smsportal.com/x?a=%26amp;&b=;c#f", "http://api.smsportal.com/x?a=%26amp;&b=;c#f"},
		{"Location", "https://api.smsportal.com", "http://api.smsportal.com"},
		{"Location", "https://api.smsportal.com?a=b", "http://api.smsportal.com?a=b"},
		{"Location", "https://api.smsportal.com#f", "http://api.smsportal.com#f"},
		{"Location", "HTTPS://API.SmsPortal.COM/X", "http://API.SmsPortal.COM/X"},
		{"Location", "https://api.smsportal.com:443/x", "http://api.smsportal.com/x"},
		{"Location", "https://api.smsportal.com:/x", "http://api.smsportal.com/x"},
		{"Location", "https://api.smsportal.com./x", "http://api.smsportal.com./x"},
		{"Location", "https://u:p@api.smsportal.com:443/x", "http://u:p@api.smsportal.com/x"},
		{"Location", "https://u:443@api.smsportal.com/x", "http://u:443@api.smsportal.com/x"},
		{"Location", "https://a@b@api.smsportal.com/x", "http://a@b@api.smsportal.com/x"},
		{"Location", "https://[::1]:443/x", "http://[::1]/x"},
		{"Location", "https://[::1]/x", "http://[::1]/x"},
		{"Location", "https://api.smsportal.com/\xe9\xff", "http://api.smsportal.com/\xe9\xff"},
		{"Location", "https://api.smsportal.com/https://api.smsportal.com/", "http://api.smsportal.com/https://api.smsportal.com/"},
		{"Content-Location", "https://rest.smsportal.com/Balance", "http://rest.smsportal.com/Balance"},
		// Everything else stays.
		{"Location", "", ""},
		{"Location", "/api5/http5.aspx", "/api5/http5.aspx"},
		{"Location", "//api.smsportal.com/x", "//api.smsportal.com/x"},
		{"Location", "http://api.smsportal.com/x", "http://api.smsportal.com/x"},
		{"Location", "https://example.com/https://api.smsportal.com/", "https://example.com/https://api.smsportal.com/"},
		{"Location", "https://api.smsportal.com@example.com/", "https://api.smsportal.com@example.com/"},
		{"Location", "https://api.smsportal.com.example.com/", "https://api.smsportal.com.example.com/"},
		{"Location", "https://example.com?@api.smsportal.com/", "https://example.com?@api.smsportal.com/"},
		{"Location", "https://example.com#@api.smsportal.com/", "https://example.com#@api.smsportal.com/"},
		{"Location", `https://example.com\@api.smsportal.com/`, `https://example.com\@api.smsportal.com/`},
		{"Location", `https://api.smsportal.com\@example.com/`, `https://api.smsportal.com\@example.com/`},
		{"Location", "https://api.smsportal.com:8443/x", "https://api.smsportal.com:8443/x"},
		{"Location", "https://api.smsportal.com:443x/", "https://api.smsportal.com:443x/"},
		{"Location", "https:///x", "https:///x"},
		{"Location", "https://", "https://"},
		{"Location", "https://@/", "https://@/"},
		{"Location", "https:/api.smsportal.com/", "https:/api.smsportal.com/"},
		{"Location", "xhttps://api.smsportal.com/", "xhttps://api.smsportal.com/"},

		{"Refresh", "5; url=https://api.smsportal.com/x", "5; url=http://api.smsportal.com/x"},
		{"Refresh", "0;URL='https://api.smsportal.com'", "0;URL='http://api.smsportal.com'"},
		{"Refresh", `0, url = "https://api.smsportal.com/a'b"`, `0, url = "http://api.smsportal.com/a'b"`},
		{"Refresh", `0;url="https://api.smsportal.com/x`, `0;url="http://api.smsportal.com/x`},
		{"Refresh", "1;https://api.smsportal.com/x", "1;http://api.smsportal.com/x"},
		{"Refresh", "1; url https://api.smsportal.com/x", "1; url https://api.smsportal.com/x"},
		{"Refresh", "1; url", "1; url"},
		{"Refresh", "1;", "1;"},
		{"Refresh", "5", "5"},
		{"Refresh", "5; url=https://example.com/", "5; url=https://example.com/"},
		{"Refresh", "5; url=/x?u=https://api.smsportal.com/", "5; url=/x?u=https://api.smsportal.com/"},

		{
			"Link", `<https://api.smsportal.com/2>; rel="next", <https://example.com/>; rel=x, <https://rest.smsportal.com/>`,
			`<http://api.smsportal.com/2>; rel="next", <https://example.com/>; rel=x, <http://rest.smsportal.com/>`,
		},
		{
			"Link", `</x>; title="<https://api.smsportal.com/>\"<https://api.smsportal.com/>"; anchor="https://api.smsportal.com/"`,
			`</x>; title="<https://api.smsportal.com/>\"<https://api.smsportal.com/>"; anchor="https://api.smsportal.com/"`,
		},
		{"Link", `<https://api.smsportal.com/`, `<https://api.smsportal.com/`},
		{"Link", `"<https://api.smsportal.com/>`, `"<https://api.smsportal.com/>`},
		{"Link", `"\`, `"\`},

		{"Set-Cookie", "a=b; Secure", "a=b"},
		{"Set-Cookie", "a=b; Path=/; secure; HttpOnly", "a=b; Path=/; HttpOnly"},
		{"Set-Cookie", "a=b;SECURE;SameSite=None;Path=/", "a=b;Path=/"},
		{"Set-Cookie", "a=b; Secure=1; samesite = none ", "a=b"},
		{"Set-Cookie", "a=b; SameSite=Lax;  Path=/ ", "a=b; SameSite=Lax;  Path=/ "},
		{"Set-Cookie", "Secure=Secure; secured; Path=/Secure", "Secure=Secure; secured; Path=/Secure"},
		{"Set-Cookie", "Secure", "Secure"},
		{"Set-Cookie", "a=\xe9\"; Secure;", "a=\xe9\";"},
		{"Set-Cookie", "__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/"},
		{"Set-Cookie", "a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Secure", "a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT"},
		{"Set-Cookie", ";;;", ";;;"},

		{"Strict-Transport-Security", "max-age=31536000", gone},
		{"Strict-Transport-Security", "", gone},
		{"Alt-Svc", `h3=":443"`, gone},

		{"Content-Security-Policy", "upgrade-insecure-requests", gone},
		{"Content-Security-Policy", "Upgrade-Insecure-Requests;", gone},
		{"Content-Security-Policy", " ; upgrade-insecure-requests , ", gone},
		{"Content-Security-Policy", "default-src 'self'; upgrade-insecure-requests", "default-src 'self'"},
		{"Content-Security-Policy", "upgrade-insecure-requests; default-src 'self'", "default-src 'self'"},
		{"Content-Security-Policy", "default-src 'self';\tupgrade-insecure-requests\t1 ;  img-src *", "default-src 'self';  img-src *"},
		{"Content-Security-Policy", "img-src *, upgrade-insecure-requests, a b", "img-src *, a b"},
		{"Content-Security-Policy", "upgrade-insecure-requests, a b", "a b"},
		{"Content-Security-Policy", "upgrade-insecure-requests; upgrade-insecure-requests", gone},
		{"Content-Security-Policy", "report-uri /upgrade-insecure-requests", "report-uri /upgrade-insecure-requests"},
		{"Content-Security-Policy", "x-upgrade-insecure-requests-2", "x-upgrade-insecure-requests-2"},
		{"Content-Security-Policy-Report-Only", "upgrade-insecure-requests", gone},

		{"X-Other", "https://api.smsportal.com/", "https://api.smsportal.com/"},
	} {
		h := http.Header{tt.field: {tt.in}}
		var c counter
		Response(h, everything, plain, c.count)
		got := gone
		if values, ok := h[tt.field]; ok {
			got = strings.Join(values, "\n")
		}
		if got != tt.want {
			t.Errorf("%s: %q became %q, want %q", tt.field, tt.in, got, tt.want)
		}
		want := ""
		if tt.in != tt.want {
			want = kindOf[tt.field].String()
		}
		if c.String() != want {
			t.Errorf("%s: %q counted as %q, want %q", tt.field, tt.in, c.String(), want)
		}
	}
}

var kindOf = map[string]Kind{
	"Location": Location, "Content-Location": ContentLocation, "Refresh": Refresh, "Link": Link, "Set-Cookie": Cookie,
	"Strict-Transport-Security": HSTS, "Alt-Svc": AltSvc, "Content-Security-Policy": CSP,
	"Content-Security-Policy-Report-Only": CSP,
}

// full is an answer that has everything to rewrite.
func full() http.Header {
	return http.Header{
		"Content-Type":              {"text/xml"},
		"Location":                  {"https://api.smsportal.com/"},
		"Content-Location":          {"https://api.smsportal.com/"},
		"Refresh":                   {"0;url=https://api.smsportal.com/"},
		"Link":                      {"<https://api.smsportal.com/>", "<https://api.smsportal.com/2>"},
		"Set-Cookie":                {"a=b; Secure", "c=d", "e=f; SameSite=None"},
		"Strict-Transport-Security": {"max-age=1"},
		"Alt-Svc":                   {"clear"},
		"Content-Security-Policy":   {"a b", "upgrade-insecure-requests", "c d; upgrade-insecure-requests"},
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		options Options
		want    string
	}{
		{"none", Options{}, ""},
		{"location", Options{Location: true}, "location content_location refresh link link"},
		{"cookies", Options{Cookies: true}, "cookie cookie"},
		{"hsts", Options{HSTS: true}, "hsts alt_svc csp csp"},
	} {
		h, before := full(), full()
		var c counter
		Response(h, tt.options, plain, c.count)
		if c.String() != tt.want {
			t.Errorf("%s: counted %q, want %q", tt.name, c.String(), tt.want)
		}
		for key := range before {
			kind, rewritten := kindOf[key]
			changed := !slices.Equal(h[key], before[key])
			if want := rewritten && slices.Contains(c, kind.String()); changed != want {
				t.Errorf("%s: %s changed: %v, want %v", tt.name, key, changed, want)
			}
		}
	}
	h := full()
	Response(h, everything, plain, nil)
	want := http.Header{
		"Content-Type":            {"text/xml"},
		"Location":                {"http://api.smsportal.com/"},
		"Content-Location":        {"http://api.smsportal.com/"},
		"Refresh":                 {"0;url=http://api.smsportal.com/"},
		"Link":                    {"<http://api.smsportal.com/>", "<http://api.smsportal.com/2>"},
		"Set-Cookie":              {"a=b", "c=d", "e=f"},
		"Content-Security-Policy": {"a b", "c d"},
	}
	if !maps.EqualFunc(h, want, slices.Equal[[]string]) {
		t.Errorf("got  %q\nwant %q", h, want)
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, k := range Kinds {
		names = append(names, k.String())
	}
	const want = "location content_location refresh link cookie hsts alt_svc csp wsdl wsdl_skipped"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("kinds are %q, want %q", got, want)
	}
}

// FuzzResponse checks that rewriting settles at once, leaves hosts of others
// alone, and takes nothing but the scheme and the port out of a URL.
func FuzzResponse(f *testing.F) {
	f.Add("https://u:p@api.smsportal.com:443/x?a#b")
	f.Add(`0;url='https://api.smsportal.com'`)
	f.Add(`<https://api.smsportal.com/>; title="a\"<b>", <https://x/>`)
	f.Add("a=b; Secure; SameSite=None; Path=/")
	f.Add("default-src 'self'; upgrade-insecure-requests, upgrade-insecure-requests")
	f.Fuzz(func(t *testing.T, value string) {
		for field := range kindOf {
			h := http.Header{field: {value}}
			Response(h, everything, plain, nil)
			once := slices.Clone(h[field])
			var c counter
			Response(h, everything, plain, c.count)
			if field != "Set-Cookie" && len(c) > 0 {
				t.Fatalf("%s: %q became %q, then %q", field, value, once, h[field])
			}
			for _, v := range once {
				if len(v) > len(value) {
					t.Fatalf("%s: %q grew to %q", field, value, v)
				}
			}
			h = http.Header{field: {value}}
			Response(h, Options{Location: true}, View{HTTP: true, Upgraded: func(host.Name) bool { return false }}, nil)
			if h[field][0] != value {
				t.Fatalf("%s: %q became %q although no host is ours", field, value, h[field])
			}
		}
		if got, ok := plain.cookie(value); ok {
			if pair, _, _ := strings.Cut(value, ";"); !strings.HasPrefix(got, pair) {
				t.Fatalf("cookie %q lost its value: %q", value, got)
			}
			if _, more := plain.cookie(got); more {
				t.Fatalf("cookie %q became %q, which still has something", value, got)
			}
		}
	})
}

func BenchmarkResponseNothingToDo(b *testing.B) {
	h := http.Header{
		"Content-Type": {"text/xml"}, "Date": {"x"}, "Cache-Control": {"private"}, "Server": {"Microsoft-IIS/10.0"},
		"X-Aspnet-Version": {"4.0.30319"}, "X-Powered-By": {"ASP.NET"}, "Content-Length": {"120"},
	}
	var kinds [len(Kinds)]int
	count := func(k Kind) { kinds[k]++ }
	b.ReportAllocs()
	for b.Loop() {
		Response(h, everything, plain, count)
	}
}

func BenchmarkResponseUsual(b *testing.B) {
	values := [2]string{"max-age=31536000", "ASP.NET_SessionId=abc; path=/; HttpOnly; SameSite=Lax"}
	h := http.Header{"Content-Type": {"text/xml"}, "Content-Length": {"120"}, "Date": {"x"}}
	b.ReportAllocs()
	for b.Loop() {
		h["Strict-Transport-Security"] = values[:1]
		h["Set-Cookie"] = values[1:]
		Response(h, everything, plain, nil)
	}
}

func TestNothingToDoCostsNothing(t *testing.T) {
	h := http.Header{"Content-Type": {"text/xml"}, "Set-Cookie": {"a=b; path=/"}, "Location": {"/x"}}
	if n := testing.AllocsPerRun(100, func() { Response(h, everything, plain, nil) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
