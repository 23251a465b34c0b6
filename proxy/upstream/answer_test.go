package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// readBuffer is the size of a connection's buffer.
const readBuffer = 4 << 10

// readAs reads an answer with one of two readers, with a buffer that holds what
// a connection's holds.
func readAs(raw []byte, method string, read func(*bufio.Reader, *http.Request) (*http.Response, error)) (head, body string, left int, err error) {
	br := bufio.NewReaderSize(bytes.NewReader(raw), readBuffer)
	_, _ = br.Peek(1)
	resp, err := read(br, &http.Request{Method: method})
	if resp == nil || err != nil {
		return "", "", br.Buffered(), err
	}
	keys := make(map[string][]string, len(resp.Header))
	for k, v := range resp.Header {
		keys[k] = append([]string{}, v...)
	}
	head = fmt.Sprint(resp.Proto, resp.ProtoMajor, resp.ProtoMinor, resp.Status, resp.StatusCode, resp.ContentLength,
		resp.Close, resp.TransferEncoding, resp.Trailer, resp.Body == http.NoBody, keys)
	b, err := io.ReadAll(resp.Body)
	rest, _ := io.ReadAll(br)
	return head, string(b), len(rest), err
}

// quickly reads an answer into a memory that was used before, and not reset.
func quickly(br *bufio.Reader, req *http.Request) (*http.Response, error) {
	var memory Memory
	other := bufio.NewReader(strings.NewReader("HTTP/1.1 500 Other\r\nSet-Cookie: other\r\nX-Other: 1\r\nContent-Length: 5\r\n\r\nother"))
	_, _ = other.Peek(1)
	if readOrdinary(other, &http.Request{Method: http.MethodGet}, &memory) == nil {
		return nil, errors.New("the answer before is not ordinary")
	}
	return readOrdinary(br, req, &memory), nil
}

// What is ordinary is read as net/http reads it; of the rest nothing is read.
func TestReadOrdinary(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("X: y\r\n", ordinaryFields)
	for _, tt := range []struct {
		name, answer string
		ordinary     bool
	}{
		{"usual", "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: 3\r\nDate: now\r\n\r\nabcleft", true},
		{"no body", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", true},
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true},
		{"lower case, white space", "HTTP/1.1 200 OK\r\ncontent-length:\t2 \r\nset-cookie: a\r\nSet-Cookie: b\r\nx-\xc3: \r\n\r\nok", false},
		{"names in any case", "HTTP/1.1 200 OK\r\ncontent-length:\t2 \r\nset-cookie: a\r\nSET-COOKIE: b;c=\xe4\r\nx-empty:\r\n\r\nok", true},
		{"keep-alive", "HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok", true},
		{"truncated body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", true},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", false},
		{"conflicting lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", false},
		{"a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", false},
		{"a listed length", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", false},
		{"an overlong length", "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok", false},
		{"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{"no length", "HTTP/1.1 200 OK\r\n\r\nok", false},
		{"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false},
		{"interim", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", false},
		{"no content", "HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", false},
		{"not modified", "HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", false},
		{"old", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
		{"bare line feed", "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", false},
		{"bare line feed in a field", "HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\r\nok", false},
		{"folded", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 2\r\n\r\nok", false},
		{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", false},
		{"no colon", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX\r\n\r\nok", false},
		{"NUL", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: \x00\r\n\r\nok", false},
		{"status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok", false},
		{"incomplete", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", false},
		{"trailer", "HTTP/1.1 200 OK\r\nTrailer: X\r\nContent-Length: 2\r\n\r\nok", false},
		{"pragma", "HTTP/1.1 200 OK\r\nPragma: no-cache\r\nContent-Length: 2\r\n\r\nok", false},
		{"many fields", "HTTP/1.1 200 OK\r\n" + many + "Content-Length: 2\r\n\r\nok", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			head, body, left, err := readAs([]byte(tt.answer), "GET", quickly)
			if (head != "") != tt.ordinary {
				t.Fatalf("read %q", head)
			}
			if !tt.ordinary {
				if left != len(tt.answer) {
					t.Errorf("%d bytes left of %d", left, len(tt.answer))
				}
				return
			}
			wantHead, wantBody, wantLeft, wantErr := readAs([]byte(tt.answer), "GET", http.ReadResponse)
			if head != wantHead || body != wantBody || left != wantLeft || !reflect.DeepEqual(err, wantErr) {
				t.Errorf("got  %s %q %d %v\nwant %s %q %d %v", head, body, left, err, wantHead, wantBody, wantLeft, wantErr)
			}
		})
	}
}

// An ordinary answer's allocations are counted, since they are why it is read
// here: the string of its fields. The rest is the caller's.
func TestReadOrdinaryAllocates(t *testing.T) {
	raw := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nServer: x\r\n\r\nok"
	in := strings.NewReader(raw)
	br := bufio.NewReaderSize(in, readBuffer)
	req := &http.Request{Method: http.MethodGet}
	var memory Memory
	if n := testing.AllocsPerRun(100, func() {
		memory.Reset()
		in.Reset(raw)
		br.Reset(in)
		_, _ = br.Peek(1)
		if readOrdinary(br, req, &memory) == nil {
			t.Fatal("not ordinary")
		}
	}); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzReadOrdinary holds that whatever is taken for ordinary is read exactly as
// net/http reads it, its body and what is left behind it included.
func FuzzReadOrdinary(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 3\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nabcleft"), false)
	f.Add([]byte("HTTP/1.1 500\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 200  OK\r\nContent-Length:9\r\nX: \t\r\n\r\nabc"), true)
	f.Fuzz(func(t *testing.T, raw []byte, post bool) {
		method := http.MethodGet
		if post {
			method = http.MethodPost
		}
		head, body, left, err := readAs(raw, method, quickly)
		if head == "" {
			if left != min(len(raw), readBuffer) {
				t.Fatal("read some of what is not ordinary")
			}
			return
		}
		wantHead, wantBody, wantLeft, wantErr := readAs(raw, method, http.ReadResponse)
		if head != wantHead || body != wantBody || left != wantLeft || !reflect.DeepEqual(err, wantErr) {
			t.Errorf("got  %s %q %d %v\nwant %s %q %d %v", head, body, left, err, wantHead, wantBody, wantLeft, wantErr)
		}
	})
}
