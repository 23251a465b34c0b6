package http1

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answers reads all answers in raw, those to the methods of the requests.
func answers(t testing.TB, raw string, methods ...string) (out []*http.Response, bodies []string) {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(raw))
	for _, method := range methods {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("answer %d of %q: %v", len(out), raw, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("body of answer %d of %q: %v", len(out), raw, err)
		}
		out, bodies = append(out, resp), append(bodies, string(body))
	}
	if rest, _ := io.ReadAll(br); len(rest) > 0 {
		t.Errorf("behind the answers: %q", rest)
	}
	return out, bodies
}

const get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

func TestFramingOfAnswers(t *testing.T) {
	t.Parallel()
	declared := func(body string) handlerFunc {
		return func(w *Response, _ *Request) {
			w.SetHeader(http.Header{"Content-Length": {"5"}, "Transfer-Encoding": {"gzip"}, "Connection": {"keep-alive"}})
			_, _ = io.WriteString(w, body)
		}
	}
	undeclared := func(n int) handlerFunc {
		return func(w *Response, _ *Request) {
			for range n {
				_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			}
		}
	}
	flushed := func(w *Response, _ *Request) {
		_, _ = io.WriteString(w, "ab")
		w.Flush()
		_, _ = io.WriteString(w, "cde")
	}
	status := func(code int) handlerFunc {
		return func(w *Response, _ *Request) {
			w.SetHeader(http.Header{"Content-Length": {"5"}})
			w.WriteHeader(code)
			_, _ = io.WriteString(w, "hello")
		}
	}
	const get10, kept10 = "GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	tests := []struct {
		name, request string
		handler       handlerFunc
		length        string
		chunked       bool
		connection    string
		body          int
		end           End
	}{
		{"declared", get, declared("hello"), "5", false, "", 5, Closed},
		{"declared, HTTP/1.0", get10, declared("hello"), "5", false, "close", 5, Closed},
		{"declared, HTTP/1.0 kept", kept10, declared("hello"), "5", false, "keep-alive", 5, Closed},
		{"too much", get, declared("hello world"), "5", false, "", 5, Closed},
		{"small", get, undeclared(2), "", true, "", 2000, Closed},
		{"nothing", get, undeclared(0), "0", false, "", 0, Closed},
		{"large", get, undeclared(100), "", true, "", 100000, Closed},
		{"large, HTTP/1.0", kept10, undeclared(100), "", false, "close", 100000, Closed},
		{"flushed", get, flushed, "", true, "", 5, Closed},
		{"flushed, HTTP/1.0", kept10, flushed, "", false, "close", 5, Closed},
		{"HEAD", strings.Replace(get, "GET", "HEAD", 1), declared("hello"), "5", false, "", 0, Closed},
		{"HEAD without a length", strings.Replace(get, "GET", "HEAD", 1), undeclared(100), "", false, "", 0, Closed},
		{"204", get, status(204), "", false, "", 0, Closed},
		{"304", get, status(304), "", false, "", 0, Closed},
		{"caller wants to close", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", declared("hello"), "5", false, "close", 5, Closed},
		{"handler wants to close", get, func(w *Response, _ *Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(200)
		}, "0", false, "close", 0, Closed},
		{"a status without a text", get, status(599), "5", false, "", 5, Closed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw, end := play(t, testLimits(), tt.handler, tt.request)
			all, bodies := answers(t, raw, strings.Fields(tt.request)[0])
			h, chunked := all[0].Header, len(all[0].TransferEncoding) > 0
			if h.Get("Content-Length") != tt.length || chunked != tt.chunked || h.Get("Connection") != tt.connection && !all[0].Close || len(bodies[0]) != tt.body {
				t.Errorf("%q", raw)
			}
			if all[0].Close != (tt.connection == "close") && all[0].ProtoMinor == 1 {
				t.Errorf("close %v: %q", all[0].Close, raw)
			}
			if all[0].Proto != strings.TrimSpace(tt.request[strings.Index(tt.request, "HTTP/"):][:8]) || h.Get("Date") == "" {
				t.Errorf("%q", raw)
			}
			if end != tt.end {
				t.Errorf("%v, want %v", end, tt.end)
			}
		})
	}
}

