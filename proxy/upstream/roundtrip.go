package upstream

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"tlslift/proxy/problem"
)

// maxInterim bounds the 1xx answers before the final one (RFC 9110 15.2).
const maxInterim = 8

// exchange writes a request that is wholly in its buffer, and reads the head
// of the answer, on the calling goroutine.
func (c *conn) exchange(m *message, req *http.Request, ex *Exchange, o *Options) (*http.Response, error) {
	t := c.pool.t
	c.extend(t.now(), o.ResponseTimeout)
	_, werr := c.rw.Write(*m.buf)
	if werr != nil && c.sock.sent.Load() == 0 {
		return nil, c.notWritten(werr)
	}
	ex.Delivery, ex.BytesOut = problem.Unknown, m.inBuf
	t.buffers.put(m.buf)
	wrote := t.now()
	if werr != nil { // the answer may have come before all was written
		c.lose()
		c.limit(c.sock.SetReadDeadline, wrote.Add(abandonAfter))
	}
	resp, first, err := c.readHead(req, ex)
	if err != nil {
		if werr != nil {
			err = werr
		}
		return nil, c.failure(err)
	}
	ex.FirstByte = first.Sub(wrote)
	return resp, nil
}

// notWritten judges a write of which the kernel took not a byte.
func (c *conn) notWritten(err error) *Error {
	switch {
	case c.isCancelled():
		return notSent(problem.Draining, errDraining)
	case timedOut(err):
		return notSent(problem.Timeout, err)
	default:
		return notSent(problem.Reset, err)
	}
}

// readHead reads the head of the final answer and says when its first byte
// was there.
func (c *conn) readHead(req *http.Request, ex *Exchange) (*http.Response, time.Time, error) {
	var first time.Time
	for range maxInterim {
		if _, err := c.br.Peek(1); err != nil {
			return nil, first, err
		}
		if first.IsZero() {
			first = c.pool.t.now()
		}
		if resp := readOrdinary(c.br, req, ex.Memory); resp != nil {
			return resp, first, nil
		}
		resp, err := http.ReadResponse(c.br, req)
		switch {
		case err != nil && c.readErr != nil:
			return nil, first, c.readErr
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
func (c *conn) failure(err error) *Error {
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case c.isCancelled():
		return unknown(problem.Timeout, errDraining)
	case errors.Is(err, errMalformed), errors.Is(err, errInterim), errors.Is(err, errHeadSize):
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
