package upstream

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"

	"tlslift/proxy/problem"
)

// smallBody is the largest request body that is read before anything is sent:
// it goes out with the head, and can go out again on another connection as
// long as nothing of it was written.
const smallBody = 64 << 10

// message is a request, ready to be written.
type message struct {
	buffers *bufferPool
	buf     *[]byte   // head, and body or its beginning; nil once it is not needed any more
	rest    io.Reader // the rest of a large body; nil = buf is all
	left    int64     // bytes of rest; < 0 = unknown: chunked
	target  string
}

// prepare builds the message: framing is decided here, from the declared
// length if there is one, else by reading up to smallBody. The error is an
// *Error or a *BodyError; nothing was sent.
func (t *Transport) prepare(req *http.Request, r *Route, ex *Exchange) (message, error) {
	m := message{buffers: &t.buffers, buf: t.buffers.get(), target: ex.Target}
	var err error
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		err = m.head(req, r, emptyLength(req.Method))
	case req.ContentLength > 0:
		err = m.sized(req, r, req.ContentLength)
	default:
		err = t.unsized(&m, req, r)
	}
	if err != nil {
		m.release()
		var be *BodyError
		if errors.As(err, &be) {
			return m, be
		}
		return m, notSent(problem.Malformed, err)
	}
	return m, nil
}

// release gives the buffer back.
func (m *message) release() {
	if m.buf != nil {
		m.buffers.put(m.buf)
		m.buf = nil
	}
}

// emptyLength is the framing of a request without a body: methods that are
// expected to have one say that it is empty (RFC 9110 8.6).
func emptyLength(method string) int64 {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return 0
	default:
		return noLength
	}
}

func (m *message) head(req *http.Request, r *Route, length int64) (err error) {
	*m.buf, err = appendHead((*m.buf)[:0], req, r.HostHeader, m.target, length)
	return err
}

// sized takes a body of n bytes, or the beginning of it.
func (m *message) sized(req *http.Request, r *Route, n int64) error {
	if err := m.head(req, r, n); err != nil {
		return err
	}
	now := min(n, smallBody)
	if err := m.take(req.Body, int(now)); err != nil {
		return err
	}
	if m.left = n - now; m.left > 0 {
		m.rest = req.Body
	}
	return nil
}

// take appends exactly n bytes of the body.
func (m *message) take(body io.Reader, n int) error {
	b := slices.Grow(*m.buf, n)
	at := len(b)
	b = b[:at+n]
	*m.buf = b
	if _, err := io.ReadFull(body, b[at:]); err != nil {
		return &BodyError{Delivery: problem.NotSent, Err: short(err)}
	}
	return nil
}

// short makes of an end of the body before its declared end what it is.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unsized takes a body of unknown length. One that ends within smallBody gets
// a Content-Length, a longer one is chunked.
func (t *Transport) unsized(m *message, req *http.Request, r *Route) error {
	body := t.buffers.get()
	defer t.buffers.put(body)
	ended, err := readSmall(body, req.Body)
	if err != nil {
		return &BodyError{Delivery: problem.NotSent, Err: err}
	}
	length := int64(len(*body))
	switch {
	case !ended:
		length = chunked
	case length == 0:
		length = emptyLength(req.Method)
	}
	if err := m.head(req, r, length); err != nil {
		return err
	}
	if ended {
		*m.buf = append(*m.buf, *body...)
		return nil
	}
	m.rest, m.left = req.Body, -1
	*m.buf = appendChunk(*m.buf, *body)
	return nil
}

// readSmall reads body until its end or, at least, smallBody.
func readSmall(b *[]byte, body io.Reader) (ended bool, err error) {
	buf := (*b)[:0]
	defer func() { *b = buf }()
	for len(buf) < smallBody {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, len(buf))
		}
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
	}
	return false, nil
}

// appendChunk appends b as one chunk (RFC 9112 7.1).
func appendChunk(dst, b []byte) []byte {
	dst = strconv.AppendInt(dst, int64(len(b)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, b...)
	return append(dst, "\r\n"...)
}
