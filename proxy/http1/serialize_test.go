package http1

import (
	"bufio"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAppendRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		method string
		target string
		header http.Header
		length int64
		want   string // lines of the head, headers sorted
	}{
		{"plain", "GET", "/a?b=c", nil, NoLength, "GET /a?b=c HTTP/1.1|Host: h"},
		{"two slashes", "GET", "//evil.test/x", nil, NoLength, "GET //evil.test/x HTTP/1.1|Host: h"},
		{"every oddity of a query", "GET", "/p?a=%26amp;;b=%zz&c=\"<>#\xe9|{}^`\\", nil, NoLength, "GET /p?a=%26amp;;b=%zz&c=\"<>#\xe9|{}^`\\ HTTP/1.1|Host: h"},
		{"encoded slash", "GET", "/a%2Fb/../c", nil, NoLength, "GET /a%2Fb/../c HTTP/1.1|Host: h"},
		{"asterisk", "OPTIONS", "*", nil, NoLength, "OPTIONS * HTTP/1.1|Host: h"},
		{"nothing is added", "GET", "/", http.Header{"Accept": {"*/*"}}, NoLength, "GET / HTTP/1.1|Accept: */*|Host: h"},
		{"values stay", "GET", "/", http.Header{"X": {"a\tb \xe9", "c,d"}, "Y": {""}}, NoLength, "GET / HTTP/1.1|Host: h|X: a\tb \xe9|X: c,d|Y: "},
		{"empty POST", "POST", "/", nil, 0, "POST / HTTP/1.1|Content-Length: 0|Host: h"},
		{"length", "POST", "/", nil, 12, "POST / HTTP/1.1|Content-Length: 12|Host: h"},
		{"chunked", "POST", "/", nil, ChunkedLength, "POST / HTTP/1.1|Host: h|Transfer-Encoding: chunked"},
		{"framing and hop-by-hop are ours", "POST", "/", http.Header{
			"Host": {"x"}, "content-length": {"7"}, "Transfer-Encoding": {"chunked"}, "Connection": {"close"}, "Keep-Alive": {"1"},
			"Proxy-Connection": {"x"}, "TE": {"trailers"}, "Trailer": {"x"}, "Upgrade": {"h2c"}, "EXPECT": {"100-continue"},
			"Proxy-Authorization": {"Basic x"}, "Expires": {"0"},
		}, 3, "POST / HTTP/1.1|Content-Length: 3|Expires: 0|Host: h"},
	} {
		req := &http.Request{Method: tt.method, Header: tt.header}
		b, err := AppendRequest(nil, req, "h", tt.target, tt.length)
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

func TestAppendForward(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ target, authorization, want string }{
		{"/a?b=%zz", "", "GET http://h:8080/a?b=%zz HTTP/1.1|Host: h:8080"},
		{"//x", "Basic abc", "GET http://h:8080//x HTTP/1.1|Host: h:8080|Proxy-Authorization: Basic abc"},
		{"*", "", "GET http://h:8080 HTTP/1.1|Host: h:8080"},
	} {
		req := &http.Request{Method: "GET", Header: http.Header{"Proxy-Authorization": {"Basic the-caller's"}}}
		b, err := AppendForward([]byte("before"), req, "h:8080", tt.target, tt.authorization, NoLength)
		if want := "before" + strings.ReplaceAll(tt.want, "|", "\r\n") + "\r\n\r\n"; err != nil || string(b) != want {
			t.Errorf("%q, %v, want %q", b, err, want)
		}
	}
	req := &http.Request{Method: "GET"}
	if _, err := AppendForward(nil, req, "h", "http://x/", "", NoLength); !errors.Is(err, ErrTarget) {
		t.Error(err)
	}
}

func TestAppendRequestRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		want                 error
	}{
		{"no target", "GET", "", nil, ErrTarget},
		{"absolute form", "GET", "http://h/", nil, ErrTarget},
		{"no slash", "GET", "?a=b", nil, ErrTarget},
		{"space", "GET", "/a b", nil, ErrTarget},
		{"tab", "GET", "/a\tb", nil, ErrTarget},
		{"line end", "GET", "/a\r\nX: y", nil, ErrTarget},
		{"NUL", "GET", "/a\x00", nil, ErrTarget},
		{"DEL", "GET", "/a\x7f", nil, ErrTarget},
		{"no method", "", "/", nil, ErrMethod},
		{"method with a line end", "GET\r\n", "/", nil, ErrMethod},
		{"method with a space", "GET /", "/", nil, ErrMethod},
		{"CR in a value", "GET", "/", http.Header{"A": {"b\rc"}}, ErrField},
		{"LF in a value", "GET", "/", http.Header{"A": {"b\nc"}}, ErrField},
		{"NUL in a value", "GET", "/", http.Header{"A": {"b\x00"}}, ErrField},
		{"no name", "GET", "/", http.Header{"": {"b"}}, ErrField},
		{"colon in a name", "GET", "/", http.Header{"A:b": {"c"}}, ErrField},
		{"line end in a name", "GET", "/", http.Header{"A\r\nB": {"c"}}, ErrField},
		{"space in a name", "GET", "/", http.Header{"Content-Length ": {"5"}}, ErrField},
	} {
		if _, err := AppendRequest(nil, &http.Request{Method: tt.method, Header: tt.header}, "h", tt.target, NoLength); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// FuzzAppendRequest holds that whatever is accepted is one request with the
// method, target and header that went in.
func FuzzAppendRequest(f *testing.F) {
	f.Add("GET", "/api5/http5.aspx?Type=sendparam&data1=a%26amp;b", "Accept", "*/*")
	f.Add("POST", "//x", "X", "a\r\nContent-Length: 5")
	f.Add("GET\r\n", "/ HTTP/1.1\r\nHost: x", "A\r\n", "\x00")
	f.Add("PUT", "/\xff", "Transfer-Encoding", "chunked")
	f.Fuzz(func(t *testing.T, method, target, name, value string) {
		header := http.Header{name: {value}}
		b, err := AppendRequest(nil, &http.Request{Method: method, Header: header}, "h.test", target, 0)
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
