package http1

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Heads and chunks that end anywhere around the edges of a buffer.
func TestHeadsAroundBufferSize(t *testing.T) {
	t.Parallel()
	for n := smallBuffer - 70; n < smallBuffer+40; n++ {
		x := strings.Repeat("x", n)
		for _, raw := range []string{
			"GET /a HTTP/1.1\r\nHost: h\r\nX: " + x + "\r\nY: z\r\n\r\n",
			"GET /" + x + " HTTP/1.1\nHost: h\n\n",
			"GET /a?b=c d HTTP/1.1\r\nHost: h\r\nX: " + x + "\r\nY: " + x + "\r\n\r\n",
			"POST /a HTTP/1.1\r\nHost: h\r\nX: " + x + "\r\nContent-Length: 5\r\n\r\nhello",
			"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + string(AppendChunk(nil, []byte(x))) + LastChunk,
		} {
			var all []seen
			play(t, testLimits(), record(&all), raw+get)
			if len(all) != 2 || all[0].refused != "" || all[0].failed || all[1].uri != "/a" {
				t.Fatalf("%d: %+v", n, all)
			}
		}
	}
}

// Answers of sizes around the edges of both buffers, however they are written.
func TestAnswersAroundBufferSize(t *testing.T) {
	t.Parallel()
	for _, edge := range []int{0, smallBuffer, largeBuffer, 2 * largeBuffer} {
		for n := max(edge-200, 0); n < edge+20; n += 7 {
			body := strings.Repeat("0123456789abcdef", n/16+1)[:n]
			for _, piece := range []int{n + 1, 1000, 30_000} {
				for _, declared := range []bool{true, false} {
					raw, end := play(t, testLimits(), func(w *Response, _ *Request) {
						if declared {
							w.Header().Set("Content-Length", itoa(n))
						}
						for _, s := range split(body, piece) {
							if m, err := io.WriteString(w, s); m != len(s) || err != nil {
								t.Errorf("wrote %d of %d: %v", m, len(s), err)
							}
						}
						if w.Written() != int64(n) || w.Status() != http.StatusOK {
							t.Errorf("%d written of %d", w.Written(), n)
						}
					}, get)
					if _, bodies := answers(t, raw, "GET"); bodies[0] != body || end != Closed {
						t.Fatalf("%d bytes in pieces of %d: got %d, %v", n, piece, len(bodies[0]), end)
					}
				}
			}
		}
	}
}

// A head of an answer may be larger than any buffer.
func TestLargeFieldsOfAnswers(t *testing.T) {
	t.Parallel()
	for _, n := range []int{smallBuffer - 100, smallBuffer, largeBuffer - 100, largeBuffer, 2 * largeBuffer} {
		raw, _ := play(t, testLimits(), func(w *Response, _ *Request) {
			w.Header()["X"] = []string{strings.Repeat("x", n), "a\r\nb: c", "d"}
			w.Header()["No token"] = []string{"x"}
			_, _ = io.WriteString(w, "hello")
		}, get)
		all, bodies := answers(t, raw, "GET")
		if x := all[0].Header["X"]; len(x) != 3 || len(x[0]) != n || x[1] != "a  b: c" || len(all[0].Header) != 2 || bodies[0] != "hello" {
			t.Errorf("%d: %v %q", n, len(all[0].Header), bodies[0])
		}
	}
}
