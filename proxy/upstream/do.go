package upstream

import (
	"context"
	"errors"
	"net/http"

	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/pool"
)

// Exchange is what one round trip needs to know, and what it finds out. It
// belongs to the caller of Do until the response's body is closed; it is not
// safe for concurrent use.
type Exchange struct {
	// Target is the raw request target in origin form, sent byte for byte
	// (RFC 9112 section 3.2.1).
	Target string
	// AbortBody, if set, makes a Read of the request's body that is blocked
	// return at once. It is called when the exchange is over before the body
	// was sent; Do then returns only after the last Read of the body. Without
	// it one Read may still be going on when Do returns.
	AbortBody func()
	// Memory, if set, is what the answer is kept in, its Header and Body
	// included.
	Memory *Memory

	// Delivery is the word for this request. With a streamed answer it is
	// Answered only after Body.Read has returned io.EOF.
	Delivery   problem.Delivery
	TLSVersion uint16 // of the connection; 0 = no TLS
	Reused     bool   // the connection had served a request before
}

// Memory is what an answer is kept in. It may serve one exchange after the
// other, each when nothing of the answer before is used any more: Reset says
// so. The zero Memory is ready for use.
type Memory struct {
	answer http1.Answer
	held   heldBody
}

// Reset forgets the answer.
func (m *Memory) Reset() {
	m.answer.Reset()
	m.held = heldBody{}
}

// fail notes a failure.
func (ex *Exchange) fail(e *Error) *Error {
	ex.Delivery = e.Delivery
	return e
}

// maxAttempts bounds the connections that one request is tried on while not a
// byte of it was written.
const maxAttempts = 3

// Do sends req on the route r and returns the answer, whatever its status. The
// request is written to one connection; see the package's comment for when
// another one is tried.
//
// Of req the method, the headers, the body and its length are used. Hop-by-hop
// headers must have been removed; Host is the route's, framing is Do's own.
// The body is not closed. Up to 64 KiB of it are read before anything is sent;
// of a longer one, the rest is read by another goroutine (Exchange.AbortBody).
//
// ctx is the server's, not the caller's: its end cuts off what is under way.
//
// The error is an *Error or a *BodyError. The response's body must be closed.
// A Read of a streamed body may return an *Error: then the caller must abort
// its own connection.
func (t *Transport) Do(ctx context.Context, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, ex.fail(notSent(problem.Draining, errDraining))
	}
	m, err := r.snapshot.prepare(req, r, ex.Target)
	if err != nil {
		return nil, ex.failed(err)
	}
	start := t.now()
	for attempt := 1; ; attempt++ {
		resp, err := t.try(ctx, &m, req, r, ex)
		if err == nil {
			return resp, nil
		}
		if !again(err) || attempt == maxAttempts || t.now().Sub(start) > r.snapshot.opts.DialTimeout {
			m.release()
			return nil, ex.failed(err)
		}
	}
}

// again reports whether a request may be tried on another connection: the one
// it was tried on was dead, and took not a byte.
func again(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Delivery == problem.NotSent && e.Reason == problem.Reset
}

// failed notes a failure. A *BodyError is none of the upstream's.
func (ex *Exchange) failed(err error) error {
	var be *BodyError
	if errors.As(err, &be) {
		ex.Delivery = be.Delivery
		return be
	}
	return ex.fail(asError(err))
}

// try sends the request on one connection.
func (t *Transport) try(ctx context.Context, m *message, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	p := r.connections()
	c, err := p.Get(ctx)
	if err != nil {
		return nil, asError(err)
	}
	ex.Reused, ex.TLSVersion = c.Used, c.Version
	x := trip{r: r, s: r.snapshot, p: p, c: c, ex: ex, memory: ex.Memory, keep: true}
	if x.memory == nil {
		x.memory = new(Memory)
	}
	return x.run(ctx, m, req)
}

// trip is one request on one connection, which it owns until it gives it back.
type trip struct {
	r      *Route
	s      *Snapshot // the route's
	p      *pool.Pool
	c      *pool.Conn
	ex     *Exchange
	memory *Memory
	keep   bool // the connection may be used again, as far as is known
}

// run sends the request and reads the answer.
func (x *trip) run(ctx context.Context, m *message, req *http.Request) (*http.Response, error) {
	x.c.Used = true
	if !x.c.Begin(ctx) {
		x.end(false)
		return nil, notSent(problem.Draining, errDraining)
	}
	send := x.exchange
	if m.rest != nil {
		send = x.exchangeLarge
	}
	if err := send(m, req.Method); err != nil {
		x.end(false)
		return nil, err
	}
	resp, err := x.receive()
	if err != nil {
		return nil, err
	}
	resp.Request = req
	return resp, nil
}

// end gives the connection back, to be used again if all that is known of it
// allows that.
func (x *trip) end(reuse bool) {
	if interrupted := x.c.End(); reuse && x.keep && !interrupted && x.c.Clean() {
		x.p.Put(x.c)
	} else {
		x.p.Discard(x.c)
	}
}
