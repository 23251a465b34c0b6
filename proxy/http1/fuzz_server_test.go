package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
)

// understood is one request, as a server understood it.
type understood struct {
	method, uri, host, proto string
	header                   http.Header
	length                   int64
	body                     string
	failed                   bool   // the body ended early or is malformed
	refused                  string // of ours: why
	partial                  bool   // of ours: before all fields were read

	head    string // of ours: the bytes that it was read from, empty lines before it included
	framing int    // of ours: bytes that frame the body
}

func (u *understood) equal(v *understood) bool {
	return u.method == v.method && u.uri == v.uri && u.host == v.host && u.proto == v.proto && u.length == v.length &&
		u.failed == v.failed && (u.failed || u.body == v.body) &&
		maps.EqualFunc(u.header, v.header, slices.Equal[[]string])
}

// serveOurs returns what our server makes of the segments, and the answers.
func serveOurs(lim Limits, segments ...string) (all []understood, answers string) {
	nc := &scriptConn{segments: slices.Clone(segments), end: io.EOF}
	raw, from := strings.Join(segments, ""), 0
	c := newConn(nc, Options{Limits: func() Limits { return lim }})
	used := func() int {
		left := c.w - c.r
		for _, s := range nc.segments {
			left += len(s)
		}
		return len(raw) - left
	}
	c.Serve(handlerFunc(func(w *Response, r *Request) {
		u := understood{
			method: r.Method, uri: r.RequestURI, host: r.Host, proto: r.Proto, length: r.ContentLength,
			header: r.Header.Clone(), head: raw[from:used()],
		}
		if r.Refusal != nil {
			u.refused, u.partial = r.Refusal.Detail, r.Partial
		}
		if hosts, _ := r.Hosts(); r.Refusal == nil && !r.Name.IsZero() && !slices.Contains(hosts, r.Name) {
			u.refused = "Hosts overlooks " + r.Name.String()
		}
		body, err := io.ReadAll(r.Body)
		u.body, u.failed = string(body), err != nil
		u.framing = used() - from - len(u.head) - len(body)
		from = used()
		all = append(all, u)
		w.WriteHeader(http.StatusNoContent)
	}))
	return all, nc.written.String()
}

// theirs is net/http's server.
type theirs struct {
	conns chan net.Conn
	mu    sync.Mutex
	all   []understood
}

func newTheirs(t testing.TB) *theirs {
	s := &theirs{conns: make(chan net.Conn)}
	srv := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true}
	var running sync.WaitGroup
	running.Go(func() { _ = srv.Serve(s) })
	t.Cleanup(func() {
		close(s.conns)
		_ = srv.Close()
		running.Wait()
	})
	return s
}

