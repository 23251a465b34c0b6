package proxy

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

// document makes the addresses in a WSDL or XML schema document such that the
// caller can reach them. What cannot be read, or is larger than what may be
// held, passes as it is, counted and logged.
func (q *request) document(resp *http.Response, v rewrite.View) {
	if !q.st.Rewrite.WSDL || q.out.Method != http.MethodGet || resp.StatusCode != http.StatusOK || !rewrite.IsXML(first(resp.Header, "Content-Type")) {
		return
	}
	b := &documentBody{Closer: q.answer.ReadCloser}
	defer func() { q.answer.ReadCloser = b }()
	coding, limit := first(resp.Header, "Content-Encoding"), q.st.Upstream.ResponseBuffer
	if q.ex.Delivery != problem.Answered { // a stream: its beginning says whether it is one
		begin := make([]byte, documentBeginning)
		n, err := io.ReadAtLeast(q.answer.ReadCloser, begin, 1)
		b.Reader = io.MultiReader(bytes.NewReader(begin[:n]), afterwards(q.answer.ReadCloser, err))
		if text, _ := decoded(begin[:n], coding, documentBeginning); rewrite.Describes(text, first(resp.Header, "Content-Type")) {
			q.skipped("it is larger than limits.response_buffer")
		}
		return
	}
	raw, err := io.ReadAll(q.answer.ReadCloser)
	b.Reader = bytes.NewReader(raw)
	if err != nil {
		b.Reader = io.MultiReader(b.Reader, afterwards(nil, err))
		return
	}
	text, err := decoded(raw, coding, limit)
	if err != nil {
		if rewrite.Describes(text, first(resp.Header, "Content-Type")) {
			q.skipped(err.Error())
		}
		return
	}
	changed, err := v.Document(text, first(resp.Header, "Content-Type"))
	switch {
	case err != nil:
		q.skipped("it is no well-formed XML in a known charset")
		return
	case bytes.Equal(changed, text):
		return
	}
	b.Reader = bytes.NewReader(changed)
	resp.ContentLength = int64(len(changed))
	h := resp.Header
	for _, field := range []string{"Content-Encoding", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges"} {
		h.Del(field)
	}
	h["Content-Length"] = []string{strconv.Itoa(len(changed))}
	if tag := h["Etag"]; len(tag) > 0 && !strings.HasPrefix(tag[0], "W/") {
		h["Etag"] = []string{"W/" + tag[0]} // RFC 9110 8.8.1: equivalent, not the same bytes
	}
	q.c.s.metrics.Rewrite(rewrite.WSDL)
}

// documentBeginning is how much of a stream is looked at, in bytes.
const documentBeginning = 8 << 10

// documentBody is a body in memory, or one whose beginning is.
type documentBody struct {
	io.Reader
	io.Closer
}

// afterwards is what follows the beginning of a stream: an error that came with
// it, else the rest.
func afterwards(rest io.Reader, err error) io.Reader {
	if err == nil {
		return rest
	}
	return failingReader{err}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func (q *request) skipped(why string) {
	q.c.s.metrics.Rewrite(rewrite.WSDLSkipped)
	q.c.s.log.Warn("the addresses in a WSDL or XML schema stay as they are: a caller may leave tlslift by them",
		zap.String("host", q.out.Host), zap.String("path", q.out.Path), zap.String("request_id", q.out.ID), zap.String("why", why))
}

// Errors of decoded.
var (
	errInflated = errors.New("inflated, it is larger than limits.response_buffer")
	errCoding   = errors.New("its content coding is not gzip or deflate")
	errDeflated = errors.New("its content coding cannot be undone")
)

// decoded is a body without its content coding (RFC 9110 8.4.1), as far as it
// can be undone within limit bytes.
func decoded(body []byte, coding string, limit int64) ([]byte, error) {
	var r io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // meant to be zlib's format; some servers send it bare
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return nil, errCoding
	}
	if err != nil {
		return nil, errDeflated
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(text)) > limit:
		return text[:limit], errInflated
	case err != nil:
		return text, errDeflated
	}
	return text, nil
}
