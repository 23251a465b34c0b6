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

// document rewrites the addresses in a WSDL or XML schema document so the caller can
// reach them. A document that cannot be read, or is larger than what may be held,
// passes unchanged; that is counted and logged.
func (q *request) document(resp *http.Response, v rewrite.View) {
	if !q.st.Rewrite.WSDL || q.out.Method != http.MethodGet || resp.StatusCode != http.StatusOK || !rewrite.IsXML(first(resp.Header, "Content-Type")) {
		return
	}
	answer, ok := q.answer.ReadCloser.(interface{ Beginning() []byte })
	if !ok {
		return
	}
	contentType, coding := first(resp.Header, "Content-Type"), first(resp.Header, "Content-Encoding")
	limit, beginning := q.st.Upstream.ResponseBuffer, answer.Beginning()
	if coding != "" {
		beginning, _ = decoded(beginning, coding, documentBeginning)
	}
	if !rewrite.Describes(beginning, contentType) {
		if rewrite.AsksForDescription(q.target) && !rewrite.Begins(beginning, contentType) {
			q.skipped("its root element is not at its beginning, or its content coding is not gzip or deflate")
		}
		return
	}
	size := resp.ContentLength
	if coding != "" {
		limit = min(limit, size*maxInflation)
		size = limit
	}
	if q.ex.Delivery != problem.Answered {
		q.skipped("it is larger than limits.response_buffer, or no memory was free for it")
		return
	}
	if !q.c.http.Share.Extend(4 * size) { // as received, inflated, as markup, and rewritten
		q.skipped("no memory was free for it")
		return
	}
	raw, err := io.ReadAll(q.answer.ReadCloser)
	b := &documentBody{Reader: bytes.NewReader(raw), Closer: q.answer.ReadCloser}
	q.answer.ReadCloser = b
	var text []byte
	if err == nil {
		text, err = decoded(raw, coding, limit)
	}
	if err != nil {
		q.skipped(err.Error())
		return
	}
	changed, err := v.Document(text, contentType)
	switch {
	case err != nil:
		q.skipped("it is not well-formed XML in a known charset")
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

const (
	// documentBeginning is how much of an answer is inflated to find out what it is,
	// in bytes.
	documentBeginning = 32 << 10
	// maxInflation is how many times larger a document may become when inflated. Real
	// ones become 10 to 20 times larger.
	maxInflation = 64
)

// documentBody is a body held in memory.
type documentBody struct {
	*bytes.Reader
	io.Closer
}

func (q *request) skipped(why string) {
	q.c.s.metrics.Rewrite(rewrite.WSDLSkipped)
	q.c.s.log.Warn("the addresses in a WSDL or XML schema stay as they are: a caller that uses them may bypass tlslift",
		zap.String("host", q.out.Host), zap.String("path", q.out.Path), zap.String("request_id", q.out.ID), zap.String("why", why))
}

// Errors returned by decoded.
var (
	errInflated = errors.New("inflated, it is larger than may be held")
	errCoding   = errors.New("its content coding is not gzip or deflate")
	errDeflated = errors.New("its content coding cannot be undone")
)

// decoded returns a body without its content coding (RFC 9110 8.4.1). On error it
// returns what could be decoded, up to limit bytes.
func decoded(body []byte, coding string, limit int64) ([]byte, error) {
	var r io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // should be zlib's format; some servers send raw deflate
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
