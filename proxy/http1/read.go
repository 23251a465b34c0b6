package http1

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// await waits for the first bytes of a request. It holds no buffer while it waits
// and is called from a shallow stack, because thousands of callers keep connections
// open that they hardly use.
func (c *Conn) await() error {
	lim := c.options.Limits()
	timeout := lim.IdleTimeout
	if !c.served {
		timeout = lim.HeaderTimeout
	}
	c.mu.Lock()
	c.waiting = true
	if c.draining.Load() && c.grace >= 0 {
		timeout = max(c.grace, 1)
	}
	_ = c.nc.SetReadDeadline(after(timeout)) // if the connection is closed, the read fails
	c.mu.Unlock()

	err := c.wait.read(c)

	c.mu.Lock()
	c.waiting = false
	c.mu.Unlock()
	if errors.Is(err, io.EOF) {
		c.halfClosed = true
	}
	return err
}

// space returns the free part of the buffer, empty if it is full.
func (c *Conn) space() []byte {
	switch {
	case c.in == nil:
		c.in = c.options.Buffers.Get(0)
		c.r, c.w = 0, 0
	case c.w < len(c.in):
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	return c.in[c.w:]
}

// grow enlarges a full buffer as soon as the budget has room. A head that outgrows
// the large buffer gets all that it may need at once, because a share that holds
// memory cannot wait for more.
func (c *Conn) grow() bool {
	size := max(2*len(c.in), largeBuffer)
	if len(c.in) >= largeBuffer && c.limits.HeaderBytes > 0 {
		size = max(c.limits.HeaderBytes, len(c.in)+smallBuffer)
	}
	timeout := memoryTimeout
	if c.headIn > 0 {
		timeout = c.headIn - time.Since(c.headFrom)
	}
	if !c.Share.Gather(int64(size)-c.large(), timeout) {
		return false
	}
	var grown []byte
	if size == largeBuffer {
		grown = c.options.Buffers.Get(size)
	} else {
		grown = make([]byte, size)
	}
	c.w = copy(grown, c.unread())
	c.r = 0
	c.options.Buffers.Put(c.in)
	c.in = grown
	return true
}

// large returns how many bytes the buffer takes from the budget.
func (c *Conn) large() int64 {
	if len(c.in) <= smallBuffer {
		return 0
	}
	return int64(len(c.in))
}

// Limits of waiting for memory, and of holding memory for slow callers.
const (
	// memoryTimeout is how long a head without a time limit waits for memory at
	// most.
	memoryTimeout = 10 * time.Second
	// tightTimeout applies while memory is tight: it is how long a head larger than
	// a small buffer may still take, and how long a body may make no progress.
	tightTimeout = time.Second
)

var errNoMemory = errors.New("no memory is free")

// release returns the buffer to the pool and drops its contents.
func (c *Conn) release() {
	if c.in != nil {
		c.options.Buffers.Put(c.in)
		c.in = nil
	}
	c.r, c.w = 0, 0
}

// unread returns the bytes that were read but not yet used.
func (c *Conn) unread() []byte { return c.in[c.r:c.w] }

// fill reads more bytes. It returns an error only if it read none.
func (c *Conn) fill() error {
	n, err := c.nc.Read(c.space())
	c.w += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF):
		c.halfClosed = true
	}
	return err
}

// maxBlanks limits the empty lines before a request line (RFC 9112 section 2.2).
const maxBlanks = 8

// headResult is the result of reading a head.
type headResult uint8

const (
	headRead  headResult = iota // c.req must be answered
	headBlank                   // only empty lines arrived; wait again
	headNone                    // the connection ended with nothing to answer
)

