package http1

import (
	"bufio"
	"errors"
	"net"
	"time"
)

// Hijack implements http.Hijacker: the connection is the handler's from now on,
// without deadlines. Bytes that came with the head, such as a ClientHello sent
// together with CONNECT, are read first. What is returned has CloseWrite,
// NetConn and Buffered; the ReadWriter holds no bytes.
//
// It fails once an answer has begun, and where the request has a body.
func (w *Response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked || w.status != 0 || w.c.req.body != nil {
		return nil, nil, errHijack
	}
	w.hijacked = true
	c := w.c
	h := &hijacked{Conn: c.nc}
	if c.r < c.w {
		h.first = append(h.first, c.unread()...)
	}
	c.release()
	_ = c.nc.SetDeadline(time.Time{})
	const least = 16 // bytes, the least that bufio takes
	return h, bufio.NewReadWriter(bufio.NewReaderSize(h, least), bufio.NewWriterSize(h, least)), nil
}

// Unread takes the connection over as Hijack does, with its request unread: it
// returns every byte that was read of it and what came with it. Nothing else may
// have been done with w, or with the request's body.
func (w *Response) Unread() []byte {
	w.hijacked = true
	c := w.c
	head := c.req.raw
	if c.req.Refusal != nil {
		head = "" // it is not read yet
	}
	early := make([]byte, 0, len(c.skipped)+len(head)+len(c.unread()))
	early = append(append(append(early, c.skipped...), head...), c.unread()...)
	c.release()
	_ = c.nc.SetDeadline(time.Time{})
	return early
}

var errHijack = errors.New("the connection cannot be hijacked at this point")

// hijacked is a connection and the bytes that were read from it too early.
type hijacked struct {
	net.Conn
	first []byte
}

func (h *hijacked) Read(p []byte) (int, error) {
	if len(h.first) > 0 {
		n := copy(p, h.first)
		if h.first = h.first[n:]; len(h.first) == 0 {
			h.first = nil
		}
		return n, nil
	}
	return h.Conn.Read(p)
}

// Buffered is how many bytes are read before those of the connection beneath.
func (h *hijacked) Buffered() int { return len(h.first) }

// NetConn returns the connection beneath, which may be used instead once
// Buffered is 0.
func (h *hijacked) NetConn() net.Conn { return h.Conn }

// CloseWrite ends our side of the connection: FIN, after a close_notify on TLS.
func (h *hijacked) CloseWrite() error {
	if cw, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}
