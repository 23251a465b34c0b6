package http1

import "net/http"

// Response is the answer to the request being served. It implements
// http.ResponseWriter, http.Flusher and http.Hijacker.
//
// An answer that declares its Content-Length is sent in one write if it fits 64
// KiB, and as it is written if not. A body without a length is chunked or, on
// HTTP/1.0, ends with the connection. An answer with neither a length nor a body is
// declared empty. The Response sets Connection and Transfer-Encoding itself, and Date
// if the header lacks it.
//
// Like the Request, it is reused, and a handler must not keep it.
type Response struct {
	c      *Conn
	own    http.Header // for handlers that set fields one by one; reused
	header http.Header

	status  int
	reason  string // the reason phrase; "" means the one of RFC 9110
	length  int64  // declared length, or unknownLength
	written int64  // body bytes accepted
	out     []byte // borrowed: bytes waiting to be written
	early   []byte // see Early
	err     error  // from the first failed write

	noBody   bool // only a head: HEAD, 204, 304 or length 0
	framed   bool // the head is complete in out, or written
	sent     bool // writing to the connection was at least tried
	chunked  bool
	closes   bool // the connection ends after this answer
	aborted  bool
	hijacked bool
}

const unknownLength = -1

// Header returns the fields of the answer. Changes after WriteHeader have no
// effect.
func (w *Response) Header() http.Header {
	if w.header == nil {
		if w.own == nil {
			w.own = make(http.Header)
		}
		w.header = w.own
	}
	return w.header
}

// SetHeader replaces the fields of the answer with h, which is not copied. The
// Response does not modify h.
func (w *Response) SetHeader(h http.Header) { w.header = h }

// SetReason sets the reason phrase (RFC 9112 section 4). text must be printable
// ASCII. Some programs show nothing else of an answer.
func (w *Response) SetReason(text string) { w.reason = text }

// Status returns the status that was written, or 0.
func (w *Response) Status() int { return w.status }

// Written returns how many bytes of the body were accepted so far. For an answer to
// HEAD it is 0.
func (w *Response) Written() int64 { return w.written }

// Err returns the first error of writing to the connection.
func (w *Response) Err() error { return w.err }

// CloseAfter ends the connection after this answer. If the head is not written yet,
// it will say so.
func (w *Response) CloseAfter() { w.closes = true }

// Abort breaks off the answer: bytes not yet written are dropped, and Serve returns
// Reset.
func (w *Response) Abort() { w.aborted = true }

// Restart discards the answer, so another one can be given. It reports false if the
// caller may have received a byte of it.
func (w *Response) Restart() bool {
	if w.sent || w.aborted || w.hijacked {
		return false
	}
	closes := w.closes
	w.release()
	w.closes = closes
	return true
}

// WriteHeader begins the answer. It ignores a status below 200, and a second call.
func (w *Response) WriteHeader(status int) {
	if w.status != 0 || status < 200 || w.hijacked {
		return
	}
	w.status = status
	head := w.c.req.Method == http.MethodHead
	never := status == http.StatusNoContent || status == http.StatusNotModified
	w.noBody = head || never
	w.out = w.c.options.Buffers.Get(0)[:0]
	w.appendHead(never)
	switch {
	case w.length == 0:
		w.noBody = true
		fallthrough
	case w.noBody:
		w.frame()
		w.flush()
	case w.length > 0:
		w.frame()
	}
}

// Write writes a part of the body. It returns http.ErrContentLength for more than
// the declared length, and http.ErrBodyNotAllowed if the status allows no body.
func (w *Response) Write(p []byte) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.err != nil:
		return 0, w.err
	case len(p) == 0:
		return 0, nil
	case w.c.req.Method == http.MethodHead:
		return len(p), nil
	case w.length == 0:
		return 0, http.ErrContentLength
	case w.noBody:
		return 0, http.ErrBodyNotAllowed
	case w.length > 0:
		return w.writeSized(p)
	}
	if !w.framed {
		w.frame()
	}
	if w.chunked {
		w.appendChunks(p)
	} else {
		w.append(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.written += int64(len(p))
	return len(p), nil
}

// writeSized writes a part of a body of declared length. It holds the part if the
// whole answer fits a large buffer.
func (w *Response) writeSized(p []byte) (int, error) {
	var tooMuch error
	if rest := w.length - w.written; int64(len(p)) > rest {
		p, tooMuch = p[:rest], http.ErrContentLength
	}
	if int64(len(w.out))+w.length-w.written <= largeBuffer {
		w.append(p)
	} else {
		w.writeThrough(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.written += int64(len(p))
	if w.written == w.length {
		w.flush()
	}
	if w.err != nil {
		return len(p), w.err
	}
	return len(p), tooMuch
}

// append adds p to the waiting bytes. If p does not fit, it writes both.
func (w *Response) append(p []byte) {
	if len(w.out)+len(p) > largeBuffer {
		w.writeThrough(p)
		return
	}
	w.reserve(len(p))
	w.out = append(w.out, p...)
}

// writeThrough fills up the buffer of waiting bytes from p and writes it, then
// writes the rest of p directly.
func (w *Response) writeThrough(p []byte) {
	if len(w.out) > 0 {
		n := min(len(p), cap(w.out)-len(w.out))
		w.out = append(w.out, p[:n]...)
		w.flush()
		p = p[n:]
	}
	w.write(p)
}

// write writes p unless a write has failed or the answer was aborted.
func (w *Response) write(p []byte) {
	if len(p) > 0 && w.err == nil && !w.aborted {
		w.sent = true
		w.err = w.c.write(p)
	}
}

// chunkFraming is the most bytes that the framing of a chunk takes.
const chunkFraming = len("10000\r\n\r\n")

// appendChunks adds p in chunks, and flushes whenever the buffer is full.
func (w *Response) appendChunks(p []byte) {
	for len(p) > 0 && w.err == nil {
		room := largeBuffer - len(w.out) - chunkFraming
		if room <= 0 {
			w.flush()
			continue
		}
		n := min(len(p), room)
		w.reserve(n + chunkFraming)
		w.out = AppendChunk(w.out, p[:n])
		p = p[n:]
	}
}

// reserve makes room for n more bytes in out, moving to a larger buffer if needed.
func (w *Response) reserve(n int) {
	if len(w.out)+n <= cap(w.out) {
		return
	}
	larger := append(w.c.options.Buffers.Get(len(w.out) + n)[:0], w.out...)
	w.c.options.Buffers.Put(w.out)
	w.out = larger
}

// Flush is FlushError without the error.
func (w *Response) Flush() { _ = w.FlushError() }

// FlushError writes everything held and returns the first error of writing.
func (w *Response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		w.frame()
	}
	w.flush()
	return w.err
}

// flush writes the waiting bytes.
func (w *Response) flush() {
	w.write(w.out)
	w.out = w.out[:0]
}

// finish completes the answer after the handler has returned. It reports whether
// the whole answer was written.
func (w *Response) finish() bool {
	if w.aborted {
		return false
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		w.length = 0
		w.frame()
	}
	if w.chunked {
		w.reserve(len(LastChunk))
		w.out = append(w.out, LastChunk...)
	}
	if !w.noBody && w.length != unknownLength && w.written < w.length {
		return false
	}
	w.flush()
	return w.err == nil
}

// release returns borrowed buffers to the pool, and makes w ready for another answer.
func (w *Response) release() {
	if w.out != nil {
		w.c.options.Buffers.Put(w.out)
	}
	clear(w.own)
	*w = Response{c: w.c, own: w.own, length: unknownLength}
}
