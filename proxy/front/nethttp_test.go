package front

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

const zapError = zap.ErrorLevel

func hello(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello "+r.URL.Path) }

// answer reads one response and its body.
func answer(t testing.TB, br *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("reading an answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading an answer's body: %v", err)
	}
	return resp, string(body)
}

// The read that net/http keeps going while a handler runs must see nothing:
// neither a half-close nor the next request.
func TestBackgroundRead(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		c := connOf(r)
		until(t, "the next request or the end", func() bool { return c.unread() || c.Gone() == HalfClosed })
		if err := r.Context().Err(); err != nil {
			t.Errorf("%s: context: %v", r.URL.Path, err)
		}
		hello(w, r)
	})
	for _, body := range []string{"", "x"} {
		nc := h.dial()
		head := "POST /first HTTP/1.1\r\nHost: h\r\n\r\n"
		if body != "" {
			head = "POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n"
		}
		send(t, nc, head+body)
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if resp, got := answer(t, bufio.NewReader(nc)); resp.StatusCode != 200 || got != "hello /first" {
			t.Errorf("half-closed caller gets %d %q", resp.StatusCode, got)
		}
	}
	nc := h.dial()
	send(t, nc, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")
	send(t, nc, "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(nc)
	for _, want := range []string{"hello /1", "hello /2"} {
		if _, got := answer(t, br); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A read of one byte during a handler returns nothing and no error, and ends
// net/http's goroutine: this is what read.go relies on.
func TestOneByteReadDoesNotTouchTheConnection(t *testing.T) {
	t.Parallel()
	c := NewConn(&scriptConn{segments: []string{"GET / HTTP/1.0\r\n\r\n"}, end: io.EOF}, nil, NewShared(testLimits()))
	for range 3 {
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != nil {
			t.Fatalf("read of one byte: %d, %v", n, err)
		}
	}
	p := make([]byte, 4096)
	if n, err := c.Read(p); string(p[:n]) != "GET / HTTP/1.0\r\n\r\n" || err != nil {
		t.Fatalf("read: %q, %v", p[:n], err)
	}
}

func TestPipelining(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		if got := connOf(r).BodyRead(); got != int64(len(body)) {
			t.Errorf("%s: BodyRead %d, want %d", r.URL.Path, got, len(body))
		}
		_, _ = io.WriteString(w, r.URL.Path+" "+string(body))
	})
	raw := "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\none" +
		"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n" +
		"POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nth\r\n3\r\nree\r\n0\r\nT: x\r\n\r\n" +
		"GET /4 HTTP/1.1\r\nHost: h\r\nContent-Length: 0, 0\r\n\r\nGET /5 HTTP/1.1\r\nHost: h\r\n\r\n"
	want := []string{"/1 one", "/2 ", "/3 three", detailLength}
	for _, size := range []int{len(raw), 40, 1} {
		nc := h.dial()
		go func() {
			for _, s := range split(raw, size) {
				if _, err := io.WriteString(nc, s); err != nil {
					return
				}
			}
		}()
		br := bufio.NewReader(nc)
		for _, w := range want {
			if _, got := answer(t, br); got != w {
				t.Errorf("segments of %d: got %q, want %q", size, got, w)
			}
		}
		if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
			t.Errorf("segments of %d: after the refusal: %q, %v", size, rest, err)
		}
	}
}

// A hijacked CONNECT gets everything that followed it, and judging ends.
func TestHandOver(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		nc, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		raw := nc.(*Conn).HandOver()
		defer raw.Close()
		_, _ = io.WriteString(raw, "HTTP/1.1 200 OK\r\n\r\n")
		_, _ = io.Copy(raw, raw)
	})
	for _, size := range []int{1000, 10, 1} {
		nc := h.dial()
		tunnelled := "\x16\x03\x01 not\x00HTTP\r\n\r\n" + strings.Repeat("z", 100)
		for _, s := range split("CONNECT h:443 HTTP/1.1\r\nContent-Length: 4\r\n\r\n"+tunnelled, size) {
			send(t, nc, s)
		}
		if err := nc.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(nc)
		if want := "HTTP/1.1 200 OK\r\n\r\n" + tunnelled; string(got) != want || err != nil {
			t.Errorf("segments of %d: got %q, %v", size, got, err)
		}
	}
}

