package http1

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// gotAnswer is an answer as one of two readers read it.
type gotAnswer struct {
	proto, status, coding string
	code, minor           int
	length                int64
	close                 bool
	header                http.Header
	body                  string
	bodyErr               error
	rest                  string // what follows it
}

func asRead(resp *http.Response, br *bufio.Reader) gotAnswer {
	g := gotAnswer{
		proto: resp.Proto, status: resp.Status, coding: strings.Join(resp.TransferEncoding, ","),
		code: resp.StatusCode, minor: resp.ProtoMinor, length: resp.ContentLength, close: resp.Close, header: resp.Header,
	}
	body, err := io.ReadAll(resp.Body)
	rest, _ := io.ReadAll(br)
	g.body, g.bodyErr, g.rest = string(body), err, string(rest)
	return g
}

// readAnswer reads raw, cut to segments of n bytes, into memory that was used
// before.
func readAnswer(raw, method string, n int) (gotAnswer, Framing, error) {
	var a Answer
	other := "HTTP/1.1 500 Other\r\nSet-Cookie: other\r\nX-Other: 1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nother\r\n0\r\n\r\n"
	if ReadAnswer(bufio.NewReader(strings.NewReader(other)), "GET", &a) == nil {
		_, _ = io.ReadAll(a.Body)
	}
	a.Reset()
	br := bufio.NewReaderSize(&scriptConn{segments: split(raw, n), end: io.EOF}, smallBuffer)
	if err := ReadAnswer(br, method, &a); err != nil {
		return gotAnswer{}, 0, err
	}
	return asRead(&a.Response, br), a.Framing, nil
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\n"
	many := strings.Repeat("X: y\r\n", 100)
	for _, tt := range []struct {
		name, method, raw string
		framing           Framing
		body, rest        string
		close             bool
		err               error // of the head, else of the body
	}{
		{"usual", "GET", ok + "Content-Type: text/xml\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"nothing", "GET", ok + "Content-Length: 0\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"chunked", "GET", ok + "Transfer-Encoding: Chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: x\r\n\r\nleft", Chunked, "abc", "left", false, nil},
		{"until close", "GET", ok + "\r\nabc", UntilClose, "abc", "", true, nil},
		{"HEAD", "HEAD", ok + "Content-Length: 3\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"HEAD, chunked", "HEAD", ok + "Transfer-Encoding: chunked\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"interim", "GET", "HTTP/1.1 100 Continue\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"204", "GET", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nleft", NoBody, "", "left", false, nil},
		{"tunnel", "CONNECT", ok + "\r\nleft", NoBody, "", "left", false, nil},
		{"no tunnel", "CONNECT", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nnoleft", Sized, "no", "left", false, nil},
		{"close", "GET", ok + "Connection: x, Close\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", true, nil},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", true, nil},
		{"HTTP/1.0, kept", "GET", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"HTTP/1.2", "GET", "HTTP/1.2 200 OK\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"many fields", "GET", ok + many + "Content-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"a field larger than the buffer", "GET", ok + "X: " + strings.Repeat("x", 3*smallBuffer) + "\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},

		// Read generously.
		{"empty lines in front", "GET", "\r\n\n" + ok + "Content-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"no reason", "GET", "HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"bare LF", "GET", "HTTP/1.1 200 OK\nX: y\nContent-Length: 3\n\nabc", Sized, "abc", "", false, nil},
		{"bare LF in chunks", "GET", ok + "Transfer-Encoding: chunked\n\n3\nabc\n0\n\nleft", Chunked, "abc", "left", false, nil},
		{"strange trailers", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n folded\n\r\nleft", Chunked, "", "left", false, nil},
		{"folded", "GET", ok + "X: y\r\n z\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"equal lengths", "GET", ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"list of equal lengths", "GET", ok + "Content-Length: 3, 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"length and chunked", "GET", ok + "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nleft", Chunked, "", "left", false, nil},
		{"identity", "GET", ok + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"space before the colon", "GET", ok + "Content-Length : 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"space in a name", "GET", ok + "A B: c\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},
		{"no colon", "GET", ok + "nonsense\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"no colon, folded", "GET", ok + "non\r\n sense\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"no name", "GET", ok + ": x\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"no ASCII in a name", "GET", ok + "F\xf6\xf6: x\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"no token", "GET", ok + "X(1): x\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"space before the first field", "GET", ok + " X: y\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"a pseudo-field", "GET", ok + ":status: 200\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"lower case", "GET", "http/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"no space before the reason", "GET", "HTTP/1.1 200OK\r\nContent-Length: 3\r\n\r\nabcleft", Sized, "abc", "left", false, nil},
		{"control characters", "GET", ok + "X: a\x00b\rc\r\nContent-Length: 3\r\n\r\nabc", Sized, "abc", "", false, nil},

		// The length is in doubt.
		{"different lengths", "GET", ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"list of different lengths", "GET", ok + "Content-Length: 2, 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"signed length", "GET", ok + "Content-Length: +3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"empty length", "GET", ok + "Content-Length:\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"length beyond numbers", "GET", ok + "Content-Length: 9223372036854775808\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"folded length", "GET", ok + "Content-Length: 1\r\n 2\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"control character in a length", "GET", ok + "Content-Length: 3\x00\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"folded coding", "GET", ok + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"another coding", "GET", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"two codings", "GET", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"chunked on HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},

		{"length without a colon", "GET", ok + "Content-Length 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"length with an equals sign", "GET", ok + "content-length=3\r\nContent-Length: 2\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"coding without a colon", "GET", ok + "Transfer-Encoding chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"strange byte in a length's name", "GET", ok + "Content\xadLength: 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"NUL in a coding's name", "GET", ok + "Transfer\x00-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"underscore and more in a length's name", "GET", ok + "Content_Length(1): 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"space in a length's name", "GET", ok + "Content Length: 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"space before a length", "GET", ok + " Content-Length: 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},
		{"colon before a length", "GET", ok + ":content-length: 3\r\n\r\nabc", 0, "", "", false, ErrMalformed},

		// No HTTP/1.
		{"HTTP/2", "GET", "HTTP/2.0 200 OK\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"another protocol", "GET", "SSH-2.0-x\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"another protocol, a line", "GET", "220 mail.example ESMTP\r\n", 0, "", "", false, ErrMalformed},
		{"another protocol, half a line", "GET", "HTTX", 0, "", "", false, ErrMalformed},
		{"another protocol, bytes", "GET", "\x16\x03\x01", 0, "", "", false, ErrMalformed},
		{"a line of HTTP/2", "GET", "\r\nHTTP/2.0 200 OK\r\n", 0, "", "", false, ErrMalformed},
		{"an endless line of something else", "GET", strings.Repeat("x", maxAnswerHead+1), 0, "", "", false, ErrMalformed},
		{"status of four digits", "GET", "HTTP/1.1 2000 OK\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"status of two digits", "GET", "HTTP/1.1 20\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"status below 100", "GET", "HTTP/1.1 099 OK\r\n\r\n", 0, "", "", false, ErrMalformed},
		{"endless head", "GET", ok + strings.Repeat("X: y\r\n", maxAnswerHead/5), 0, "", "", false, ErrHeadTooLarge},
		{"endless line", "GET", "HTTP/1.1 200 " + strings.Repeat("x", maxAnswerHead), 0, "", "", false, ErrHeadTooLarge},

		// Cut short.
		{"half a protocol", "GET", "HTT", 0, "", "", false, ErrTruncated},
		{"half a status line", "GET", "HTTP/1.1 20", 0, "", "", false, ErrTruncated},
		{"no answer", "GET", "", 0, "", "", false, io.EOF},
		{"half a head", "GET", "HTTP/1.1 200 OK\r\nX", 0, "", "", false, ErrTruncated},
		{"half a line end", "GET", "\r", 0, "", "", false, ErrTruncated},
		{"half a body", "GET", ok + "Content-Length: 9\r\n\r\nabc", Sized, "abc", "", false, ErrTruncated},
		{"half a chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", Chunked, "abc", "", false, ErrTruncated},
		{"no last chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Chunked, "abc", "", false, ErrTruncated},
		{"broken chunk", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", Chunked, "abc", "d\r\n", false, ErrMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, n := range []int{len(tt.raw) + 1, 1000, 7, 1} {
				if n < 7 && len(tt.raw) > maxAnswerHead {
					continue
				}
				got, framing, err := readAnswer(tt.raw, tt.method, n)
				if err == nil {
					err = got.bodyErr
				}
				if !errors.Is(err, tt.err) || framing != tt.framing || got.body != tt.body || got.rest != tt.rest || got.close != tt.close {
					t.Errorf("cut to %d: %v, %v, body %q, rest %q, close %v", n, err, framing, got.body, got.rest, got.close)
				}
			}
		})
	}
}

func TestAnswerFields(t *testing.T) {
	t.Parallel()
	raw := "HTTP/1.1 404  Not Found\r\ncontent-LENGTH:\t2 \r\nset-cookie: a\r\nSET-COOKIE: b;c=\xe4\r\nX-Empty:\r\n" +
		"X-Folded: a\r\n\tb\r\n  c\r\nX-Control: a\x00\xe4\x7fb\r\nTrailer: x\r\nA B: dropped\r\ndropped\r\n: dropped\r\n dropped\r\nD\xf6: dropped\r\nPragma: no-cache\r\n\r\nok"
	want := http.Header{
		"Content-Length": {"2"}, "Set-Cookie": {"a", "b;c=\xe4"}, "X-Empty": {""}, "X-Folded": {"a b c"},
		"X-Control": {"a \xe4 b"}, "Pragma": {"no-cache"},
	}
	got, _, err := readAnswer(raw, "GET", len(raw))
	if err != nil || !maps.EqualFunc(got.header, want, slices.Equal[[]string]) || got.code != 404 || got.status != "404  Not Found" {
		t.Errorf("%v, %d %q %q", err, got.code, got.status, got.header)
	}
}

// What is passed on says the version as HTTP/1.1 spells it.
func TestAnswerStatusLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"HTTP/1.1 200 OK", "http/1.1 200 OK", "Http/1.1 200OK", "HTTP/1.1 200"} {
		got, _, err := readAnswer(line+"\r\n\r\n", "GET", 100)
		if err != nil || got.proto != "HTTP/1.1" || got.minor != 1 || got.code != 200 {
			t.Errorf("%q: %v, %s %d", line, err, got.proto, got.code)
		}
	}
}

// A server that does not speak HTTP may wait for the client to go on: its answer is
// judged without waiting for more.
func TestAnswersOfOtherProtocolsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"220 mail.example ESMTP\r\n", "SSH-2.0-x\r\n", "\x16\x03", "HTTP/2.0 200 OK\r\n", "HTTP/1.1 2OO OK\r\n", "\n\n-ERR\n"} {
		for _, n := range []int{len(raw), 1} {
			waited := errors.New("more was waited for")
			br := bufio.NewReader(&scriptConn{segments: split(raw, n), end: waited})
			if err := ReadAnswer(br, "GET", new(Answer)); !errors.Is(err, ErrMalformed) {
				t.Errorf("%q, cut to %d: %v", raw, n, err)
			}
		}
	}
}

