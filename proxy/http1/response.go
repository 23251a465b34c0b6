package http1

import "net/http"

// Response is the answer to the request being served. It implements
// http.ResponseWriter, http.Flusher and http.Hijacker.
//
// An answer that declares its Content-Length goes out in one write if it fits
// 64 KiB, as soon as it is whole; a larger one goes out as it is written.
// Without a length, up to 4 KiB are held until the handler returns or flushes;
// more is chunked, or on HTTP/1.0 ended by the end of the connection. Date is
// added unless the header has it. Connection and Transfer-Encoding are the
// Response's own.
//
// Like the Request it is reused, and nothing may keep it.
type Response struct {
	c      *Conn
	own    http.Header // for handlers that fill in fields one by one
	header http.Header

	status  int
	reason  string // the reason phrase; "" = that of RFC 9110
	length  int64  // declared; unknownLength without one
	written int64  // body bytes accepted
	out     []byte // borrowed: what waits to be written
	held    []byte // borrowed: the body, while its length is unknown
	err     error  // of the first write that failed

	noBody   bool // HEAD, 204 and 304: the head is all
	framed   bool // the head is complete in out, or written
	sent     bool // a byte was written to the connection, or it was tried
	chunked  bool
	closes   bool // the connection ends after this answer
	aborted  bool
	hijacked bool
}

const unknownLength = -1

func (w *Response) begin() { *w = Response{c: w.c, own: w.own, length: unknownLength} }

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

// SetHeader makes h the fields of the answer, in place of all that were set,
// without copying it. It is not changed.
func (w *Response) SetHeader(h http.Header) { w.header = h }

// SetReason makes text the reason phrase (RFC 9112 section 4): printable ASCII.
// Programs that show nothing else of an answer show that.
func (w *Response) SetReason(text string) { w.reason = text }

// Status is the status that was written, 0 before.
func (w *Response) Status() int { return w.status }

// Written is how many bytes of body were accepted so far. That of an answer to
// HEAD is none.
func (w *Response) Written() int64 { return w.written }

// Err is the first error of writing to the connection.
func (w *Response) Err() error { return w.err }

// CloseAfter ends the connection after this answer, and says so in it if its
// head is not written yet.
func (w *Response) CloseAfter() { w.closes = true }

// Abort says that the answer broke off: what is held of it is dropped, and
// Serve ends with Reset.
func (w *Response) Abort() { w.aborted = true }

// Restart forgets the answer, so that another one can be given. It reports false if
// the caller may have got a byte of it.
func (w *Response) Restart() bool {
	if w.sent || w.aborted || w.hijacked {
		return false
	}
	closes := w.closes
	w.release()
	w.begin()
	w.closes = closes
	return true
}

// WriteHeader begins the answer. A status below 200 is ignored, and so is a
// second call.
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

// Write writes a part of the body. More than the declared length gives
// http.ErrContentLength, a body where none may be http.ErrBodyNotAllowed.
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
	if !w.framed && !w.hold(p) {
		w.frame()
	}
	switch {
	case !w.framed:
	case w.chunked:
		w.appendChunks(p)
	default:
		w.append(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	w.written += int64(len(p))
	return len(p), nil
}

// writeSized writes a part of a body of declared length: held while the whole
// answer fits a buffer, at once otherwise.
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

// append adds p to what waits to be written. What does not fit is written.
func (w *Response) append(p []byte) {
	if len(w.out)+len(p) > largeBuffer {
		w.writeThrough(p)
		return
	}
	w.reserve(len(p))
	w.out = append(w.out, p...)
}

// writeThrough writes what waits, filled up with the beginning of p, and then
// the rest of p as it is.
func (w *Response) writeThrough(p []byte) {
	if len(w.out) > 0 {
		n := min(len(p), cap(w.out)-len(w.out))
		w.out = append(w.out, p[:n]...)
		w.flush()
		p = p[n:]
	}
	w.write(p)
}

// write writes to the connection.
func (w *Response) write(p []byte) {
	if len(p) > 0 && w.err == nil && !w.aborted {
		w.sent = true
		_, w.err = w.c.write(p)
	}
}

// chunkFraming is how much a chunk's framing takes at most, in bytes.
const chunkFraming = len("10000\r\n\r\n")

// appendChunks adds p in chunks, writing whenever a buffer is full.
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

// hold keeps p while the answer's length may still become known. It reports
// whether there was room.
func (w *Response) hold(p []byte) bool {
	if len(w.held)+len(p) > smallBuffer {
		return false
	}
	if w.held == nil {
		w.held = w.c.options.Buffers.Get(0)[:0]
	}
	w.held = append(w.held, p...)
	return true
}

// reserve makes room for n more bytes in out, in a large buffer if need be.
func (w *Response) reserve(n int) {
	if len(w.out)+n <= cap(w.out) {
		return
	}
	larger := append(w.c.options.Buffers.Get(len(w.out) + n)[:0], w.out...)
	w.c.options.Buffers.Put(w.out)
	w.out = larger
}

// Flush is FlushError without a result.
func (w *Response) Flush() { _ = w.FlushError() }

// FlushError writes all that was held and returns the first error of writing.
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

// flush writes what waits.
func (w *Response) flush() {
	w.write(w.out)
	w.out = w.out[:0]
}

// finish completes the answer after the handler's return. It reports whether
// the caller got it whole.
func (w *Response) finish() bool {
	if w.aborted {
		return false
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.framed {
		w.length = int64(len(w.held))
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

// release gives borrowed memory back.
func (w *Response) release() {
	for _, b := range [...][]byte{w.out, w.held} {
		if b != nil {
			w.c.options.Buffers.Put(b)
		}
	}
	clear(w.own)
	*w = Response{c: w.c, own: w.own}
}
