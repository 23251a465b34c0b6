package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
)

const (
	// maxInterim bounds the 1xx answers before the final one (RFC 9110 section
	// 15.2).
	maxInterim = 8
	// abandonAfter is how long an answer is waited for when the request could
	// not be written whole.
	abandonAfter = 500 * time.Millisecond
)

// exchange writes a request that is wholly in its buffer, and reads the head
// of the answer, on the calling goroutine.
func (x *trip) exchange(m *message, method string) error {
	c := x.c
	c.SetDeadline(time.Now().Add(x.s.opts.ResponseTimeout))
	_, werr := c.Write(m.buf)
	if werr != nil && c.Sent() == 0 {
		return x.notWritten(werr)
	}
	x.ex.Delivery = problem.Unknown
	m.release()
	wrote := x.s.now()
	if werr != nil { // the answer may have come before all was written
		x.keep = false
		c.SetReadDeadline(time.Now().Add(abandonAfter))
	}
	first, err := x.readHead(method)
	if err != nil {
		if werr != nil {
			err = werr
		}
		return x.failure(err)
	}
	x.observe(first.Sub(wrote))
	return nil
}

// observe tells how long after its request's last byte an answer came.
func (x *trip) observe(firstByte time.Duration) {
	x.s.opts.Observer.Phase(x.r.Label, dial.PhaseFirstByte, max(firstByte, 0))
}

// notWritten judges a write of which the kernel took not a byte.
func (x *trip) notWritten(err error) *Error {
	switch {
	case x.c.Interrupted():
		return notSent(problem.Draining, errDraining)
	case timedOut(err):
		return notSent(problem.Timeout, err)
	default:
		return notSent(problem.Reset, err)
	}
}

// readHead reads the head of the final answer and says when its first byte
// was there.
func (x *trip) readHead(method string) (first time.Time, err error) {
	br, a := x.c.Reader, &x.memory.answer
	x.c.Stall(0)
	a.Reset()
	for range maxInterim {
		if _, err := br.Peek(1); err != nil {
			return first, err
		}
		if first.IsZero() {
			first = x.s.now()
		}
		switch err := http1.ReadAnswer(br, method, a); {
		case err != nil, a.StatusCode >= 200:
			return first, err
		case a.StatusCode == http.StatusSwitchingProtocols:
			return first, errInterim
		}
	}
	return first, errInterim
}

// failure judges what went wrong after bytes of the request were written.
func (x *trip) failure(err error) *Error {
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case x.c.Interrupted():
		return unknown(problem.Timeout, errDraining)
	case timedOut(err):
		return unknown(problem.Timeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unknown(problem.Reset, errNoAnswer)
	case errors.Is(err, http1.ErrMalformed), errors.Is(err, http1.ErrHeadTooLarge), errors.Is(err, errInterim),
		errors.As(err, &record), errors.As(err, &op) && op.Op == "local error": // TLS records that make no sense
		return unknown(problem.Protocol, err)
	default:
		return unknown(problem.Reset, err)
	}
}
