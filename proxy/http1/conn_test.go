package http1

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testLimits are generous: a test that needs a tight limit sets its own.
func testLimits() Limits {
	return Limits{
		HeaderBytes: 64 << 10, BodyBytes: 10 << 20,
		HeaderTimeout: 10 * time.Second, BodyTimeout: 60 * time.Second, IdleTimeout: 120 * time.Second,
	}
}

// scriptConn delivers its segments one by one, then end.
type scriptConn struct {
	segments []string
	end      error
	written  strings.Builder
	writes   int
}

func (s *scriptConn) Read(p []byte) (int, error) {
	for len(s.segments) > 0 {
		n := copy(p, s.segments[0])
		s.segments[0] = s.segments[0][n:]
		if s.segments[0] == "" {
			s.segments = s.segments[1:]
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.end
}

func (s *scriptConn) Write(p []byte) (int, error)      { s.writes++; return s.written.Write(p) }
func (s *scriptConn) Close() error                     { return nil }
func (s *scriptConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *scriptConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *scriptConn) SetDeadline(time.Time) error      { return nil }
func (s *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// handlerFunc is a Handler.
type handlerFunc func(w *Response, r *Request)

func (f handlerFunc) ServeHTTP1(w *Response, r *Request) { f(w, r) }

// newConn is NewConn with defaults for what must be set.
func newConn(nc net.Conn, o Options) *Conn {
	if o.Limits == nil {
		o.Limits = func() Limits { return Limits{} }
	}
	if o.Buffers == nil {
		o.Buffers = new(Buffers)
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	return NewConn(nc, o)
}

// split cuts s into segments of n bytes.
func split(s string, n int) (segments []string) {
	for len(s) > n {
		segments = append(segments, s[:n])
		s = s[n:]
	}
	return append(segments, s)
}

// play serves the segments and returns what was written and how it ended.
func play(t testing.TB, lim Limits, h handlerFunc, segments ...string) (string, End) {
	t.Helper()
	nc := &scriptConn{segments: segments, end: io.EOF}
	end := newConn(nc, Options{Limits: func() Limits { return lim }}).Serve(h)
	return nc.written.String(), end
}

// deliveries are the ways in which the same bytes may arrive.
func deliveries(raw string) map[string][]string {
	return map[string][]string{
		"one segment":      {raw},
		"byte by byte":     split(raw, 1),
		"seven at a time":  split(raw, 7),
		"without the last": {raw[:len(raw)-1], raw[len(raw)-1:]},
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// What has come of the next request is kept while the caller is looked for.
func TestEnded(t *testing.T) {
	t.Parallel()
	const next = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
	const first = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
	fills := "GET /b HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", smallBuffer)
	fills = fills[:smallBuffer-len(first)-len("\r\n\r\n")] + "\r\n\r\n"
	for _, tt := range []struct {
		name     string
		queued   string // came with the request
		segments []string
		end      error
		want     bool
		answers  int
	}{
		{"there", "", nil, os.ErrDeadlineExceeded, false, 1},
		{"there, with another request", "", []string{next[:9], next[9:]}, os.ErrDeadlineExceeded, false, 2},
		{"ended", "", nil, io.EOF, true, 1},
		{"ended after another request", "", []string{next}, io.EOF, true, 2},
		{"ended after another request that fills the buffer", fills, nil, io.EOF, true, 2},
		{"there, with two others, one of which fills the buffer", fills, []string{next}, os.ErrDeadlineExceeded, false, 3},
		{"reset", "", nil, syscall.ECONNRESET, true, 1},
	} {
		nc := &scriptConn{segments: []string{first + tt.queued}, end: os.ErrDeadlineExceeded}
		var c *Conn
		asked := false
		c = newConn(nc, Options{Limits: testLimits})
		c.Serve(handlerFunc(func(w *Response, r *Request) {
			if !asked {
				asked = true
				nc.segments, nc.end = tt.segments, tt.end
				if got := c.Ended(); got != tt.want {
					t.Errorf("%s: ended %v", tt.name, got)
				}
			}
			hello(w, r)
		}))
		if n := strings.Count(nc.written.String(), "hello /"); n != tt.answers {
			t.Errorf("%s: %d answers, want %d: %q", tt.name, n, tt.answers, nc.written.String())
		}
	}
}
