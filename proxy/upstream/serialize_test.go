package upstream

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/problem"
)

func TestAppendHead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		method string
		target string
		header http.Header
		length int64
		want   string // lines of the head, headers sorted
	}{
		{"plain", "GET", "/a?b=c", nil, noLength, "GET /a?b=c HTTP/1.1|Host: h"},
		{"two slashes", "GET", "//evil.test/x", nil, noLength, "GET //evil.test/x HTTP/1.1|Host: h"},
		{"every oddity of a query", "GET", "/p?a=%26amp;;b=%zz&c=\"<>#\xe9|{}^`\\", nil, noLength, "GET /p?a=%26amp;;b=%zz&c=\"<>#\xe9|{}^`\\ HTTP/1.1|Host: h"},
		{"encoded slash", "GET", "/a%2Fb/../c", nil, noLength, "GET /a%2Fb/../c HTTP/1.1|Host: h"},
		{"asterisk", "OPTIONS", "*", nil, noLength, "OPTIONS * HTTP/1.1|Host: h"},
		{"nothing is added", "GET", "/", http.Header{"Accept": {"*/*"}}, noLength, "GET / HTTP/1.1|Accept: */*|Host: h"},
		{"values stay", "GET", "/", http.Header{"X": {"a\tb \xe9", "c,d"}, "Y": {""}}, noLength, "GET / HTTP/1.1|Host: h|X: a\tb \xe9|X: c,d|Y: "},
		{"empty POST", "POST", "/", nil, 0, "POST / HTTP/1.1|Content-Length: 0|Host: h"},
		{"length", "POST", "/", nil, 12, "POST / HTTP/1.1|Content-Length: 12|Host: h"},
		{"chunked", "POST", "/", nil, chunked, "POST / HTTP/1.1|Host: h|Transfer-Encoding: chunked"},
		{"framing and hop-by-hop are ours", "POST", "/", http.Header{
			"Host": {"x"}, "content-length": {"7"}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"}, "Keep-Alive": {"1"},
			"Proxy-Connection": {"x"}, "TE": {"trailers"}, "Trailer": {"x"}, "Upgrade": {"h2c"}, "EXPECT": {"100-continue"},
			"Proxy-Authorization": {"Basic x"}, "Expires": {"0"},
		}, 3, "POST / HTTP/1.1|Content-Length: 3|Expires: 0|Host: h"},
	} {
		req := &http.Request{Method: tt.method, Header: tt.header}
		b, err := appendHead(nil, req, "h", tt.target, tt.length)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		head, ok := strings.CutSuffix(string(b), "\r\n\r\n")
		lines := strings.Split(head, "\r\n")
		slices.Sort(lines[1:])
		if got := strings.Join(lines, "|"); !ok || got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func TestAppendHeadRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		want                 error
	}{
		{"no target", "GET", "", nil, errTarget},
		{"absolute form", "GET", "http://h/", nil, errTarget},
		{"no slash", "GET", "?a=b", nil, errTarget},
		{"space", "GET", "/a b", nil, errTarget},
		{"tab", "GET", "/a\tb", nil, errTarget},
		{"line end", "GET", "/a\r\nX: y", nil, errTarget},
		{"NUL", "GET", "/a\x00", nil, errTarget},
		{"DEL", "GET", "/a\x7f", nil, errTarget},
		{"no method", "", "/", nil, errMethod},
		{"method with a line end", "GET\r\n", "/", nil, errMethod},
		{"method with a space", "GET /", "/", nil, errMethod},
		{"CR in a value", "GET", "/", http.Header{"A": {"b\rc"}}, errHeader},
		{"LF in a value", "GET", "/", http.Header{"A": {"b\nc"}}, errHeader},
		{"NUL in a value", "GET", "/", http.Header{"A": {"b\x00"}}, errHeader},
		{"no name", "GET", "/", http.Header{"": {"b"}}, errHeader},
		{"colon in a name", "GET", "/", http.Header{"A:b": {"c"}}, errHeader},
		{"line end in a name", "GET", "/", http.Header{"A\r\nB": {"c"}}, errHeader},
		{"space in a name", "GET", "/", http.Header{"Content-Length ": {"5"}}, errHeader},
	} {
		if _, err := appendHead(nil, &http.Request{Method: tt.method, Header: tt.header}, "h", tt.target, noLength); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// What Do puts on the wire, body and framing included.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		body         io.ReadCloser
		length       int64
		want         string // framing and body
	}{
		{"GET", "GET", nil, 0, "\r\n"},
		{"GET of a server", "GET", http.NoBody, 0, "\r\n"},
		{"empty POST", "POST", http.NoBody, 0, "Content-Length: 0\r\n\r\n"},
		{"empty PUT", "PUT", nil, 0, "Content-Length: 0\r\n\r\n"},
		{"empty DELETE", "DELETE", http.NoBody, 0, "\r\n"},
		{"POST", "POST", io.NopCloser(strings.NewReader("a=b")), 3, "Content-Length: 3\r\n\r\na=b"},
		{"POST chunked", "POST", io.NopCloser(strings.NewReader("a=b")), -1, "Content-Length: 3\r\n\r\na=b"},
		{"POST chunked and empty", "POST", io.NopCloser(strings.NewReader("")), -1, "Content-Length: 0\r\n\r\n"},
		{"GET wrapped and empty", "GET", io.NopCloser(strings.NewReader("")), 0, "\r\n"},
		{"body longer than declared", "POST", io.NopCloser(strings.NewReader("abcdef")), 3, "Content-Length: 3\r\n\r\nabc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := make(chan string, 1)
			s := newServer(t, func(c *serverConn) {
				var b strings.Builder
				for !strings.Contains(b.String(), "\r\n\r\n") || c.br.Buffered() > 0 {
					ch, err := c.br.ReadByte()
					if err != nil {
						return
					}
					b.WriteByte(ch)
				}
				got <- b.String()
				c.say(okAnswer)
				c.hang()
			})
			tr := start(t, s)
			req := &http.Request{Method: tt.method, Header: http.Header{}, Body: tt.body, ContentLength: tt.length}
			resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), &Exchange{Target: "//x?y"})
			check(t, err)
			_ = resp.Body.Close()
			if got, want := <-got, tt.method+" //x?y HTTP/1.1\r\nHost: "+testHost+"\r\n"+tt.want; got != want {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		})
	}
}

