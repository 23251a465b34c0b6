package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"tlslift/proxy/budget"
	"tlslift/proxy/call"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/pool"
)

// abandonAfter is how long an answer is awaited if the request could not be written
// completely.
const abandonAfter = 500 * time.Millisecond

// trip is one request on one connection. It owns the connection until end.
type trip struct {
	lease
	s      *Snapshot // the route's
	ex     *Exchange
	memory *Memory
	keep   bool // the connection may be reused, as far as is known
}

// try sends the request on one connection.
func try(ctx context.Context, m *message, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	ex.Reused, ex.TLSVersion = false, 0 // from an earlier attempt
	l, err := ex.Owned.get(ctx, r)
	if err != nil {
		return nil, err
	}
	if m.rest != nil && l.p != nil && !l.p.Reserve(l.c) {
		ex.Owned.giveBack(l)
		return nil, errUploads
	}
	if err := reserve(ex.Share, l.c); err != nil {
		ex.Owned.giveBack(l)
		return nil, err
	}
	if ex.Caller.Gone() {
		ex.Owned.put(l)
		return nil, errCallerGone
	}
	ex.Reused, ex.TLSVersion = l.c.Used, l.c.Version
	x := trip{lease: l, s: r.snapshot, ex: ex, memory: ex.Memory, keep: true}
	x.c.Signed = x.c.Signed || signsIn(req.Header["Authorization"])
	return x.run(ctx, m, req)
}

// memoryTimeout is how long a request waits for the memory that it must own
// before it is sent.
const memoryTimeout = time.Second

// reserve gets the memory that a request needs to be sent on c. It does so only now:
// a request that waits for a connection holds as little as possible.
func reserve(share *budget.Share, c *pool.Conn) error {
	switch {
	case share.Reserve(0):
		return nil
	case !share.Reserve(memoryTimeout):
		return errNoMemory
	case !c.Reusable(): // it has ended meanwhile
		return pool.ErrEnded
	default:
		return nil
	}
}

// run sends the request and reads the answer.
func (x *trip) run(ctx context.Context, m *message, req *http.Request) (*http.Response, error) {
	x.c.Used = true
	if !x.c.Begin(ctx) {
		x.end(false)
		return nil, errDraining
	}
	send := x.exchange
	if m.rest != nil {
		send = x.exchangeLarge
	}
	if err := send(m, req.Method); err != nil {
		x.end(false)
		return nil, err
	}
	if x.memory.answer.StatusCode == http.StatusProxyAuthRequired && x.s.dialer.Forwards(x.r.target) {
		x.end(false)
		return nil, notSent(problem.ParentProxy, errParentRefused)
	}
	resp, err := x.receive()
	if err != nil {
		return nil, err
	}
	resp.Request = req
	return resp, nil
}

// end gives the connection back for reuse, if everything that is known about it
// allows that. Otherwise it discards the connection.
func (x *trip) end(reuse bool) {
	if interrupted := x.c.End(); reuse && x.keep && !interrupted && x.c.Clean() {
		x.ex.Owned.put(x.lease)
	} else {
		x.discard()
	}
}

// exchange writes a request that is completely in its buffer, and reads the head of
// the answer.
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
	if werr != nil { // the answer may have come before everything was written
		x.keep = false
		c.SetReadDeadline(time.Now().Add(abandonAfter))
	}
	first, err := x.readHead(method)
	if err != nil {
		if werr != nil && !brokenAnswer(err) {
			err = werr
		}
		return x.failure(err)
	}
	x.observe(first.Sub(wrote))
	return nil
}

// observe records how long after its request's last byte an answer came.
func (x *trip) observe(firstByte time.Duration) {
	x.s.opts.Observer.Phase(x.r.Label, call.PhaseFirstByte, max(firstByte, 0))
}

// notWritten returns the error for a write if the kernel accepted none of its bytes.
func (x *trip) notWritten(err error) *Error {
	switch {
	case x.c.Interrupted():
		return errDraining
	case timedOut(err):
		return notSent(problem.Timeout, err)
	default:
		return notSent(problem.Reset, err)
	}
}

// readHead reads the head of the final answer, and returns when its first byte
// arrived.
func (x *trip) readHead(method string) (first time.Time, err error) {
	br, a := x.c.Reader, &x.memory.answer
	x.c.Stall = 0
	a.Reset()
	if _, err := br.Peek(1); err != nil {
		return first, err
	}
	return x.s.now(), http1.ReadFinalAnswer(br, method, a)
}

// failure returns the error for a failure after bytes of the request were written.
func (x *trip) failure(err error) *Error {
	switch {
	case x.c.Interrupted():
		return unknown(problem.Timeout, errCut)
	case timedOut(err):
		return unknown(problem.Timeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unknown(problem.Reset, errNoAnswer)
	case brokenAnswer(err):
		return unknown(problem.Protocol, err)
	default:
		return unknown(problem.Reset, err)
	}
}

// brokenAnswer reports whether err is about what arrived of an answer: it is not
// HTTP, or its TLS records are invalid.
func brokenAnswer(err error) bool {
	var record tls.RecordHeaderError
	var op *net.OpError
	return errors.Is(err, http1.ErrMalformed) || errors.Is(err, http1.ErrHeadTooLarge) || errors.Is(err, http1.ErrInterim) ||
		errors.As(err, &record) || errors.As(err, &op) && op.Op == "local error"
}
