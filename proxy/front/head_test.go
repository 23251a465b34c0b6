package front

import (
	"net/http"
	"strings"
	"testing"
)

// Every head here reaches net/http, as the second column says; "" means byte
// for byte as it came.
var acceptedHeads = []struct{ name, raw, passed string }{
	// How the stacks of the field talk to a proxy.
	{"libcurl", "GET http://api.smsportal.com/api5/http5.aspx?Type=credits HTTP/1.1\r\nHost: api.smsportal.com\r\nAccept: */*\r\nProxy-Connection: Keep-Alive\r\n\r\n", ""},
	{"PHP streams, origin-form to a proxy", "GET /api5/http5.aspx?Type=credits HTTP/1.1\r\nHost: www.mymobileapi.com\r\nConnection: close\r\n\r\n", ""},
	{"PHP before 8.0", "GET /api5/http5.aspx HTTP/1.0\r\nHost: www.mymobileapi.com\r\n\r\n", ""},
	{
		"PHP streams, raw spaces", "GET /api5/http5.aspx?data1=two words here HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /api5/http5.aspx?data1=two%20words%20here HTTP/1.1\r\nHost: h\r\n\r\n",
	},
	{
		"Java, raw spaces and a tab", "GET http://h/a?x=1 2\t3 HTTP/1.1\r\nUser-Agent: Java/1.6.0\r\nHost: h\r\n\r\n",
		"GET http://h/a?x=1%202%093 HTTP/1.1\r\nUser-Agent: Java/1.6.0\r\nHost: h\r\n\r\n",
	},
	{"Java, empty POST", "POST http://h/a HTTP/1.1\r\nHost: h\r\nProxy-Connection: keep-alive\r\nContent-Length: 0\r\n\r\n", ""},
	{"Mono, one byte with Expect", "POST http://h/a HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\nHost: h\r\n\r\nx", ""},
	{"LWP, hop-by-hop TE", "GET http://h/a HTTP/1.1\r\nTE: deflate,gzip;q=0.3\r\nConnection: TE, close\r\nHost: h\r\n\r\n", ""},
	{"Axis 1.4", "POST /api5/api.asmx HTTP/1.0\r\nHost: h:80\r\nSOAPAction: \"http://www.mymobileapi.com/api5/Send\"\r\nContent-Length: 4\r\n\r\n<a/>", ""},
	{
		"Synapse keep-alive", "GET http://h/a HTTP/1.0\r\nHost: h\r\nProxy-Connection: Keep-Alive\r\n\r\n",
		"GET http://h/a HTTP/1.0\r\nHost: h\r\nProxy-Connection: Keep-Alive\r\nConnection: keep-alive\r\n\r\n",
	},
	{"keep-alive said twice", "GET http://h/a HTTP/1.0\r\nProxy-Connection: keep-alive\r\nConnection: close\r\n\r\n", ""},
	{"POST without a length", "POST /a HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"https to the plain port", "GET https://h/a HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"port 80 and upper case", "GET HTTP://API.SMSPORTAL.COM:80/a HTTP/1.1\r\nHost: API.SMSPORTAL.COM:80\r\n\r\n", ""},
	{"old Node names the proxy", "GET http://h/a HTTP/1.1\r\nHost: 10.0.0.1:3128\r\n\r\n", ""},
	{"chunked body", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", ""},

	// Byte fidelity.
	{"escaped entities", "GET /a?XMLData=%26lt;x%26gt;&y=%26amp; HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"bad escapes in the query", "GET /a?b=100%&c=%zz&d=% HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"separators in the query", "GET /a?b;c=\"<>#|^`{}\\ HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"Latin-1", "GET /caf\xe9?data1=\xfc HTTP/1.1\r\nHost: h\r\nX-Name: J\xfcrgen\r\n\r\n", ""},
	{"two slashes", "GET //a//b HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"no path", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"query without a path", "GET http://h?a=http://b/ HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"trailing space is data", "GET /a?m=x  HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?m=x%20 HTTP/1.1\r\nHost: h\r\n\r\n"},
	{"leading spaces are not", "GET   /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
	{
		"a version in the text", "GET /a?m=speaks HTTP/1.1 well HTTP/1.0\r\n\r\n",
		"GET /a?m=speaks%20HTTP/1.1%20well HTTP/1.0\r\n\r\n",
	},
	{"a bad escape made by encoding", "GET /a?m=50% off HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?m=50%%20off HTTP/1.1\r\nHost: h\r\n\r\n"},

	// Tolerances.
	{"HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n", ""},
	{"HTTP/1.0 absolute without Host", "GET http://h/a HTTP/1.0\r\n\r\n", ""},
	{"bare LF", "GET /a HTTP/1.1\nHost: h\n\n", ""},
	{"mixed line ends", "GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\n", ""},
	{"bare LF, repaired", "GET /a b HTTP/1.1\nHost: h\n\n", "GET /a%20b HTTP/1.1\r\nHost: h\r\n\r\n"},
	{"empty lines first", "\r\n\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"},
	{"empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", ""},
	{"Host of an IPv6 address", "GET /a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", ""},
	{"trailing dot, underscore", "GET /a HTTP/1.1\r\nHost: my_host.example.\r\n\r\n", ""},
	{"port left empty", "GET http://h:/a HTTP/1.1\r\nHost: h:\r\n\r\n", ""},
	{"absolute without Host", "GET http://h/a HTTP/1.1\r\n\r\n", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n"},
	{
		"absolute with a broken Host", "GET http://h:8080/a HTTP/1.1\r\nA: b\r\nHost: http://proxy/\r\nC: d\r\n\r\n",
		"GET http://h:8080/a HTTP/1.1\r\nHost: h:8080\r\nA: b\r\nC: d\r\n\r\n",
	},
	{
		"userinfo", "GET http://user:p%40ss@h:80/a@b?c HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h:80/a@b?c HTTP/1.1\r\nHost: h\r\n\r\n",
	},
	{"userinfo with an at sign", "GET http://u@v:p@h/a HTTP/1.0\r\n\r\n", "GET http://h/a HTTP/1.0\r\n\r\n"},
	{"another expectation", "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 200-ok\r\n\r\n", "POST /a HTTP/1.1\r\nHost: h\r\n\r\n"},
	{
		"trailers announced", "POST /a HTTP/1.1\r\nHost: h\r\nTrailer: Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	},
	{"padding of values", "POST /a HTTP/1.1\r\nHost: \t h \t\r\nContent-Length: \t1 \r\nEmpty:\r\n\r\nx", ""},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"method of another protocol", "PROPFIND /a HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"another scheme", "GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n", ""},

	// CONNECT.
	{"CONNECT", "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: api.smsportal.com:443\r\n\r\n", ""},
	{"CONNECT of Python", "CONNECT h:443 HTTP/1.0\r\n\r\n", ""},
	{"CONNECT without Host", "CONNECT h:443 HTTP/1.1\r\n\r\n", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"},
	{"CONNECT, Host names the proxy", "CONNECT h:443 HTTP/1.1\r\nHost: proxy:3128\r\n\r\n", ""},
	{"CONNECT, Host without port", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", ""},
	{"CONNECT, broken Host", "CONNECT h:443 HTTP/1.1\r\nHost: http://h\r\n\r\n", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"},
	{"CONNECT to IPv6", "CONNECT [::1]:443 HTTP/1.1\r\nHost: x\r\n\r\n", ""},
	{"CONNECT of Axis", "CONNECT h:443 HTTP/1.0\nContent-Length: 0\n\n", "CONNECT h:443 HTTP/1.0\r\n\r\n"},
	{
		"CONNECT of WinHTTP", "CONNECT h:443 HTTP/1.0\r\nUser-Agent: x\r\nContent-Length: 4\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
		"CONNECT h:443 HTTP/1.0\r\nUser-Agent: x\r\nHost: h\r\n\r\n",
	},
}

func TestAcceptedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range acceptedHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := tt.passed
			if want == "" {
				want = tt.raw
			}
			for how, deliver := range deliveries(tt.raw) {
				got := deliver(testLimits())
				if got.refusal != nil || got.body != nil {
					t.Fatalf("%s: refusal %+v, body error %v", how, got.refusal, got.body)
				}
				if got.bytes != want {
					t.Errorf("%s: net/http gets %q, want %q", how, got.bytes, want)
				}
			}
		})
	}
}

// Every head here is refused with 400.
var malformedHeads = []struct{ name, raw, detail, standIn string }{
	// Ambiguous framing.
	{"two equal lengths", "POST /a?p=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", detailTwoLengths, "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	{"two lengths", "POST /a HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", detailTwoLengths, "POST /a HTTP/1.0\r\nHost: \r\nConnection: close\r\n\r\n"},
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
	{"two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", detailTwoHosts, "GET /a HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"two Hosts beside a target", "GET http://h/a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", detailTwoHosts, "GET http://h/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	{"no Host", "GET /a HTTP/1.1\r\nA: b\r\n\r\n", detailNoHost, ""},
	{"Host with a slash", "GET /a HTTP/1.1\r\nHost: h/b\r\n\r\n", detailHost, "GET /a HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"Host with userinfo", "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", detailHost, ""},
	{"Host with a space", "GET /a HTTP/1.1\r\nHost: h i\r\n\r\n", detailHost, ""},
	{"Host with a bad port", "GET /a HTTP/1.1\r\nHost: h:99999\r\n\r\n", detailHost, ""},
	{"Host with port 0", "GET /a HTTP/1.1\r\nHost: h:0\r\n\r\n", detailHost, ""},
	{"Host with half an IPv6 address", "GET /a HTTP/1.1\r\nHost: [::1\r\n\r\n", detailHost, ""},
	{"Host with a zone", "GET /a HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", detailHost, ""},

	// Versions and request lines.
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", detailVersion, "PRI / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"HTTP/0.9", "GET /a\r\n", detailVersion, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"HTTP/1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"lower-case version", "GET /a http/1.1\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"space after the version", "GET /a HTTP/1.1 \r\nHost: h\r\n\r\n", detailVersion, ""},
	{"tab before the version", "GET /a\tHTTP/1.1\r\nHost: h\r\n\r\n", detailVersion, ""},
	{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", detailVersion, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"spaces for a target", "GET    HTTP/1.1\r\nHost: h\r\n\r\n", detailRequestLine, ""},
	{"no method", " /a HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"method with a colon", "GE:T /a HTTP/1.1\r\nHost: h\r\n\r\n", detailMethod, ""},
	{"endless method", strings.Repeat("G", 64) + " /a HTTP/1.1\r\nHost: h\r\n\r\n", detailMethod, ""},
	{"control character in the target", "GET /a\x01b HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"DEL in the query", "GET /a?\x7f HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, "GET /a HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"NUL in the target", "GET /a\x00 HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, ""},
	{"bare CR in the target", "GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n", detailControl, ""},
	{"bad escape in the path", "GET /100%/a?b HTTP/1.1\r\nHost: h\r\n\r\n", detailEscape, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"bad escape made by a space", "GET /a% 20 HTTP/1.1\r\nHost: h\r\n\r\n", detailEscape, ""},
	{"no path and no scheme", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"opaque target", "GET http:a HTTP/1.1\r\nHost: h\r\n\r\n", detailTarget, ""},
	{"no host in the target", "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"userinfo and no host", "GET http://u@/a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"space in the target's host", "GET http://h i/a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"fragment behind the host", "GET http://h#a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"backslash in the host", "GET http://h\\@i/a HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"TLS under another first byte", "\x17\x03\x01\x00\x05hello", detailMethod, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
	{"PROXY protocol from anybody", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.0\r\n\r\n", detailVersion, ""},
	{"PROXY protocol, version 2", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", detailMethod, ""},
	{"empty lines without end", strings.Repeat("\r\n", 20) + "GET / HTTP/1.0\r\n\r\n", detailBlankLines, ""},
	{"half a head", "GET /a HTTP/1.1\r\nHost: h\r\n", detailHeadCut, "GET /a HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},

	// CONNECT.
	{"CONNECT without port", "CONNECT h HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	{"CONNECT to a path", "CONNECT /a HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT to a URL", "CONNECT http://h:443/ HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT with userinfo", "CONNECT u@h:443 HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT to an empty port", "CONNECT h: HTTP/1.1\r\nHost: h\r\n\r\n", detailAuthority, ""},
	{"CONNECT with a folded header", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n x\r\n\r\n", detailFold, "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nConnection: close\r\n\r\n"},
}

func TestMalformedHeads(t *testing.T) {
	t.Parallel()
	for _, tt := range malformedHeads {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, deliver := range deliveries(tt.raw) {
				got := deliver(testLimits())
				if got.refusal == nil || got.refusal.Status != http.StatusBadRequest {
					t.Fatalf("%s: refusal %+v, want 400", how, got.refusal)
				}
				if tt.detail != "" && got.refusal.Detail != tt.detail {
					t.Errorf("%s: detail %q, want %q", how, got.refusal.Detail, tt.detail)
				}
				if strings.Contains(how, "one") && tt.standIn != "" && got.bytes != tt.standIn {
					t.Errorf("%s: stands in %q, want %q", how, got.bytes, tt.standIn)
				}
			}
		})
	}
}

func TestHeadsOverTheirLimit(t *testing.T) {
	t.Parallel()
	lim := testLimits()
	lim.HeaderBytes, lim.BodyBytes = 8192, 10
	long := strings.Repeat("a", 8192)
	tests := []struct {
		name, raw string
		status    int
		standIn   string
	}{
		{"request line", "GET /api5/http5.aspx?d=" + long + " HTTP/1.1\r\nHost: h\r\n\r\n", 414, "GET /api5/http5.aspx HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
		{"request line without end", "GET /api5/http5.aspx?d=" + long, 414, "GET /api5/http5.aspx HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
		{"path cut short", "GET /" + long, 414, "GET / HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"},
		{"header", "GET /a HTTP/1.0\r\nA: " + long + "\r\n\r\n", 431, "GET /a HTTP/1.0\r\nHost: \r\nConnection: close\r\n\r\n"},
		{"headers without end", "GET /a HTTP/1.0\r\n" + strings.Repeat("A: b\r\n", 2000), 431, "GET /a HTTP/1.0\r\nHost: \r\nConnection: close\r\n\r\n"},
		{"body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nxxxxxxxxxxx", 413, "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		{"body beyond numbers", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999999\r\n\r\n", 413, "POST /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for how, deliver := range deliveries(tt.raw) {
				got := deliver(lim)
				if got.refusal == nil || got.refusal.Status != tt.status {
					t.Fatalf("%s: refusal %+v, want %d", how, got.refusal, tt.status)
				}
				if got.bytes != tt.standIn {
					t.Errorf("%s: stands in %q, want %q", how, got.bytes, tt.standIn)
				}
			}
		})
	}
	t.Run("just within", func(t *testing.T) {
		t.Parallel()
		raw := "GET /a HTTP/1.0\r\nA: "
		raw += strings.Repeat("b", lim.HeaderBytes-len(raw)-4) + "\r\n\r\n"
		for how, deliver := range deliveries(raw) {
			if got := deliver(lim); got.refusal != nil || got.bytes != raw {
				t.Errorf("%s: refusal %+v, %d bytes passed", how, got.refusal, len(got.bytes))
			}
		}
	})
}

// A pipelined request is judged on its own, wherever the segments end.
func TestPipelinedHeads(t *testing.T) {
	t.Parallel()
	raw := "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" +
		"\r\nGET /2 b HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
		"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n" +
		"GET /5 HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\nGET /6 HTTP/1.1\r\nHost: h\r\n\r\n"
	want := "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" +
		"GET /2%20b HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" +
		"GET /4 HTTP/1.1\r\nHost: h\r\n\r\n" +
		"GET /5 HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n"
	for how, deliver := range deliveries(raw) {
		got := deliver(testLimits())
		if how != "one segment" && how != "sniffed" {
			// The chunk is framed as it dripped in.
			got.bytes = strings.Replace(got.bytes, "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n", "3\r\nabc\r\n", 1)
			got.bytes = strings.Replace(got.bytes, "2\r\nab\r\n1\r\nc\r\n", "3\r\nabc\r\n", 1)
			got.bytes = strings.Replace(got.bytes, "1\r\na\r\n2\r\nbc\r\n", "3\r\nabc\r\n", 1)
		}
		if got.bytes != want {
			t.Errorf("%s: net/http gets\n%q, want\n%q", how, got.bytes, want)
		}
	}
}
