package upstream

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"tlslift/proxy/problem"
)

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
			resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), newExchange("//x?y"))
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
