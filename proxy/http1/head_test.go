package http1

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// acceptedHeads are requests as clients really send them. They are followed by
// another one in the tests, which must be found behind them.
var acceptedHeads = []struct{ name, raw, uri, target, authority string }{
	{
		"libcurl", "GET http://api.smsportal.com/api5/http5.aspx?Type=credits HTTP/1.1\r\nHost: api.smsportal.com\r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n",
		"http://api.smsportal.com/api5/http5.aspx?Type=credits", "/api5/http5.aspx?Type=credits", "api.smsportal.com",
	},
	{
		"PHP streams, origin-form to a proxy", "GET /api5/http5.aspx?Type=credits HTTP/1.1\r\nHost: www.mymobileapi.com\r\nConnection: close\r\n\r\n",
		"/api5/http5.aspx?Type=credits", "/api5/http5.aspx?Type=credits", "www.mymobileapi.com",
	},
	{
		"PHP before 8.0", "GET /api5/http5.aspx HTTP/1.0\r\nHost: www.mymobileapi.com\r\n\r\n",
		"/api5/http5.aspx", "/api5/http5.aspx", "www.mymobileapi.com",
	},
	{
		"PHP streams, raw spaces", "GET /api5/http5.aspx?data1=two words here HTTP/1.1\r\nHost: h\r\n\r\n",
		"/api5/http5.aspx?data1=two%20words%20here", "/api5/http5.aspx?data1=two%20words%20here", "h",
	},
	{
		"Java, raw spaces and a tab", "GET http://h/a?x=1 2\t3 HTTP/1.1\r\nUser-Agent: Java/1.6.0\r\nHost: h\r\n\r\n",
		"http://h/a?x=1%202%093", "/a?x=1%202%093", "h",
	},
	{
		"Java, empty POST", "POST http://h/a HTTP/1.1\r\nHost: h\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"Mono, one byte with Expect", "POST http://h/a HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\nHost: h\r\n\r\nx",
		"http://h/a", "/a", "h",
	},
	{
		"LWP, hop-by-hop TE", "GET http://h/a HTTP/1.1\r\nTE: deflate,gzip;q=0.3\r\nConnection: TE, close\r\nHost: h\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"Axis 1.4", "POST /api5/api.asmx HTTP/1.0\r\nHost: h:80\r\nSOAPAction: \"http://www.mymobileapi.com/api5/Send\"\r\nContent-Length: 4\r\n\r\n<a/>",
		"/api5/api.asmx", "/api5/api.asmx", "h:80",
	},
	{
		"Synapse keep-alive", "GET http://h/a HTTP/1.0\r\nHost: h\r\nProxy-Connection: Keep-Alive\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"keep-alive said twice", "GET http://h/a HTTP/1.0\r\nProxy-Connection: keep-alive\r\nConnection: close\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"POST without a length", "POST /a HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"https to the plain port", "GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"https://h/a", "/a", "h",
	},
	{
		"port 80 and upper case", "GET HTTP://API.SMSPORTAL.COM:80/a HTTP/1.1\r\nHost: API.SMSPORTAL.COM:80\r\n\r\n",
		"HTTP://API.SMSPORTAL.COM:80/a", "/a", "API.SMSPORTAL.COM:80",
	},
	{
		"old Node names the proxy", "GET http://h/a HTTP/1.1\r\nHost: 10.0.0.1:3128\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"chunked body", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"escaped entities", "GET /a?XMLData=%26lt;x%26gt;&y=%26amp; HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a?XMLData=%26lt;x%26gt;&y=%26amp;", "/a?XMLData=%26lt;x%26gt;&y=%26amp;", "h",
	},
	{
		"bad escapes in the query", "GET /a?b=100%&c=%zz&d=% HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a?b=100%&c=%zz&d=%", "/a?b=100%&c=%zz&d=%", "h",
	},
	{
		"separators in the query", "GET /a?b;c=\"<>#|^`{}\\ HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a?b;c=\"<>#|^`{}\\", "/a?b;c=\"<>#|^`{}\\", "h",
	},
	{
		"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a#b", "/a#b", "h",
	},
	{
		"Latin-1", "GET /caf\xe9?data1=\xfc HTTP/1.1\r\nHost: h\r\nX-Name: J\xfcrgen\r\n\r\n",
		"/caf\xe9?data1=\xfc", "/caf\xe9?data1=\xfc", "h",
	},
	{
		"two slashes", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n",
		"//a//b", "//a//b", "h",
	},
	{
		"no path", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
		"http://h", "/", "h",
	},
	{
		"query without a path", "GET http://h?a=http://b/ HTTP/1.1\r\nHost: h\r\n\r\n",
		"http://h?a=http://b/", "/?a=http://b/", "h",
	},
	{
		"trailing space is data", "GET /a?m=x  HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a?m=x%20", "/a?m=x%20", "h",
	},
	{
		"leading spaces are not", "GET   /a HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"a version in the text", "GET /a?m=speaks HTTP/1.1 well HTTP/1.0\r\n\r\n",
		"/a?m=speaks%20HTTP/1.1%20well", "/a?m=speaks%20HTTP/1.1%20well", "",
	},
	{
		"a bad escape made by encoding", "GET /a?m=50% off HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a?m=50%%20off", "/a?m=50%%20off", "h",
	},
	{
		"HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n",
		"/a", "/a", "",
	},
	{
		"HTTP/1.0 absolute without Host", "GET http://h/a HTTP/1.0\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"bare LF", "GET /a HTTP/1.1\nHost: h\n\n",
		"/a", "/a", "h",
	},
	{
		"mixed line ends", "GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\n",
		"/a", "/a", "h",
	},
	{
		"bare LF, repaired", "GET /a b HTTP/1.1\nHost: h\n\n",
		"/a%20b", "/a%20b", "h",
	},
	{
		"empty lines first", "\r\n\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n",
		"/a", "/a", "",
	},
	{
		"Host of an IPv6 address", "GET /a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
		"/a", "/a", "[2001:db8::1]:80",
	},
	{
		"trailing dot, underscore", "GET /a HTTP/1.1\r\nHost: my_host.example.\r\n\r\n",
		"/a", "/a", "my_host.example.",
	},
	{
		"port left empty", "GET http://h:/a HTTP/1.1\r\nHost: h:\r\n\r\n",
		"http://h:/a", "/a", "h:",
	},
	{
		"absolute without Host", "GET http://h/a HTTP/1.1\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"absolute with a broken Host", "GET http://h:8080/a HTTP/1.1\r\nA: b\r\nHost: http://proxy/\r\nC: d\r\n\r\n",
		"http://h:8080/a", "/a", "h:8080",
	},
	{
		"userinfo", "GET http://user:p%40ss@h:80/a@b?c HTTP/1.1\r\nHost: h\r\n\r\n",
		"http://h:80/a@b?c", "/a@b?c", "h:80",
	},
	{
		"userinfo with an at sign", "GET http://u@v:p@h/a HTTP/1.0\r\n\r\n",
		"http://h/a", "/a", "h",
	},
	{
		"another expectation", "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"trailers announced", "POST /a HTTP/1.1\r\nHost: h\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"padding of values", "POST /a HTTP/1.1\r\nHost: \t h \t\r\nContent-Length: \t1 \r\nEmpty:\r\n\r\nx",
		"/a", "/a", "h",
	},
	{
		"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
		"*", "*", "h",
	},
	{
		"method of another protocol", "PROPFIND /a HTTP/1.1\r\nHost: h\r\n\r\n",
		"/a", "/a", "h",
	},
	{
		"another scheme", "GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
		"ftp://h/a", "/a", "h",
	},
	{
		"CONNECT", "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: api.smsportal.com:443\r\n\r\n",
		"api.smsportal.com:443", "", "api.smsportal.com:443",
	},
	{
		"CONNECT of Python", "CONNECT h:443 HTTP/1.0\r\n\r\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT without Host", "CONNECT h:443 HTTP/1.1\r\n\r\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT, Host names the proxy", "CONNECT h:443 HTTP/1.1\r\nHost: proxy:3128\r\n\r\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT, Host without port", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT, broken Host", "CONNECT h:443 HTTP/1.1\r\nHost: http://h\r\n\r\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT to IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n",
		"[::1]:443", "", "[::1]:443",
	},
	{
		"CONNECT of Axis", "CONNECT h:443 HTTP/1.0\nContent-Length: 0\n\n",
		"h:443", "", "h:443",
	},
	{
		"CONNECT of WinHTTP", "CONNECT h:443 HTTP/1.0\r\nUser-Agent: x\r\nContent-Length: 4\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
		"h:443", "", "h:443",
	},
}