// readHead reads a head and parses it into c.req.
func (c *Conn) readHead() headResult {
	for {
		if !c.skipBlanks() {
			return c.refuse(malformed(detailBlankLines))
		}
		raw := c.unread()
		switch {
		case len(raw) == 0 && c.options.Unasked && !c.served:
			return c.refuse(late(true))
		case len(raw) == 0:
			return headBlank
		}
		fresh := c.scanned
		end := headEnd(raw, &c.scanned)
		if limit := c.limits.HeaderBytes; limit > 0 && (end > limit || end == 0 && len(raw) >= limit) {
			return c.refuse(overlong(raw, limit))
		}
		if end > 0 {
			return c.begin(string(raw[:end]))
		}
		if ref := c.judgeLine(raw, fresh); ref != nil {
			return c.refuse(ref)
		}
		if err := c.moreHead(); err != nil {
			return c.headFailed(err)
		}
	}
}

// skipBlanks drops empty lines before the request line. It reports false if there
// are more than maxBlanks.
func (c *Conn) skipBlanks() bool {
	for {
		raw := c.unread()
		switch {
		case len(raw) > 0 && raw[0] == '\n':
			c.skipped += "\n"
			c.r++
		case len(raw) > 1 && raw[0] == '\r' && raw[1] == '\n':
			c.skipped += "\r\n"
			c.r += 2
		default:
			return true
		}
		c.scanned = 0
		if c.blanks++; c.blanks > maxBlanks {
			return false
		}
	}
}

// judgeLine validates the request line of an incomplete head, once: a caller that
// does not speak HTTP is refused at once. raw[fresh:] arrived since the last call.
func (c *Conn) judgeLine(raw []byte, fresh int) *Refusal {
	if c.lineJudged {
		return nil
	}
	if !isTokenByte(raw[0]) && raw[0] != '\r' || !beginsMethod(raw) {
		return notHTTP(raw[0])
	}
	i := bytes.IndexByte(raw[fresh:], '\n')
	if i < 0 {
		return nil
	}
	c.lineJudged = true
	line, _ := cutLine(string(raw[:fresh+i+1]))
	ref := c.req.requestLine(line)
	c.req.reset()
	return ref
}

// moreHead reads more of a head, within HeaderTimeout of its first byte.
func (c *Conn) moreHead() error {
	if c.headFrom.IsZero() {
		c.headFrom, c.headIn = time.Now(), c.limits.HeaderTimeout
		c.headDeadline(c.headIn)
	}
	if len(c.space()) == 0 && !c.grow() {
		return errNoMemory
	}
	if c.Share.Tight() {
		if soon := time.Since(c.headFrom) + tightTimeout; c.headIn <= 0 || soon < c.headIn {
			c.headIn = soon
			c.headDeadline(tightTimeout)
		}
	}
	return c.fill()
}

// headFailed handles a failure to read the rest of a head. A lone CR does not begin
// a head.
func (c *Conn) headFailed(err error) headResult {
	raw := c.unread()
	switch {
	case len(raw) == 1 && raw[0] == '\r' && !c.options.Unasked:
		return headNone
	case errors.Is(err, errNoMemory):
		return c.refuse(noMemory())
	case isTimeout(err):
		return c.refuse(late(false))
	case errors.Is(err, io.EOF):
		return c.refuse(malformed(detailHeadCut))
	default:
		return headNone
	}
}

// begin parses a complete head and sets up the request's body.
func (c *Conn) begin(head string) headResult {
	if c.req.Header == nil {
		c.req.reset()
	}
	ref := c.head.parse(head, c.limits.BodyBytes)
	if ref == nil && c.head.lengthless && c.follows(len(head)) {
		ref = lengthless()
	}
	if ref != nil {
		return c.refuse(ref)
	}
	c.req.raw = head
	c.r += len(head)
	c.beginBody()
	return headRead
}

// silence is how long nothing may follow a head that gives no length although its
// method takes a body.
const silence = 50 * time.Millisecond

// follows reports whether bytes follow the head of n bytes within silence.
func (c *Conn) follows(n int) bool {
	if c.w-c.r > n {
		return true
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(silence)) // if the connection is closed, the read fails
	return c.fill() == nil
}

// refuse turns c.req into a refused request, the last one of the connection.
func (c *Conn) refuse(ref *Refusal) headResult {
	if !c.headFrom.IsZero() {
		ref.Waited = time.Since(c.headFrom)
	}
	c.req.refuse(ref, string(c.unread()), c.head.whole)
	return headRead
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
