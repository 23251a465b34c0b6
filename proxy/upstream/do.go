package upstream

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"time"

	"tlslift/proxy/problem"
)

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
// ctx is the server's, not the caller's: its end cuts off what is under way. It
// should be the same for all requests, as watching it is paid for once per
// connection then.
//
// The error is an *Error or a *BodyError. The response's body must be closed.
// A Read of a streamed body may return an *Error: then the caller must abort
// its own connection.
func (t *Transport) Do(ctx context.Context, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, ex.fail(notSent(problem.Draining, errDraining))
	}
	m, err := t.prepare(req, r, ex)
	if err != nil {
		return nil, ex.failed(err)
	}
	// Under load others prepare theirs first: requests that are written one
	// straight after the other wake the server less often.
	runtime.Gosched()
	start := t.now()
	for now := start; ; now = t.now() {
		ex.Attempts++
		c, err := t.conn(ctx, now, r, ex)
		if err != nil {
			t.buffers.put(m.buf)
			return nil, ex.failed(err)
		}
		resp, err := t.roundTrip(ctx, c, &m, req, r, ex)
		if err == nil {
			return resp, nil
		}
		if !again(err) || ex.Attempts >= maxAttempts || now.Sub(start) > t.state.Load().opts.DialTimeout {
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
	return ex.fail(asError(err, problem.Protocol))
}

// conn gets a connection for r.
func (t *Transport) conn(ctx context.Context, now time.Time, r *Route, ex *Exchange) (*conn, error) {
	for {
		c, err := r.host.poolFor(r).get(ctx, now, ex)
		if !errors.Is(err, errGone) {
			return c, err
		}
	}
}

// roundTrip uses c for one request. c belongs to the answer's body then, or is
// back in its pool, or closed.
func (t *Transport) roundTrip(ctx context.Context, c *conn, m *message, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	o := &t.state.Load().opts
	ex.Reused, ex.Remote, ex.TLSVersion, ex.Cipher = c.used, c.remote, c.version, c.cipher
	c.used = true
	c.sock.sent.Store(0)
	c.expectHead()
	if !c.begin(ctx) {
		c.end()
		c.pool.discard(c, t.now(), false)
		return nil, notSent(problem.Draining, errDraining)
	}
	var resp *http.Response
	var err error
	if m.rest == nil {
		resp, err = c.exchange(m, req, ex, o)
	} else {
		resp, err = c.exchangeLarge(m, req, ex, o)
	}
	if err != nil {
		c.lose()
		c.end()
		c.pool.discard(c, t.now(), false)
		return nil, err
	}
	if ex.FirstByte > 0 {
		o.Observer.Phase(r.Label, PhaseFirstByte, ex.FirstByte)
	}
	return c.receive(resp, ex, o)
}
