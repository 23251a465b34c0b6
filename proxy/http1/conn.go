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

// Limits bound what one request may cost. A zero field means no limit.
type Limits struct {
	HeaderBytes   int           // of a head, request line included
	BodyBytes     int64         // of a body, without framing
	HeaderTimeout time.Duration // for a head, from its first byte; for the first byte of a connection
	BodyTimeout   time.Duration // for a body or an answer, without progress
	IdleTimeout   time.Duration // between requests
}

// Options are what connections have in common.
type Options struct {
	// Limits returns the limits in force; they are read once per request. nil =
	// no limits.
	Limits func() Limits
	// Context is that of the connection's requests; nil = context.Background.
	Context context.Context
	// Unasked has a caller answered that sends no first request in time: the
	// handler gets one that is refused with ClientTimeout.
	Unasked bool
	// Buffers is where the connections borrow memory; nil = a pool of the
	// connection's own.
	Buffers *Buffers
	// Budget bounds what the connections hold in sum; nil = no limit. What fits a
	// small buffer is part of what a connection costs, and is not counted.
	Budget *budget.Budget
}

// Handler answers one request.
type Handler interface {
	// ServeHTTP1 writes an answer through w, or takes the connection over with
	// w.Hijack. It uses neither w nor r after its return.
	ServeHTTP1(w *Response, r *Request)
}

// End says how [Conn.Serve] ended, and so how the connection is to be closed.
type End uint8

// The ends.
const (
	goingOn End = iota
	// Closed: the caller ended its side, or an answer announced the end. No
	// unread bytes are known of, but the socket may hold some.
	Closed
	// Idle: the caller asked for nothing for too long. It is closed as Closed is.
	Idle
	// Broken: the caller reset the connection, or did not take its answer.
	Broken
	// Lingering: the caller may still be sending what was not read. Our side
	// must be half-closed and the rest drained, else the socket's reset throws
	// away the answer (RFC 9112 section 9.6).
	Lingering
	// Reset: an answer was cut. The caller must see a reset, since an answer
	// without a length is whole when the connection ends well (RFC 9112 section
	// 6.3).
	Reset
	// Hijacked: the handler took the connection over.
	Hijacked
)

func (e End) String() string {
	switch e {
	case Closed:
		return "closed"
	case Idle:
		return "idle"
	case Broken:
		return "broken"
	case Lingering:
		return "lingering"
	case Reset:
		return "reset"
	case Hijacked:
		return "hijacked"
	default:
		return "going on"
	}
}

// Conn is the server's side of one HTTP/1 connection.
type Conn struct {
	nc      net.Conn
	options Options
	limits  Limits // of the request being served

	// Reading. One goroutine at a time: Serve's, or the body's reader.
	wait       waiter
	in         []byte // borrowed while it holds bytes or waits for some; nil otherwise
	r, w       int    // in[r:w] was read and not yet used
	halfClosed bool   // the caller ended its side

	share budget.Share // what the request being read or served holds

	// The head being gathered.
	scanned    int           // where to go on looking for its end
	headFrom   time.Time     // since when the rest of it is waited for; zero = it is not
	headIn     time.Duration // how long it is waited for; 0 = no limit
	lineJudged bool          // its request line was
	blanks     int           // empty lines skipped before it
	skipped    string        // those lines, until it is served
	served     bool          // a request came before it

	head headParser
	req  Request
	resp Response

	draining atomic.Bool

	mu      sync.Mutex
	waiting bool          // for the first byte of a head
	cut     bool          // Abort was called
	grace   time.Duration // while draining; negative = as long as ever
	body    *body         // being read; nil = none, or complete
}

// NewConn returns a Conn that speaks HTTP/1 on nc: a TCP connection, a TLS
// connection whose handshake is done, or one that puts bytes in front of a TCP
// connection. The latter is waited on without a buffer if it has the methods
// NetConn and Buffered, and changes nothing once Buffered is 0.
func NewConn(nc net.Conn, o Options) *Conn {
	if o.Limits == nil {
		o.Limits = func() Limits { return Limits{} }
	}
	if o.Buffers == nil {
		o.Buffers = new(Buffers)
	}
	c := &Conn{nc: nc, options: o, share: o.Budget.Share()}
	if o.Context != nil {
		c.req.Request = *c.req.WithContext(o.Context)
	}
	c.head.req = &c.req
	c.resp.c = c
	return c
}

// Serve answers requests, one after the other, until the connection ends or is
// hijacked. It does not close the connection.
func (c *Conn) Serve(h Handler) End {
	defer c.share.Release(0)
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

// readEnd says how a connection ended on which reading for a request failed.
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

// serve answers the request whose first bytes have come.
func (c *Conn) serve(h Handler, queued bool) End {
	c.limits = c.options.Limits()
	switch c.readHead() {
	case headBlank:
		return goingOn
	case headNone:
		return Closed
	}
	if c.r == c.w {
		c.release() // an upstream may take its time
	}
	c.req.Queued = queued
	c.resp.begin()
	h.ServeHTTP1(&c.resp, &c.req)
	if c.resp.hijacked {
		return Hijacked
	}
	c.skipped = ""
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

// Share is what the request being served holds of the budget. All of it is
// given back when the request was answered.
func (c *Conn) Share() *budget.Share { return &c.share }

// resetRequest lets go of a request that was answered.
func (c *Conn) resetRequest() {
	refused := c.req.Refusal != nil
	c.req.reset()
	c.head = headParser{req: &c.req}
	if refused {
		c.release()
	}
	c.share.Release(c.large())
}

// Drain lets the connection end: if it waits for a request, unless one arrives
// within grace; if it is busy, after the answer. Answers announce the end from
// now on. Drain may be called from any goroutine and cannot be undone.
func (c *Conn) Drain(grace time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.grace = grace
	c.draining.Store(true)
	if c.waiting && grace >= 0 {
		_ = c.nc.SetReadDeadline(time.Now().Add(grace))
	}
}

// Ended reports whether the caller has ended its side: FIN, or a close_notify on
// TLS. Reads of the connection must not wait meanwhile; they end in a timeout.
// What has come of later requests is kept, up to one buffer. The handler may call
// Ended while nothing reads the request's body.
func (c *Conn) Ended() bool {
	for !c.halfClosed && (c.in == nil || c.w < len(c.in)) {
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

// Retire lets the connection end after its next answer, for which it waits as
// long as ever. After a Drain it does nothing.
func (c *Conn) Retire() {
	if !c.draining.Load() {
		c.Drain(-1)
	}
}

// AbortBody makes a read of the current request's body that is blocked return
// at once, and every later one fail: the answer came before the body was read,
// and the rest is not needed. The connection ends after the answer. A body that
// was read to its end is not affected. It may be called from any goroutine.
func (c *Conn) AbortBody() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != nil {
		c.body.aborted = true
		_ = c.nc.SetReadDeadline(past)
	}
}

// Abort is AbortBody, and makes every other read return at once too: a head that
// is not complete is refused. It may be called from any goroutine.
func (c *Conn) Abort() {
	c.AbortBody()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	_ = c.nc.SetReadDeadline(past)
}

// headDeadline gives reads of a head a time, 0 for any, unless the connection was
// aborted.
func (c *Conn) headDeadline(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.cut {
		_ = c.nc.SetReadDeadline(after(d))
	}
}

// past is a deadline that makes whatever waits return.
var past = time.Unix(1, 0)

// after is the time d from now, or the zero time for no limit.
func after(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
