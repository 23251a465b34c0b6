package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"time"
)

// Hijack implements http.Hijacker. It hands the connection to the handler, without
// deadlines. The reader returns the bytes that arrived with the head first, such as a
// ClientHello sent together with CONNECT; Early returns them too.
//
// Hijack fails if an answer has begun or the request has a body.
func (w *Response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked || w.status != 0 || w.c.req.body != nil {
		return nil, nil, errHijack
	}
	w.early = slices.Clone(w.c.unread())
	w.takeOver()
	nc := w.c.nc
	const least = 16 // bytes, bufio's minimum
	r := io.MultiReader(bytes.NewReader(w.early), nc)
	return nc, bufio.NewReadWriter(bufio.NewReaderSize(r, least), bufio.NewWriterSize(nc, least)), nil
}

// Early returns the bytes that arrived with the head of a request whose connection was
// hijacked.
func (w *Response) Early() []byte { return w.early }

// Unread takes over the connection like Hijack, as if the request had not been
// read: it returns every byte of the request and everything that arrived with it.
// Call it before any other use of w or the request's body.
func (w *Response) Unread() []byte {
	c := w.c
	head := c.req.raw
	if c.req.Refusal != nil {
		head = "" // still in the buffer
	}
	early := make([]byte, 0, len(c.skipped)+len(head)+len(c.unread()))
	early = append(append(append(early, c.skipped...), head...), c.unread()...)
	w.takeOver()
	return early
}

func (w *Response) takeOver() {
	w.hijacked = true
	w.c.release()
	_ = w.c.nc.SetDeadline(time.Time{})
}

var errHijack = errors.New("the connection cannot be hijacked at this point")
