package upstream

import (
	"context"
	"errors"
	"net/http"

	"tlslift/proxy/budget"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
)

// Exchange holds what one round trip needs, and what it finds out. It belongs to the
// caller of Do until the response's body is closed. It is not safe for concurrent
// use.
type Exchange struct {
	// Target is the raw request target in origin form, sent byte for byte
	// (RFC 9112 section 3.2.1).
	Target string
	// Caller is asked immediately before the first byte is written, on each connection
	// that is tried.
	Caller Caller
	// AbortBody makes a blocked Read of the request's body return at once. It is
	// called if the exchange is over before the body was sent. Do returns only after
	// the last Read of the body.
	AbortBody func()
	// Memory stores the answer, including its Header and Body.
	Memory *Memory
	// Owned are the connections that belong to the caller's own connection.
	Owned *Owned
	// Share is the call's share of the budget. What the exchange takes is charged to
	// it and stays there.
	Share *budget.Share

	// Delivery is the outcome for this request. With a streamed answer, it is
	// Answered only after Body.Read has returned io.EOF.
	Delivery   problem.Delivery
	TLSVersion uint16 // of the connection; 0 = no TLS
	Reused     bool   // the connection had served a request before
}

// Caller is the party that waits for the answer.
type Caller interface {
	// Gone reports whether the caller has given up. Then nothing is sent, and Do
	// returns an *Error with problem.ClientGone.
	Gone() bool
}

// Memory stores an answer. It may serve one exchange after another: call Reset when
// nothing of an answer is in use any more. The zero Memory is ready for use.
type Memory struct {
	answer http1.Answer
	held   heldBody
}

// Reset forgets the answer.
func (m *Memory) Reset() {
	m.answer.Reset()
	m.held = heldBody{}
}

// maxAttempts is how many connections one request is tried on if not a byte of it was
// written.
const maxAttempts = 3

// Do sends req on the route r and returns the answer, whatever its status. The
// request is written to one connection; the package comment says when another one is
// tried.
//
// Do uses the method, the fields, the body and the body's length of req. Hop-by-hop
// fields must have been removed. The Host comes from the route, and Do decides the
// framing. Do does not close the body. It reads up to 64 KiB of it before sending
// anything; another goroutine reads the rest of a longer one (see
// Exchange.AbortBody).
//
// ctx is the server's, not the caller's: its end cuts off what is in flight.
//
// The error is an *Error or a *BodyError. The response's body must be closed.
// A Read of a streamed body may return an *Error: then the caller must abort
// its own connection.
func (t *Transport) Do(ctx context.Context, req *http.Request, r *Route, ex *Exchange) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, ex.fail(errDraining)
	}
	if !fitsSmall(req) && !ex.Share.Reserve(memoryTimeout) {
		return nil, ex.fail(errNoMemory)
	}
	m, err := prepare(req, r, ex.Target)
	if err != nil {
		return nil, ex.fail(err)
	}
	start := t.now()
	for attempt := 1; ; attempt++ {
		resp, err := try(ctx, &m, req, r, ex)
		if err == nil {
			return resp, nil
		}
		if !again(err) || attempt == maxAttempts || t.now().Sub(start) > r.snapshot.opts.DialTimeout {
			m.release()
			return nil, ex.fail(err)
		}
	}
}

// again reports whether a request may be tried on another connection: the one it was
// tried on was dead, and the kernel accepted not a single byte.
func again(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Delivery == problem.NotSent && e.Reason == problem.Reset
}

// fail records the delivery of a failed exchange, and returns err.
func (ex *Exchange) fail(err error) error {
	if be, ok := errors.AsType[*BodyError](err); ok { // its cause may be an *Error
		ex.Delivery = be.Delivery
	} else if e, ok := errors.AsType[*Error](err); ok {
		ex.Delivery = e.Delivery
	}
	return err
}
