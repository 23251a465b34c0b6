package upstream

import (
	"errors"
	"io"
	"net/http"
	"slices"

	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
)

// smallBody is the largest request body, in bytes, that is read completely before
// anything is sent. It is sent with the head, and can be sent on another connection
// if none of it was written.
const smallBody = 64 << 10

// message is a request that is ready to be written.
type message struct {
	buffers *http1.Buffers
	buf     []byte    // head, and body or its beginning; nil once it is no longer needed
	rest    io.Reader // the rest of a large body; nil = buf is everything
	left    int64     // bytes of rest; < 0 = unknown: chunked
}

// prepare builds the message and decides its framing: from the declared length if
// there is one, else by reading up to smallBody. The error is an *Error or a
// *BodyError; nothing was sent.
func prepare(req *http.Request, r *Route, target string) (message, error) {
	m := message{buffers: r.snapshot.buffers}
	var err error
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		err = m.head(req, r, target, emptyLength(req.Method), 0)
	case req.ContentLength > 0:
		err = m.sized(req, r, target)
	default:
		err = m.unsized(req, r, target)
	}
	if err != nil {
		m.release()
	}
	return m, err
}

// mostBeside is the largest body, in bytes, that is copied after a head into memory
// that is not counted.
const mostBeside = 4 << 10

// fitsSmall reports whether the message needs no large buffer.
func fitsSmall(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.ContentLength > 0 && req.ContentLength <= mostBeside
}

// release returns the buffer to its pool.
func (m *message) release() {
	m.buffers.Put(m.buf)
	m.buf = nil
}

// emptyLength returns the framing of a request without a body. Methods that normally
// have one say that it is empty (RFC 9110 section 8.6).
func emptyLength(method string) int64 {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		return 0
	default:
		return http1.NoLength
	}
}

// head begins the message; n bytes of body will follow it in the buffer.
func (m *message) head(req *http.Request, r *Route, target string, length int64, n int) (err error) {
	if n <= mostBeside {
		n = 0 // most fit a small buffer, which grows for the others
	}
	buf := m.buffers.Get(n)[:0]
	if d := r.snapshot.dialer; d.Forwards(r.target) {
		m.buf, err = http1.AppendForward(buf, req, r.HostHeader, target, d.Parent.Authorization(), length)
	} else {
		m.buf, err = http1.AppendRequest(buf, req, r.HostHeader, target, length)
	}
	if err != nil {
		return notSent(problem.Malformed, err)
	}
	return nil
}

// sized adds a body of a declared length, or its beginning.
func (m *message) sized(req *http.Request, r *Route, target string) error {
	now := int(min(req.ContentLength, smallBody))
	if err := m.head(req, r, target, req.ContentLength, now); err != nil {
		return err
	}
	at := len(m.buf)
	m.buf = slices.Grow(m.buf, now)[:at+now]
	if _, err := io.ReadFull(req.Body, m.buf[at:]); err != nil {
		return &BodyError{Delivery: problem.NotSent, Err: short(err)}
	}
	if m.left = req.ContentLength - int64(now); m.left > 0 {
		m.rest = req.Body
	}
	return nil
}

// short turns an end of the body before its declared end into io.ErrUnexpectedEOF.
func short(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unsized adds a body of unknown length. One that ends within smallBody gets a
// Content-Length; a longer one is chunked.
func (m *message) unsized(req *http.Request, r *Route, target string) error {
	body := m.buffers.Get(smallBody)
	defer m.buffers.Put(body)
	n, ended, err := readUpTo(body, req.Body)
	switch {
	case err != nil:
		return &BodyError{Delivery: problem.NotSent, Err: err}
	case !ended:
		if err := m.head(req, r, target, http1.ChunkedLength, smallBody); err != nil {
			return err
		}
		m.rest, m.left = req.Body, -1
		m.buf = http1.AppendChunk(m.buf, body)
		return nil
	}
	length := int64(n)
	if n == 0 {
		length = emptyLength(req.Method)
	}
	if err := m.head(req, r, target, length, n); err != nil {
		return err
	}
	m.buf = append(m.buf, body[:n]...)
	return nil
}

// readUpTo fills b, or reads the whole body if that is shorter.
func readUpTo(b []byte, body io.Reader) (n int, ended bool, err error) {
	for n < len(b) {
		k, err := body.Read(b[n:])
		n += k
		switch {
		case err == io.EOF:
			return n, true, nil
		case err != nil:
			return n, false, err
		}
	}
	return n, false, nil
}
