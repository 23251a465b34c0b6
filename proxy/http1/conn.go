package http1

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tlslift/proxy/budget"
)

// Limits bounds what one request may cost. A zero field means no limit.
type Limits struct {
	HeaderBytes   int           // of a head, including the request line
	BodyBytes     int64         // of a body, without framing
	HeaderTimeout time.Duration // for a head, from its first byte; also for the first byte of a connection
	BodyTimeout   time.Duration // for a body or an answer, without progress
	IdleTimeout   time.Duration // between requests
}

// Options holds what connections have in common. Limits, Context and Buffers must
// be set.
type Options struct {
	// Limits returns the current limits. It is called for every request.
	Limits func() Limits
	// Context is the context of the connection's requests.
	Context context.Context
	// Unasked answers a caller that sends no first request in time: the handler
	// gets a request that is refused with ClientTimeout.
	Unasked bool
	// Buffers is the pool that connections borrow memory from.
	Buffers *Buffers
	// Budget bounds what all connections together hold; nil means no limit. A small
	// buffer counts as part of the connection, not against the budget.
	Budget *budget.Budget
}

// Handler answers one request.
type Handler interface {
	// ServeHTTP1 writes an answer to w, or takes over the connection with w.Hijack
	// or w.Unread. It must not use w or r after it returns.
	ServeHTTP1(w *Response, r *Request)
}

// End is how [Conn.Serve] ended. It determines how the connection must be closed.
type End uint8

// Ways that Serve can end.
const (
	goingOn End = iota
	// Closed: the caller ended its side, or an answer announced the end. No
	// unread bytes are known, but the socket may hold some.
	Closed
	// Idle: the caller sent no request for too long. Close it as for Closed.
	Idle
	// Broken: the caller reset the connection, or did not take its answer.
	Broken
	// Lingering: the caller may still be sending bytes that were not read.
	// Half-close our side and drain the rest, else a reset may destroy the answer
	// before the caller reads it (RFC 9112 section 9.6).
	Lingering
	// Reset: an answer was cut short. The caller must see a reset: an answer
	// without a length is complete when the connection ends cleanly (RFC 9112
	// section 6.3).
	Reset
	// Hijacked: the handler took over the connection.
	Hijacked
)

// Conn is the server's side of one HTTP/1 connection.
type Conn struct {
	nc      net.Conn
	options Options
	limits  Limits // of the request being served

	// State of reading. One goroutine at a time uses it: Serve's or the body's
	// reader.
	wait       waiter
	in         []byte // borrowed while it holds bytes or a request is being read; else nil
	r, w       int    // in[r:w] was read but not yet used
	halfClosed bool   // the caller ended its side

	// Share is the memory that the request being read or served holds. All of it is
	// released once the request is answered.
	Share budget.Share

	// The head being read.
	scanned    int           // offset to resume the search for its end
	headFrom   time.Time     // when waiting for the rest of it began; zero if it did not
	headIn     time.Duration // how long to wait from headFrom; 0 means no limit
	lineJudged bool          // its request line was validated
	blanks     int           // empty lines skipped before it
	skipped    string        // those lines, until the request is served
	served     bool          // the connection has had a request

	head headParser
	req  Request
	resp Response

	draining atomic.Bool

	mu      sync.Mutex
	waiting bool          // for the first byte of a head
	cut     bool          // Abort was called
	grace   time.Duration // while draining; negative means the usual timeout
	body    *body         // being read; nil if none, or complete
}

// NewConn returns a Conn that speaks HTTP/1 on nc: a TCP connection, a TLS
// connection whose handshake is done, or a wrapper that yields some bytes before
// those of a TCP connection. If the wrapper has NetConn and Buffered, and is
// transparent once Buffered is 0, the Conn waits for bytes without a buffer.
func NewConn(nc net.Conn, o Options) *Conn {
	c := &Conn{nc: nc, options: o, Share: o.Budget.Share()}
	c.req.Request = *c.req.WithContext(o.Context)
	c.head.req = &c.req
	c.resp = Response{c: c, length: unknownLength}
	return c
}