func (s *theirs) Accept() (net.Conn, error) {
	if c, ok := <-s.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (s *theirs) Close() error   { return nil }
func (s *theirs) Addr() net.Addr { return &net.TCPAddr{} }

func (s *theirs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u := understood{method: r.Method, uri: r.RequestURI, host: r.Host, proto: r.Proto, length: r.ContentLength, header: r.Header.Clone()}
	body, err := io.ReadAll(r.Body)
	u.body, u.failed = string(body), err != nil
	s.mu.Lock()
	s.all = append(s.all, u)
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

// closingConn says when it was closed.
type closingConn struct {
	scriptConn
	once   sync.Once
	closed chan struct{}
}

func (c *closingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (s *theirs) serve(raw string) []understood {
	s.all = nil
	nc := &closingConn{scriptConn: scriptConn{segments: []string{raw}, end: io.EOF}, closed: make(chan struct{})}
	s.conns <- nc
	<-nc.closed
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// FuzzServer proves on arbitrary bytes that what reaches a handler is safe to
// work with and does not depend on how the bytes were cut, that our server
// understands what net/http's does in the same way or refuses it, and that it
// is never laxer about framing.
func FuzzServer(f *testing.F) {
	for _, tt := range acceptedHeads {
		f.Add([]byte(tt.raw+get), uint8(7))
	}
	for _, tt := range malformedHeads {
		f.Add([]byte(tt.raw), uint8(1))
	}
	for _, tt := range chunkTests {
		f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+tt.raw+get), uint8(3))
	}
	net := newTheirs(f)
	lim := testLimits()
	lim.HeaderBytes, lim.BodyBytes = 12<<10, 4096
	f.Fuzz(func(t *testing.T, raw []byte, cut uint8) {
		whole, answers := serveOurs(lim, string(raw))
		checkSafe(t, whole, answers)
		pieces, answers := serveOurs(lim, split(string(raw), int(cut)+1)...)
		checkSafe(t, pieces, answers)
		if !slices.EqualFunc(accepted(whole), accepted(pieces), func(a, b understood) bool { return a.equal(&b) }) || len(whole) != len(pieces) {
			t.Errorf("whole: %+v\ncut to %d: %+v", whole, int(cut)+1, pieces)
		}
		for i := range whole {
			checkFraming(t, &whole[i])
		}
		checkAlike(t, whole, net.serve(string(raw)))
	})
}

// accepted drops a refused request: it may carry less when it was refused
// before it had all arrived.
func accepted(all []understood) (out []understood) {
	for _, u := range all {
		if u.refused == "" {
			out = append(out, u)
		}
	}
	return out
}

func checkSafe(t *testing.T, all []understood, answers string) {
	t.Helper()
	for i, u := range all {
		if strings.ContainsFunc(u.uri, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			t.Errorf("control character or space in %q", u.uri)
		}
		if rest, ok := strings.CutPrefix(u.uri, "http://"); ok {
			authority := rest[:len(rest)-len(strings.TrimLeftFunc(rest, func(c rune) bool { return c != '/' && c != '?' }))]
			if authority != u.host || strings.Contains(authority, "@") {
				t.Errorf("target %q, host %q", u.uri, u.host)
			}
		}
		if u.method == "CONNECT" && (u.body != "" || u.refused == "" && u.host != u.uri) {
			t.Errorf("CONNECT: %+v", u)
		}
		if (u.refused != "" || u.failed) && i != len(all)-1 {
			t.Errorf("request %d of %d was refused or cut, and others follow", i+1, len(all))
		}
		if u.refused != "" && u.body != "" || u.partial && (strings.Contains(u.uri, "?") || len(u.header) > 0) {
			t.Errorf("a refused request carries too much: %+v", u)
		}
	}
	br := bufio.NewReader(strings.NewReader(answers))
	for n := 0; ; n++ {
		resp, err := http.ReadResponse(br, nil)
		switch {
		case err != nil && n == len(all):
			return
		case err != nil || n == len(all):
			t.Fatalf("%d answers to %d requests: %v in %q", n, len(all), err, answers)
		case resp.StatusCode == http.StatusContinue:
			n--
		}
	}
}

// checkFraming gives net/http the same head, only with our repairs of what does
// not frame: it must find the same fields and the same framing in it.
func checkFraming(t *testing.T, u *understood) {
	t.Helper()
	if u.refused != "" {
		return
	}
	head := u.method + " " + u.uri + " " + u.proto + "\r\nHost: " + u.host + "\r\n"
	raw := strings.TrimLeft(u.head, "\r\n")
	for line := range strings.SplitAfterSeq(raw[strings.IndexByte(raw, '\n')+1:], "\n") {
		switch name, _, _ := strings.Cut(line, ":"); http.CanonicalHeaderKey(name) {
		case "Host", "Expect", "Trailer", "Pragma":
		case "Content-Length", "Transfer-Encoding":
			if u.method != "CONNECT" {
				head += line
			}
		default:
			head += line
		}
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", head, err)
	}
	want := r.Header.Clone()
	for _, h := range []http.Header{want, u.header} {
		delete(h, "Host")
		delete(h, "Pragma")
		if u.header["Cache-Control"] == nil {
			delete(h, "Cache-Control") // net/http derives it from Pragma
		}
	}
	if r.ContentLength != u.length || !maps.EqualFunc(want, u.header, slices.Equal[[]string]) {
		t.Errorf("ours: %d %v\nnet/http: %d %v\nof %q", u.length, u.header, r.ContentLength, want, head)
	}
}

// checkAlike compares with net/http's server, request by request, as long as
// both go on.
func checkAlike(t *testing.T, ours, theirs []understood) {
	t.Helper()
	for i := range min(len(ours), len(theirs)) {
		a, b := ours[i], theirs[i]
		if a.refused != "" || a.method == "CONNECT" || stricter(&a, &b) {
			return
		}
		b.uri = withoutUserinfo(b.uri)
		dropOurs(b.header)
		dropOurs(a.header)
		if !a.equal(&b) {
			t.Fatalf("request %d: ours %+v\nnet/http's %+v", i, a, b)
		}
	}
}

// stricter reports whether one found a body malformed and the other did not: we
// in whatever net/http lets pass, net/http only in longer framing than it reads.
func stricter(ours, theirs *understood) bool {
	return ours.failed && !theirs.failed || !ours.failed && theirs.failed && ours.framing > 2000
}

func withoutUserinfo(uri string) string {
	scheme, rest, found := strings.Cut(uri, "://")
	if !found || uri[0] == '/' {
		return uri
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	return scheme + "://" + rest[strings.LastIndexByte(rest[:end], '@')+1:]
}

// dropOurs removes fields that we deal with and net/http leaves, and what it
// makes of Pragma.
func dropOurs(h http.Header) {
	for _, name := range []string{"Expect", "Trailer", "Cache-Control", "Pragma"} {
		delete(h, name)
	}
}

// FuzzChunks compares the scanner with itself on differently cut bytes, and,
// where it accepts, with net/http's reader: it must see the same body and the
// same end.
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
		var framed []byte
		if len(data) > 0 {
			framed = AppendChunk(framed, data)
		}
		for _, again := range [][]byte{append(framed, LastChunk...), raw} {
			got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(again)))
			if bytes.ContainsAny(again[:min(used, len(again))], ";\t ") && err != nil {
				continue // net/http allows less padding
			}
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("net/http reads %q, %v; the scanner %q", got, err, data)
			}
		}
	})
}