// An answer is cut when less than its declared length was written, or when the
// handler says so.
func TestCutAnswers(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]handlerFunc{
		"too short": func(w *Response, _ *Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "short")
		},
		"aborted": func(w *Response, _ *Request) {
			_, _ = io.WriteString(w, "held")
			w.Abort()
		},
		"aborted while streaming": func(w *Response, _ *Request) {
			_, _ = io.WriteString(w, "ab")
			w.Flush()
			w.Abort()
		},
	} {
		raw, end := play(t, testLimits(), h, get)
		if end != Reset || strings.HasSuffix(raw, "\r\n0\r\n\r\n") || strings.Contains(raw, "short") || strings.Contains(raw, "held") {
			t.Errorf("%s: %v, %q", name, end, raw)
		}
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	const head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n"
	read := func(w *Response, r *Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}
	raw, _ := play(t, testLimits(), read, head, "x"+get)
	if all, bodies := answers(t, raw, "POST", "POST", "GET"); all[0].StatusCode != 100 || bodies[1] != "x" {
		t.Errorf("%q", raw)
	}
	raw, _ = play(t, testLimits(), read, strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1), "x")
	if _, bodies := answers(t, raw, "POST"); bodies[0] != "x" {
		t.Errorf("HTTP/1.0: %q", raw)
	}
	raw, end := play(t, testLimits(), func(w *Response, _ *Request) { w.WriteHeader(403) }, head, "x"+get)
	if all, _ := answers(t, raw, "POST"); all[0].StatusCode != 403 || !all[0].Close || end != Lingering {
		t.Errorf("unread: %v %q", end, raw)
	}
}

// A body that the handler left unread ends the connection, unless all of it has
// come.
func TestUnreadBodies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		segments []string
		answers  int
		end      End
	}{
		{"all has come", []string{"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + get}, 2, Closed},
		{"all chunks have come", []string{"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + get}, 2, Closed},
		{"a part", []string{"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel", "lo" + get}, 1, Lingering},
		{"broken chunks", []string{"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhellox" + get}, 1, Lingering},
	} {
		raw, end := play(t, testLimits(), func(w *Response, _ *Request) { w.WriteHeader(200) }, tt.segments...)
		all, _ := answers(t, raw, []string{"POST", "GET"}[:tt.answers]...)
		if end != tt.end || all[0].Close != (tt.end == Lingering) {
			t.Errorf("%s: %v, %q", tt.name, end, raw)
		}
	}
}

// What came with a CONNECT is read first from the connection that was taken
// over.
func TestHijack(t *testing.T) {
	t.Parallel()
	const tunnelled = "\x16\x03\x01 not\x00HTTP\r\n\r\n"
	raw := "CONNECT h:443 HTTP/1.1\r\nContent-Length: 4\r\n\r\n" + tunnelled
	for how, segments := range deliveries(raw) {
		got, end := play(t, testLimits(), func(w *Response, r *Request) {
			nc, rw, err := w.Hijack()
			if err != nil || rw == nil || r.Body != http.NoBody {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(nc, "HTTP/1.1 200 OK\r\n\r\n")
			_, _ = io.Copy(nc, rw)
		}, segments...)
		if got != "HTTP/1.1 200 OK\r\n\r\n"+tunnelled || end != Hijacked {
			t.Errorf("%s: %q, %v", how, got, end)
		}
	}
}

// Head and body go out together, and a large body in pieces of 64 KiB.
func TestFewWrites(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{10: 1, 5000: 1, 60_000: 1, 200_000: 4} {
		nc := &scriptConn{segments: []string{get}, end: io.EOF}
		newConn(nc, Options{}).Serve(handlerFunc(func(w *Response, _ *Request) {
			w.Header()["Content-Length"] = []string{itoa(size)}
			_, _ = w.Write(make([]byte, size))
		}))
		if nc.writes != want {
			t.Errorf("%d bytes in %d writes, want %d", size, nc.writes, want)
		}
	}
}