// maxInterim interim answers are skipped, and not one more.
func TestNumberOfInterimAnswers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]error{maxInterim: nil, maxInterim + 1: ErrInterim} {
		var a Answer
		raw := strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", n) + "HTTP/1.1 200 OK\r\n\r\n"
		err := ReadFinalAnswer(bufio.NewReader(strings.NewReader(raw)), "GET", &a)
		if !errors.Is(err, want) || want == nil && a.StatusCode != 200 {
			t.Errorf("after %d interim answers: status %d, %v", n, a.StatusCode, err)
		}
	}
}

// Interim answers and the final one share the limit of their heads.
func TestInterimAnswers(t *testing.T) {
	t.Parallel()
	var a Answer
	interim := "HTTP/1.1 100 Continue\r\nX: " + strings.Repeat("x", maxAnswerHead/3) + "\r\n\r\n"
	br := bufio.NewReader(strings.NewReader(strings.Repeat(interim, 3) + "HTTP/1.1 200 OK\r\n\r\n"))
	var errs []error
	for range 3 {
		errs = append(errs, ReadAnswer(br, "GET", &a))
	}
	if errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], ErrHeadTooLarge) {
		t.Errorf("%v", errs)
	}
}

// What the connection fails with is passed on.
func TestAnswerErrors(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, raw := range []string{"", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP/1.1 200 OK\r\n\r\nab"} {
		var a Answer
		err := ReadAnswer(bufio.NewReader(&scriptConn{segments: []string{raw}, end: broken}), "GET", &a)
		if err == nil {
			_, err = io.ReadAll(a.Body)
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// The string of its head is all that an ordinary answer allocates.
func TestAnswerAllocations(t *testing.T) {
	buf := make([]byte, 100)
	for name, raw := range map[string]string{
		"sized":   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nServer: x\r\nDate: y\r\n\r\nok",
		"chunked": "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
	} {
		in := strings.NewReader(raw)
		br := bufio.NewReaderSize(in, smallBuffer)
		var a Answer
		n := testing.AllocsPerRun(100, func() {
			a.Reset()
			in.Reset(raw)
			br.Reset(in)
			if ReadAnswer(br, "GET", &a) != nil {
				t.Fatal("not read")
			}
			for {
				if _, err := a.Body.Read(buf); err != nil {
					break
				}
			}
		})
		t.Logf("%s: %v allocations", name, n)
		if n > 1 && !raceEnabled {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
