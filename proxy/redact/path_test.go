package redact

import (
	"strings"
	"testing"
)

var pathTests = []struct{ name, target, want string }{
	// The APIs' own paths.
	{"api5", "/api5/http5.aspx", "/api5/http5.aspx"},
	{"api5 with query", "/api5/http5.aspx?Type=send&Password=hunter2", "/api5/http5.aspx"},
	{"soap", "/api5/api.asmx", "/api5/api.asmx"},
	{"soap operation", "/api5/api.asmx/Send_STR_STR", "/api5/api.asmx/Send_STR_STR"},
	{"rest", "/BulkMessages", "/BulkMessages"},
	{"rest versioned", "/v3/bulkmessages", "/v3/bulkmessages"},
	{"authentication", "/v1/Authentication", "/v1/Authentication"},

	// Forms of the target (RFC 9112 3.2).
	{"absolute", "http://api.smsportal.com/api5/http5.aspx?Password=hunter2", "/api5/http5.aspx"},
	{"absolute, userinfo", "http://user:hunter2@api.smsportal.com/Balance", "/Balance"},
	{"absolute, no path", "http://user:hunter2@api.smsportal.com", "/"},
	{"absolute, query and no path", "http://api.smsportal.com?Password=hunter2", "/"},
	{"absolute, slash in the password", "http://user:hun/ter2@api.smsportal.com/x", "/*/x"},
	{"absolute, question mark in the password", "http://user:hun?ter2@api.smsportal.com/x", "/"},
	{"authority", "user:hunter2@api.smsportal.com:443", ""},
	{"asterisk", "*", "*"},
	{"empty", "", ""},
	{"no form at all", "hunter2", ""},
	{"scheme that is none", "x?a=hunter2://b/c", ""},
	{"root", "/", "/"},
	{"root with query", "/?Password=hunter2", "/"},
	{"fragment", "/a#hunter2", "/a"},
	{"double slash", "//user:hunter2@host/x", "//*/x"},
	{"embedded URL", "/http://user:hunter2@host/x", "/*//*/x"},
	{"trailing slash", "/a/", "/a/"},
	{"dot segments", "/a/../b/./c", "/a/../b/./c"},

	// Secrets that ended up in the path.
	{"forgotten question mark", "/api5/http5.aspx&Type=send&Password=hunter2", "/api5/http5.aspx*"},
	{"escaped question mark", "/api5/http5.aspx%3FPassword=hunter2", "/api5/http5.aspx*"},
	{"escaped twice", "/api5/http5.aspx%253FPassword%253Dhunter2", "/api5/http5.aspx*"},
	{"escaped fragment", "/a%23hunter2", "/a*"},
	{"matrix parameter", "/a;jsessionid=hunter2/b", "/a*"},
	{"escaped matrix parameter", "/a%3bhunter2", "/a*"},
	{"pair as a segment", "/Password=hunter2", "/*"},
	{"escaped pair", "/Password%3dhunter2", "/*"},
	{"base64 token", "/v1/aHVudGVyMg==", "/v1/*"},
	{"number", "/v1/numbers/27821234567", "/v1/numbers/*"},
	{"number with plus and dashes", "/v1/+27-82-123-4567/x", "/v1/*/x"},
	{"number, digits escaped", "/%32%37%38%32%31%32%33%34", "/*"},
	{"GUID", "/v1/accounts/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/v1/accounts/*"},
	{"six digits", "/v1/events/123456", "/v1/events/123456"},
	{"mail address", "/user/jane@example.com/x", "/user/*/x"},
	{"mail address, escaped", "/user/jane%40example.com", "/user/*"},
	{"long token", "/t/" + strings.Repeat("x", 41), "/t/*"},
	{"text", "/Your code is ABCD/x", "/*/x"},
	{"text, escaped", "/Your%20code%20is%20ABCD", "/*"},
	{"text, plus", "/Your+code", "/*"},

	// Clean logs.
	{"space at the end", "/api5/http5.aspx ", "/api5/http5.aspx%20"},
	{"line end", "/a\r\nlevel=error", "/*"},
	{"control", "/a\x1b[31mb", "/a%1B%5B31mb"},
	{"Latin-1", "/caf\xe9", "/caf%E9"},
	{"escaped line end", "/a%0d%0ab", "/a%0d%0ab"},
	{"quotes", `/a"b\c`, "/a%22b%5Cc"},
	{"bad escape", "/a%zz%4", "/a%zz%4"},
	{"escapes of IIS", "/rest%u003fpassword%U003dSecret", "/*"},
	{"long", strings.Repeat("/abcdefg", 40), strings.Repeat("/abcdefg", 40)[:253] + "..."},
	{"long and escaped", strings.Repeat("/\xe9", 100), strings.Repeat("/%E9", 64)[:253] + "..."},
	{"just fits", strings.Repeat("/abcdefg", 32), strings.Repeat("/abcdefg", 32)},
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, tt := range pathTests {
		if got := Path(tt.target); got != tt.want {
			t.Errorf("%s: Path(%q) = %q, want %q", tt.name, tt.target, got, tt.want)
		}
	}
}