// seen is one request as a handler saw it.
type seen struct {
	method, uri, target, authority, proto, body string
	refused                                     string
	failed                                      bool
}

// record is a handler that notes requests and answers 204.
func record(all *[]seen) handlerFunc {
	return func(w *Response, r *Request) {
		body, err := io.ReadAll(r.Body)
		s := seen{
			method: r.Method, uri: r.RequestURI, target: r.Target, authority: r.Host, proto: r.Proto,
			body: string(body), failed: err != nil,
		}
		if r.Refusal != nil {
			s.refused = r.Refusal.Detail
		}
		*all = append(*all, s)
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestAcceptedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range acceptedHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, segments := range deliveries(tt.raw) {
				var all []seen
				play(t, testLimits(), record(&all), segments...)
				if len(all) != 1 || all[0].refused != "" || all[0].failed {
					t.Fatalf("%s: %+v", how, all)
				}
				got := all[0]
				if got.uri != tt.uri || got.target != tt.target || got.authority != tt.authority {
					t.Errorf("%s: target %q, upstream %q, authority %q; want %q, %q, %q", how, got.uri, got.target, got.authority, tt.uri, tt.target, tt.authority)
				}
			}
		})
	}
}

// Every head here is refused with 400.
var malformedHeads = []struct{ name, raw, detail, carried string }{
	// Ambiguous framing.
	{"two equal lengths", "POST /a?p=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", detailTwoLengths, "POST /a HTTP/1.1 h"},
	{"two lengths", "POST /a HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", detailTwoLengths, "POST /a HTTP/1.0 "},
	{"list of lengths", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx", detailLength, ""},
	{"signed length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", detailLength, ""},
	{"negative length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\nx", detailLength, ""},
	{"hexadecimal length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0x1\r\n\r\nx", detailLength, ""},
	{"empty length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n", detailLength, ""},
	{"length and chunked", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", detailLengthAndTE, ""},
	{"two codings", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", detailTE, ""},
	{"gzip, chunked", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", detailTE, ""},
	{"identity", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity\r\n\r\n", detailTE, ""},
	{"chunked with a vertical tab", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \vchunked\r\n\r\n", detailHeaderValue, ""},
	{"underscore for a hyphen in a length", "POST /a HTTP/1.1\r\nHost: h\r\nContent_Length: 1\r\n\r\nx", detailLookalike, ""},
	{"underscore for a hyphen in a coding", "POST /a HTTP/1.1\r\nHost: h\r\ntransfer_encoding: chunked\r\nContent-Length: 0\r\n\r\n", detailLookalike, ""},
	{"chunked on HTTP/1.0", "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", detailTE10, ""},
	{"folded header", "POST /a HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", detailFold, ""},
	{"folded first header", "POST /a HTTP/1.1\r\n\tHost: h\r\n\r\n", detailFold, ""},
	{"space before colon", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\nx", detailHeaderName, ""},
	{"empty header name", "GET /a HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n", detailHeaderName, ""},
	{"no colon", "GET /a HTTP/1.1\r\nHost: h\r\nnonsense\r\n\r\n", detailHeaderName, ""},
	{"NUL in a name", "GET /a HTTP/1.1\r\nHo\x00st: h\r\n\r\n", detailHeaderName, ""},
	{"NUL in a value", "GET /a HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n", detailHeaderValue, ""},
	{"bare CR in a value", "GET /a HTTP/1.1\r\nHost: h\r\nA: b\rContent-Length: 5\r\n\r\n", detailHeaderValue, ""},
	{"CR CR LF", "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\r\n\r\n", detailHeaderValue, ""},

	// Hosts.
	{"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", detailTwoHosts, "GET /a HTTP/1.1 "},
	{"two Hosts beside a target", "GET http://h/a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", detailTwoHosts, "GET http://h/a HTTP/1.1 h"},
	{"no Host", "GET /a HTTP/1.1\r\nA: b\r\n\r\n", detailNoHost, ""},
	{"Host with a slash", "GET /a HTTP/1.1\r\nHost: h/b\r\n\r\n", detailHost, "GET /a HTTP/1.1 "},
	{"Host with userinfo", "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", detailHost, ""},
	{"Host with a space", "GET /a HTTP/1.1\r\nHost: h i\r\n\r\n", detailHost, ""},
	{"Host with a bad port", "GET /a HTTP/1.1\r\nHost: h:99999\r\n\r\n", detailHost, ""},
	{"Host with port 0", "GET /a HTTP/1.1\r\nHost: h:0\r\n\r\n", detailHost, ""},
	{"Host with half an IPv6 address", "GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", detailHost, ""},
	{"Host with a zone", "GET /a HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", detailHost, ""},

	// Versions and request lines.
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", detailVersion, "PRI  HTTP/1.1 "},
	{"HTTP/0.9", "GET /a\r\n", detailVersion, "GET  HTTP/1.1 "},
	{"HTTP/1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"lower-case version", "GET /a http/1.1\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"space after the version", "GET /a HTTP/1.1 \r\nHost: h\r\n\r\n", detailVersion, ""},
	{"tab before the version", "GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", detailVersion, "GET  HTTP/1.1 h"},
	{"spaces for a target", "GET    HTTP/1.1\r\nHost: h\r\n\r\n", detailRequestLine, ""},
	{"no method", " /a HTTP/1.1\r\nHost: h\r\n\r\n", "", "  HTTP/1.1 "},
	{"method with a colon", "GE:T /a HTTP/1.1\r\nHost: h\r\n\r\n", detailMethod, ""},
	{"control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, "GET  HTTP/1.1 h"},
	{"DEL in the query", "GET /a?\x7f HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, "GET /a HTTP/1.1 h"},
	{"NUL in the target", "GET /a\x00 HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, ""},
	{"bare CR in the target", "GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, ""},
	{"bad escape in the path", "GET /100%/a?b HTTP/1.1\r\nHost: h\r\n\r\n", detailEscape, "GET /100%/a HTTP/1.1 h"},
	{"bad escape made by a space", "GET /a% 20 HTTP/1.1\r\nHost: h\r\n\r\n", detailEscape, ""},
	{"no path and no scheme", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"opaque target", "GET http:a HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"no host in the target", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"userinfo and no host", "GET http://u@/a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"space in the target's host", "GET http://h i/a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"fragment behind the host", "GET http://h#a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"backslash in the host", "GET http://h\\@i/a HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET  HTTP/1.1 "},
	{"TLS under another first byte", "\x17\x03\x01\x00\x05hello", detailMethod, "  HTTP/1.1 "},
	{"SOCKS 4", "\x04\x01\x01\xbb\x0a\x00\x00\x01user\x00", detailSOCKS, "  HTTP/1.1 "},
	{"SOCKS 5", "\x05\x02\x00\x01", detailSOCKS, "  HTTP/1.1 "},
	{"neither SOCKS nor HTTP", "\x06\x01\x00", detailMethod, "  HTTP/1.1 "},
	{"PROXY protocol from anybody", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.0\r\n\r\n", detailVersion, ""},
	{"PROXY protocol, version 2", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", detailMethod, ""},
	{"empty lines without end", strings.Repeat("\r\n", 20) + "GET / HTTP/1.0\r\n\r\n", detailBlankLines, ""},
	{"bad escape in a URL", "GET http://h/100%/a?b HTTP/1.1\r\nHost: x\r\n\r\n", detailEscape, "GET http://h/100%/a HTTP/1.1 h"},
	{"control character in a URL", "GET http://h/a\x01b HTTP/1.1\r\nHost: x\r\n\r\n", detailControl, "GET  HTTP/1.1 h"},
	{"CONNECT port out of range", "CONNECT h:99999 HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, "CONNECT  HTTP/1.1 "},
	{"a field after Host", "GET /a HTTP/1.1\r\nHost: h\r\nA\x01: b\r\n\r\n", detailHeaderName, "GET /a HTTP/1.1 h"},
	{"a field before Host", "GET /a HTTP/1.1\r\nA\x01: b\r\nHOST:h:81\r\n\r\nHost: i\r\n", detailHeaderName, "GET /a HTTP/1.1 h:81"},
	{"a folded Host", "GET /a HTTP/1.1\r\nHost: h\r\n i\r\n\r\n", detailFold, "GET /a HTTP/1.1 "},
	{"a fold after Host", "GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", detailFold, "GET /a HTTP/1.1 h"},
	{"half a Host", "GET /a HTTP/1.1\r\nA: b\r\nHost: ex", detailHeadCut, "GET /a HTTP/1.1 "},
	{"half a head", "GET /a HTTP/1.1\r\nHost: h\r\n", detailHeadCut, "GET /a HTTP/1.1 h"},

	// CONNECT.
	{"CONNECT without port", "CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, "CONNECT  HTTP/1.1 h"},
	{"CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT to a URL", "CONNECT http://h:443/ HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT with userinfo", "CONNECT u@h:443 HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT to an empty port", "CONNECT h: HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT with a folded header", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n x\r\n\r\n", detailFold, "CONNECT h:443 HTTP/1.1 h:443"},
}

func TestMalformedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range malformedHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, segments := range deliveries(tt.raw) {
				whole := how == "one segment"
				end := testRefusal(t, how, segments, 400, tt.detail, whole, tt.carried)
				if end != Lingering && end != Closed {
					t.Errorf("%s: %v", how, end)
				}
			}
		})
	}
}

// testRefusal serves the segments and checks what the refused request carries.
func testRefusal(t *testing.T, how string, segments []string, status int, detail string, whole bool, carried string) End {
	t.Helper()
	lim := testLimits()
	lim.HeaderBytes, lim.BodyBytes = 8192, 10
	var ref *Refusal
	got := ""
	answer, end := play(t, lim, func(w *Response, r *Request) {
		if ref != nil {
			t.Errorf("%s: another request follows a refused one", how)
		}
		ref = r.Refusal
		target, _, asked := strings.Cut(r.RequestURI, "?")
		got = fmt.Sprintf("%s %s %s %s", r.Method, target, r.Proto, r.Host)
		if r.Partial && (asked || len(r.Header) > 0) || r.Body != http.NoBody {
			t.Errorf("%s: the refused request carries %v", how, r.Header)
		}
		w.WriteHeader(http.StatusTeapot)
	}, segments...)
	switch {
	case ref == nil || ref.Status != status:
		t.Fatalf("%s: refusal %+v, want %d", how, ref, status)
	case detail != "" && ref.Detail != detail:
		t.Errorf("%s: detail %q, want %q", how, ref.Detail, detail)
	case whole && carried != "" && got != carried:
		t.Errorf("%s: carries %q, want %q", how, got, carried)
	}
	if !strings.Contains(answer, "\r\nConnection: close\r\n") {
		t.Errorf("%s: answered %q", how, answer)
	}
	return end
}

func TestHeadsOverTheirLimit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 8192)
	tests := []struct {
		name, raw string
		status    int
		carried   string
	}{
		{"request line", "GET /api5/http5.aspx?d=" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, "GET /api5/http5.aspx HTTP/1.1 "},
		{"request line without end", "GET /api5/http5.aspx?d=" + long, 414, "GET /api5/http5.aspx HTTP/1.1 "},
		{"path cut short", "GET /" + long, 414, "GET  HTTP/1.1 "},
		{"header", "GET /a HTTP/1.0\r\nA: " + long + "\r\n\r\n", 431, "GET /a HTTP/1.0 "},
		{"headers without end", "GET /a HTTP/1.0\r\n" + strings.Repeat("A: b\r\n", 2000), 431, "GET /a HTTP/1.0 "},
		{"body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nxxxxxxxxxxx", 413, "POST /a HTTP/1.1 h"},
		{"body beyond numbers", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 413, "POST /a HTTP/1.1 h"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, segments := range deliveries(tt.raw) {
				testRefusal(t, how, segments, tt.status, "", true, tt.carried)
			}
		})
	}
	t.Run("just within", func(t *testing.T) {
		t.Parallel()
		lim := testLimits()
		lim.HeaderBytes = 8192
		raw := "GET /a HTTP/1.0\r\nA: "
		raw += strings.Repeat("b", lim.HeaderBytes-len(raw)-4) + "\r\n\r\n"
		for how, segments := range deliveries(raw) {
			var all []seen
			play(t, lim, record(&all), segments...)
			if len(all) != 1 || all[0].refused != "" {
				t.Errorf("%s: %+v", how, all)
			}
		}
	})
}

// A pipelined request is judged on its own, wherever the segments end.
func TestPipelinedHeads(t *testing.T) {
	t.Parallel()
	raw := "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" +
		"\r\nGET /2 b HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n1\r\nc\r\n0\r\nT: x\r\n\r\n" +
		"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n" +
		"GET /5 HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\nGET /6 HTTP/1.1\r\nHost: h\r\n\r\n"
	want := "POST /1 hello\nGET /2%20b \nPOST /3 abc\nGET /4 \nGET /5 " + detailTwoHosts + "\n"
	for how, segments := range deliveries(raw) {
		var all []seen
		play(t, testLimits(), record(&all), segments...)
		got := ""
		for _, s := range all {
			got += s.method + " " + s.target + " " + s.body + s.refused + "\n"
		}
		if got != want {
			t.Errorf("%s: got\n%s", how, got)
		}
	}
}
