package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
)

const (
	// maxResponseHead bounds the answer's head, interim answers included.
	maxResponseHead = 256 << 10
	// maxInterim bounds the 1xx answers before the final one (RFC 9110 section
	// 15.2).
	maxInterim = 8
	// abandonAfter is how long an answer is waited for when the request could
	// not be written whole.
	abandonAfter = 500 * time.Millisecond
)

// exchange writes a request that is wholly in its buffer, and reads the head
// of the answer, on the calling goroutine.
func (x *trip) exchange(m *message, req *http.Request) (*http.Response, error) {
	c := x.c
	c.SetDeadline(time.Now().Add(x.s.opts.ResponseTimeout))
	_, werr := c.Write(*m.buf)
	if werr != nil && c.Sent() == 0 {
		return nil, x.notWritten(werr)
	}
	x.ex.Delivery = problem.Unknown
	m.release()
	wrote := x.s.now()
	if werr != nil { // the answer may have come before all was written
		x.keep = false
		c.SetReadDeadline(time.Now().Add(abandonAfter))
	}
	resp, first, err := x.readHead(req)
	if err != nil {
		if werr != nil {
			err = werr
		}
		return nil, x.failure(err)
	}
	x.observe(first.Sub(wrote))
	return resp, nil
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
func (x *trip) readHead(req *http.Request) (*http.Response, time.Time, error) {
	var first time.Time
	br := x.c.Reader
	for range maxInterim {
		if _, err := br.Peek(1); err != nil {
			return nil, first, err
		}
		if first.IsZero() {
			first = x.s.now()
		}
		if resp := readOrdinary(br, req, x.ex.Memory); resp != nil {
			return resp, first, nil
		}
		resp, err := http.ReadResponse(br, req)
		switch {
		case err != nil && x.c.Err != nil:
			return nil, first, x.c.Err
		case err != nil, resp.ProtoMajor != 1, resp.StatusCode < 100:
			return nil, first, errMalformed
		case resp.StatusCode >= 200:
			return resp, first, nil
		case resp.StatusCode == http.StatusSwitchingProtocols:
			return nil, first, errInterim
		}
	}
	return nil, first, errInterim
}

// failure judges what went wrong after bytes of the request were written.
func (x *trip) failure(err error) *Error {
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case x.c.Interrupted():
		return unknown(problem.Timeout, errDraining)
	case errors.Is(err, dial.ErrTooMuch):
		return unknown(problem.Protocol, errHeadSize)
	case errors.Is(err, errMalformed), errors.Is(err, errInterim):
		return unknown(problem.Protocol, err)
	case timedOut(err):
		return unknown(problem.Timeout, err)
	case errors.Is(err, errTruncated):
		return unknown(problem.Reset, err)
	case ended(err):
		return unknown(problem.Reset, errNoAnswer)
	case errors.As(err, &record), errors.As(err, &op) && op.Op == "local error": // TLS records that make no sense
		return unknown(problem.Protocol, err)
	default:
		return unknown(problem.Reset, err)
	}
}
