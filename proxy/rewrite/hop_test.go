package rewrite

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		key, value, _ := strings.Cut(line, ": ")
		h.Add(key, value)
	}
	return h
}

func TestHopByHop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		in, want http.Header
	}{
		{"nothing", header("Host: x", "Accept: */*"), header("Host: x", "Accept: */*")},
		{"the usual", header("Connection: keep-alive", "Keep-Alive: timeout=5", "A: b"), header("A: b")},
		{"proxy", header("Proxy-Connection: Keep-Alive", "Proxy-Authorization: Basic dTpw", "Proxy-Authenticate: Basic", "Proxy-Authentication-Info: x"), header()},
		{"LWP", header("Te: deflate,gzip;q=0.3", "Connection: TE, close"), header()},
		{"trailers", header("Te: trailers", "Trailer: Expires", "Transfer-Encoding: chunked"), header()},
		{"h2c", header("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "Http2-Settings: AAM"), header()},
		{"named", header("Connection: close, X-Foo,\t x-bar ", "X-Foo: 1", "X-Bar: 2", "X-Baz: 3"), header("X-Baz: 3")},
		{"named on two lines", header("Connection: x-foo", "Connection: , ,x-bar", "X-Foo: 1", "X-Bar: 2"), header()},
		{"named and absent", header("Connection: x-foo", "A: b"), header("A: b")},
		{"no token", header("Connection: x foo, \x00, (", "A: b"), header("A: b")},
		{
			"never hop-by-hop",
			header("Connection: Host, VIA, content-length, Content-Type, content-encoding, authorization, cookie, soapaction, set-cookie",
				"Host: x", "Via: 1.1 y", "Content-Length: 3", "Content-Type: text/xml", "Content-Encoding: gzip",
				"Authorization: Basic dTpw", "Cookie: a=b", "Soapaction: z", "Set-Cookie: a=b"),
			header("Host: x", "Via: 1.1 y", "Content-Length: 3", "Content-Type: text/xml", "Content-Encoding: gzip",
				"Authorization: Basic dTpw", "Cookie: a=b", "Soapaction: z", "Set-Cookie: a=b"),
		},
		{"names Connection itself", header("Connection: connection, x-foo", "X-Foo: 1"), header()},
		{"empty", header("Connection: ", "A: b"), header("A: b")},
	} {
		HopByHop(tt.in)
		if !maps.EqualFunc(tt.in, tt.want, slices.Equal[[]string]) {
			t.Errorf("%s: %q, want %q", tt.name, tt.in, tt.want)
		}
	}
}

func TestStripOwn(t *testing.T) {
	t.Parallel()
	h := header("Tlslift-Error: none", "Tlslift-Delivery: not_sent", "tlslift-delivery: not_sent", "Tlslift-Other: x")
	StripOwn(h)
	if len(h) != 1 || h.Get("Tlslift-Other") != "x" {
		t.Errorf("left: %q", h)
	}
}

// FuzzHopByHop checks that what is named goes, what must never go stays, and
// nothing else is touched.
func FuzzHopByHop(f *testing.F) {
	f.Add("close, X-Foo", "X-Foo")
	f.Add("authorization", "Authorization")
	f.Add(", ,\t\x00,x-foo", "Keep-Alive")
	f.Fuzz(func(t *testing.T, connection, key string) {
		key = http.CanonicalHeaderKey(key)
		h := http.Header{
			"Authorization": {"Basic dTpw"}, "Content-Length": {"3"}, "Via": {"1.1 x"}, "Host": {"h"}, "Connection": {connection},
		}
		if _, taken := h[key]; taken {
			return
		}
		h[key] = []string{"v"}
		HopByHop(h)
		for _, stays := range []string{"Authorization", "Content-Length", "Via", "Host"} {
			if len(h[stays]) != 1 {
				t.Fatalf("Connection: %q took %s", connection, stays)
			}
		}
		named := slices.Contains(hopByHop[:], key)
		for option := range strings.SplitSeq(connection, ",") {
			named = named || http.CanonicalHeaderKey(strings.Trim(option, " \t")) == key
		}
		if _, left := h[key]; left && named && !listed(key) || !left && !named {
			t.Fatalf("Connection: %q, %q left: %v", connection, key, left)
		}
		if _, left := h["Connection"]; left {
			t.Fatal("Connection stayed")
		}
	})
}

func BenchmarkHopByHopRequest(b *testing.B) {
	proxyConnection, connection := []string{"Keep-Alive"}, []string{"keep-alive"}
	h := header("Host: x", "User-Agent: y", "Accept: */*", "Content-Type: z", "Content-Length: 5")
	b.ReportAllocs()
	for b.Loop() {
		h["Proxy-Connection"], h["Connection"] = proxyConnection, connection
		HopByHop(h)
	}
}

func BenchmarkHopByHopNone(b *testing.B) {
	h := header("Server: x", "Date: y", "Content-Type: z", "Content-Length: 5")
	b.ReportAllocs()
	for b.Loop() {
		HopByHop(h)
	}
}