// Serve answers requests one after another until the connection ends or is
// hijacked. It does not close the connection.
func (c *Conn) Serve(h Handler) End {
	defer c.Share.Release(0)
	for {
		queued := c.r != c.w
		if !queued {
			c.release()
			err := c.await()
			unasked := c.options.Unasked && !c.served && isTimeout(err)
			if err != nil && !unasked {
				return readEnd(err)
			}
		}
		if end := c.serve(h, queued); end != goingOn {
			return end
		}
	}
}

// readEnd returns how a connection ended, from the error of waiting for a request.
func readEnd(err error) End {
	switch {
	case isTimeout(err):
		return Idle
	case errors.Is(err, syscall.ECONNRESET):
		return Broken
	default:
		return Closed
	}
}

// serve reads and answers the request whose first bytes have arrived.
func (c *Conn) serve(h Handler, queued bool) End {
	c.limits = c.options.Limits()
	switch c.readHead() {
	case headBlank:
		return goingOn
	case headNone:
		return Closed
	}
	if c.r == c.w {
		c.release() // an upstream may take long to answer
	}
	c.served, c.req.Queued = true, queued
	h.ServeHTTP1(&c.resp, &c.req)
	if c.resp.hijacked {
		return Hijacked
	}
	whole := c.resp.finish()
	read := c.endBody()
	last, unwritten := c.resp.closes, c.resp.err != nil
	c.resp.release()
	c.resetRequest()
	switch {
	case unwritten:
		return Broken
	case !whole:
		return Reset
	case !last && read:
		return goingOn
	case c.halfClosed || read && c.r == c.w:
		return Closed
	default:
		return Lingering
	}
}

// resetRequest releases a request that was answered.
func (c *Conn) resetRequest() {
	refused := c.req.Refusal != nil
	c.req.reset()
	c.head = headParser{req: &c.req}
	c.scanned, c.headFrom, c.headIn, c.lineJudged, c.blanks, c.skipped = 0, time.Time{}, 0, false, 0, ""
	if refused {
		c.release()
	}
	c.Share.Release(c.large())
}

// Drain ends the connection: after the current answer, or, if it is waiting for a
// request, once grace has passed without one. Answers announce the end from now on.
// Drain may be called from any goroutine and cannot be undone.
func (c *Conn) Drain(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grace = grace
	c.draining.Store(true)
	if c.waiting && grace >= 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(grace))
	}
}

// Ended reports whether the caller has ended its side, with FIN or, on TLS,
// close_notify. During the call, reads of the connection must not block but fail
// with a timeout. Bytes of later requests are kept, up to one buffer. The handler
// may call Ended while nothing reads the request's body.
func (c *Conn) Ended() bool {
	for !c.halfClosed && len(c.space()) > 0 {
		if err := c.fill(); err != nil {
			c.halfClosed = c.halfClosed || !isTimeout(err)
			break
		}
	}
	if c.r == c.w {
		c.release()
	}
	return c.halfClosed
}

// Retire ends the connection after its next answer. It does not shorten the wait
// for the next request. After Drain it does nothing.
func (c *Conn) Retire() {
	if !c.draining.Load() {
		c.Drain(-1)
	}
}

// AbortBody makes a blocked read of the current request's body return at once, and
// every later read fail. Use it when the answer came before the body was read. The
// connection ends after the answer. A body that was read to its end is not
// affected. AbortBody may be called from any goroutine.
func (c *Conn) AbortBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != nil {
		c.body.aborted = true
		_ = c.nc.SetReadDeadline(past)
	}
}

// Abort is AbortBody, and makes every other read return at once too: an incomplete
// head is refused. It may be called from any goroutine.
func (c *Conn) Abort() {
	c.AbortBody()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	_ = c.nc.SetReadDeadline(past)
}

// headDeadline makes reads of a head fail after d, or never if d is 0, unless the
// connection was aborted.
func (c *Conn) headDeadline(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut {
		_ = c.nc.SetReadDeadline(after(d))
	}
}

// past is a deadline that makes every blocked read return.
var past = time.Unix(1, 0)

// after returns the time d from now, or the zero time if d is not positive.
func after(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