func TestShutdownClosesIdleConnections(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), hello)
	nc := h.dial()
	br := bufio.NewReader(nc)
	send(t, nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	answer(t, br)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("after Shutdown: %v, want EOF", err)
	}
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	nc := h.dial()
	br := bufio.NewReader(nc)
	send(t, nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n")
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("got %v, %v, want 100", resp, err)
	}
	send(t, nc, "x")
	if resp, got := answer(t, br); resp.StatusCode != 200 || got != "x" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}

// A caller that sends all of a refused body before it reads still gets its
// answer, and so does one whose POST is followed by a stray CRLF.
func TestAnswerSurvivesUnreadBytes(t *testing.T) {
	t.Parallel()
	lim := testLimits()
	lim.BodyBytes = 1 << 20
	h := open(t, lim, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c := connOf(r)
		until(t, "the stray CRLF", func() bool { return c.unread() || c.lingers.Load() })
		hello(w, r)
	})
	t.Run("body too large", func(t *testing.T) {
		nc := h.dial()
		send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n")
		send(t, nc, strings.Repeat("x", 8000000))
		if resp, got := answer(t, bufio.NewReader(nc)); resp.StatusCode != 413 || got != detailBodyTooLarge {
			t.Errorf("got %d %q", resp.StatusCode, got)
		}
	})
	t.Run("stray CRLF", func(t *testing.T) {
		nc := h.dial()
		send(t, nc, "POST /a HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
		send(t, nc, "\r\n")
		got, err := io.ReadAll(nc)
		if err != nil || !strings.HasSuffix(string(got), "hello /a") {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestBodyErrors(t *testing.T) {
	t.Parallel()
	lim := testLimits()
	lim.BodyBytes, lim.BodyTimeout = 10, 50*time.Millisecond
	tests := []struct {
		name, raw string
		end       bool
		reason    string
		gone      bool
	}{
		{"chunked too large", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n3\r\nabc\r\n0\r\n\r\n", false, "too_large", false},
		{"chunk size", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, "malformed", false},
		{"caller leaves", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", true, "client_timeout", true},
		{"caller leaves in a chunk", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", true, "client_timeout", true},
		{"caller stalls", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", false, "client_timeout", false},
		{"caller stalls in a chunk", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", false, "client_timeout", false},
	}
	h := open(t, lim, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		var be *BodyError
		if err == nil || !errors.As(connOf(r).BodyErr(), &be) {
			t.Errorf("read: %v, body error: %v", err, be)
			return
		}
		w.Header().Set("Reason", be.Reason.String())
		if be.Gone() {
			w.Header().Set("Gone", "yes")
		}
		w.WriteHeader(be.Reason.Status())
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nc := h.dial()
			send(t, nc, tt.raw)
			if tt.end {
				if err := nc.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			br := bufio.NewReader(nc)
			resp, _ := answer(t, br)
			if got := resp.Header.Get("Reason"); got != tt.reason || (resp.Header.Get("Gone") == "yes") != tt.gone {
				t.Errorf("reason %q, gone %q", got, resp.Header.Get("Gone"))
			}
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("after the answer: %v, want EOF", err)
			}
		})
	}
}

// The proof that nothing is held for a connection that waits: net/http's two
// buffers and a goroutine are most of what it costs.
func TestIdleConnectionIsSmall(t *testing.T) {
	h := open(t, testLimits(), hello)
	const n = 300
	before := memory()
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = h.dial()
		send(t, conns[i], "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, err := conns[i].Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	each := int64(memory()-before) / n
	t.Logf("%d bytes for an idle connection, the test's end included", each)
	if each > 40<<10 {
		t.Errorf("%d bytes for an idle connection", each)
	}
}
