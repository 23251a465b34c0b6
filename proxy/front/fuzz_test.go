package front

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"testing"

	"tlslift/proxy/call"
)

// served is one request as a handler saw it.
type served struct {
	method, uri, host, body string
	failed, refused         bool
}

// replay plays the segments to a real http.Server behind a Conn, and returns
// what its handler was asked and what the caller was answered.
type replay struct {
	queue *queue
	seen  []served
}

// signalConn tells when it was closed.
type signalConn struct {
	scriptConn
	closed chan struct{}
}

func (s *signalConn) Close() error {
	select {
	case <-s.closed:
	default:
		close(s.closed)
	}
	return nil
}

func newReplay(t testing.TB) *replay {
	r := &replay{queue: newQueue()}
	srv := newServer(nil)
	srv.Handler = http.HandlerFunc(r.serve)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(r.queue)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return r
}

func (r *replay) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.seen = append(r.seen, served{
		method: req.Method, uri: req.RequestURI, host: req.Host, body: string(body),
		failed: err != nil, refused: connOf(req).Refusal() != nil,
	})
	w.Header().Set("Front", "yes")
	w.WriteHeader(http.StatusNoContent)
}

// run returns the requests and the raw answers.
func (r *replay) run(lim Limits, segments ...string) ([]served, string) {
	r.seen = nil
	nc := &signalConn{scriptConn: scriptConn{segments: segments, end: io.EOF}, closed: make(chan struct{})}
	r.queue.put(NewConn(nc, &call.Conn{}, NewShared(lim)))
	<-nc.closed
	return r.seen, nc.written.String()
}

// FuzzHeads proves on arbitrary bytes that net/http never answers by itself
// (every answer is the handler's), that what reaches a handler is safe to
// work with, and that it does not depend on how the bytes were cut.
func FuzzHeads(f *testing.F) {
	for _, tt := range acceptedHeads {
		f.Add([]byte(tt.raw), uint8(7))
	}
	for _, tt := range malformedHeads {
		f.Add([]byte(tt.raw), uint8(1))
	}
	r := newReplay(f)
	lim := testLimits()
	lim.HeaderBytes, lim.BodyBytes = 12<<10, 4096
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		whole, answers := r.run(lim, string(raw))
		checkServed(t, whole)
		checkAnswers(t, whole, answers)
		pieces, answers := r.run(lim, split(string(raw), int(cut)+1)...)
		checkServed(t, pieces)
		checkAnswers(t, pieces, answers)
		if !slices.Equal(sansRefused(whole), sansRefused(pieces)) || len(whole) != len(pieces) {
			t.Errorf("whole: %+v\ncut to %d: %+v", whole, int(cut)+1, pieces)
		}
	})
}

// Heads whose lines end anywhere around the edges of net/http's buffer.
func TestHeadsAroundBufferSize(t *testing.T) {
	r := newReplay(t)
	for n := bufferSize - 70; n < bufferSize+40; n++ {
		for _, raw := range []string{
			"GET /a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", n) + "\r\nY: z\r\n\r\n",
			"GET /" + strings.Repeat("x", n) + " HTTP/1.1\nHost: h\n\n",
			"GET /a?b=c d HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", n) + "\r\nY: " + strings.Repeat("x", n) + "\r\n\r\n",
			"POST /a HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", n) + "\r\nContent-Length: 5\r\n\r\nhello",
			"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + string(appendFramed(bytes.Repeat([]byte("x"), n))),
		} {
			all, answers := r.run(testLimits(), raw+get)
			checkServed(t, all)
			checkAnswers(t, all, answers)
			if len(all) != 2 || all[0].refused || all[0].failed || all[1].uri != "/a" {
				t.Fatalf("%d: %+v", n, all)
			}
		}
	}
}

// sansRefused drops a refused request, whose stand-in may carry less when the
// head was refused before it had all arrived, and a body that failed, of which
// more or less may have been read.
func sansRefused(all []served) (out []served) {
	for _, s := range all {
		if s.failed {
			s.body = ""
		}
		if !s.refused {
			out = append(out, s)
		}
	}
	return out
}

func checkServed(t *testing.T, all []served) {
	t.Helper()
	for i, s := range all {
		if strings.ContainsFunc(s.uri, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			t.Errorf("control character or space in %q", s.uri)
		}
		if authority, ok := strings.CutPrefix(s.uri, "http://"); ok {
			authority, _, _ = strings.Cut(authority, "/")
			authority, _, _ = strings.Cut(authority, "?")
			if authority != s.host || strings.Contains(authority, "@") {
				t.Errorf("target %q, host %q", s.uri, s.host)
			}
		}
		if s.host != "" && !validAuthority([]byte(s.host), false) {
			t.Errorf("host %q", s.host)
		}
		if s.method == "CONNECT" && (s.body != "" || s.host != s.uri) {
			t.Errorf("CONNECT: %+v", s)
		}
		if (s.refused || s.failed) && i != len(all)-1 {
			t.Errorf("request %d of %d was refused or cut, and others followed", i+1, len(all))
		}
		if s.refused && (s.body != "" || strings.Contains(s.uri, "?")) {
			t.Errorf("a stand-in carries too much: %+v", s)
		}
	}
}

func checkAnswers(t *testing.T, all []served, raw string) {
	t.Helper()
	br := bufio.NewReader(strings.NewReader(raw))
	n := 0
	for {
		resp, err := http.ReadResponse(br, nil)
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("answer %d: %v in %q", n, err, raw)
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		if resp.Header.Get("Front") != "yes" {
			t.Fatalf("net/http answered by itself: %q to %+v", raw, all)
		}
		n++
	}
	if n != len(all) {
		t.Errorf("%d answers to %d requests", n, len(all))
	}
}

// decode runs a chunkScanner over segments of n bytes.
func decode(raw []byte, n int) (data []byte, used int, complete bool, err error) {
	var s chunkScanner
	for len(raw) > 0 && s.state != chunkFinished {
		piece := raw[:min(n, len(raw))]
		for len(piece) > 0 && s.state != chunkFinished {
			d, k, err := s.next(piece)
			if err != nil {
				return data, used + k, false, err
			}
			data = append(data, d...)
			used += k
			piece, raw = piece[k:], raw[k:]
		}
	}
	return data, used, s.state == chunkFinished, nil
}

// FuzzChunks compares the scanner with itself on differently cut bytes, and,
// where it accepts, with net/http's reader: nobody may see another body or
// another end than the scanner does.
func FuzzChunks(f *testing.F) {
	for _, tt := range chunkTests {
		f.Add([]byte(tt.raw), uint8(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		data, used, complete, err := decode(raw, len(raw)+1)
		d2, u2, c2, err2 := decode(raw, int(cut)+1)
		if !bytes.Equal(data, d2) || used != u2 || complete != c2 || !errors.Is(err2, err) {
			t.Fatalf("whole: %q %d %v %v\ncut: %q %d %v %v", data, used, complete, err, d2, u2, c2, err2)
		}
		if !complete {
			return
		}
		got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(appendFramed(data))))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("framed anew: %q, %v", got, err)
		}
		if bytes.ContainsAny(raw[:used], ";\t ") {
			return // net/http treats padding its own way, and never sees it
		}
		got, err = io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(raw)))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("net/http reads %q, %v; the scanner %q", got, err, data)
		}
	})
}

func appendFramed(data []byte) []byte {
	var out []byte
	if len(data) > 0 {
		out = appendChunk(out, data)
	}
	return append(out, lastChunk...)
}