func TestMalformedIsNotSent(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	for _, target := range []string{"", "x", "/a b"} {
		req, ex := newRequest("GET", target, "")
		_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
		var e *Error
		if !errors.As(err, &e) || e.Reason != problem.Malformed || e.Delivery != problem.NotSent {
			t.Errorf("%q: %v", target, err)
		}
	}
	if accepted, _, _ := s.counts(); accepted != 0 {
		t.Errorf("%d connections for nothing", accepted)
	}
}

// FuzzAppendHead holds that whatever is accepted is one request with the
// method, target and header that went in.
func FuzzAppendHead(f *testing.F) {
	f.Add("GET", "/api5/http5.aspx?Type=sendparam&data1=a%26amp;b", "Accept", "*/*")
	f.Add("POST", "//x", "X", "a\r\nContent-Length: 5")
	f.Add("GET\r\n", "/ HTTP/1.1\r\nHost: x", "A\r\n", "\x00")
	f.Add("PUT", "/\xff", "Transfer-Encoding", "chunked")
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		header := http.Header{name: {value}}
		b, err := appendHead(nil, &http.Request{Method: method, Header: header}, "h.test", target, 0)
		if err != nil {
			return
		}
		br := bufio.NewReader(strings.NewReader(string(b) + "rest"))
		line, err := br.ReadString('\n')
		if err != nil || line != method+" "+target+" HTTP/1.1\r\n" {
			t.Fatalf("request line %q", line)
		}
		want := []string{"Host: h.test\r\n", "Content-Length: 0\r\n", "\r\n", "rest"}
		if !ofConnection(name) {
			want = slices.Insert(want, 1, name+": "+value+"\r\n")
		}
		for _, w := range want {
			got, _ := br.ReadString('\n')
			if got != w {
				t.Fatalf("got %q, want %q", got, w)
			}
		}
	})
}