func TestKnownPathsCostNothing(t *testing.T) {
	for _, path := range []string{
		"/api5/http5.aspx?Type=sendparam&Username=u&Password=p",
		"http://www.mymobileapi.com/api5/http5.aspx?Type=sendparam",
		"/v1/BulkMessages",
	} {
		if n := testing.AllocsPerRun(100, func() { Path(path) }); n != 0 {
			t.Errorf("Path(%q) allocates %v times, want none", path, n)
		}
	}
}

// FuzzPath plants a secret wherever a target can carry one.
func FuzzPath(f *testing.F) {
	for _, tt := range pathTests {
		f.Add(tt.target, "hunter2!")
	}
	f.Fuzz(func(t *testing.T, target, secret string) {
		got := Path(target)
		if len(got) > MaxPath {
			t.Fatalf("%d bytes", len(got))
		}
		for i := range len(got) {
			if got[i] <= ' ' || got[i] >= 0x7f {
				t.Fatalf("byte %#x in %q", got[i], got)
			}
		}
		plain := strings.Map(func(r rune) rune {
			if r > ' ' && r < 0x7f && !strings.ContainsRune("/?#", r) {
				return r
			}
			return -1
		}, secret)
		if len(plain) < 4 || strings.HasPrefix("/api5/http5.aspx", "/"+plain) {
			return
		}
		number := "2782" + "1234567"
		for _, carrier := range []string{
			"/api5/http5.aspx?Type=send&Password=" + plain + "&numto=" + number,
			"/api5/http5.aspx?Type=send;Password=" + plain,
			"/api5/http5.aspx&Type=send&Password=" + plain,
			"/api5/http5.aspx%3FType=send&Password=" + plain,
			"/api5/http5.aspx%3f" + plain,
			"/api5/http5.aspx;p=" + plain,
			"/api5/http5.aspx;" + plain + "/x",
			"/api5/http5.aspx#" + plain,
			"http://user:" + plain + "@api.smsportal.com/api5/http5.aspx",
			"http://" + plain + "@api.smsportal.com",
			"user:" + plain + "@api.smsportal.com:443",
			plain + "/api5",
			"/user:" + plain + "@host/x",
			"/" + number + plain,
		} {
			if got := Path(carrier); leaks(got, plain) || strings.Contains(got, number) {
				t.Fatalf("Path(%q) = %q", carrier, got)
			}
		}
	})
}

// leaks reports whether got shows secret where the carriers' own text does not
// happen to hold it.
func leaks(got, secret string) bool {
	return strings.Contains(strings.TrimPrefix(got, "/api5/http5.aspx"), secret)
}

func BenchmarkPath(b *testing.B) {
	const target = "http://www.mymobileapi.com/api5/http5.aspx?Type=sendparam&Username=user&Password=secret&numto=27821234567&data1=Hello"
	b.ReportAllocs()
	for b.Loop() {
		Path(target)
	}
}
