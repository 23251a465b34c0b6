package http1

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// await waits for the first bytes of a request. It holds no buffer meanwhile,
// and is called from a shallow frame: thousands of callers keep connections
// that they hardly use.
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
	_ = c.nc.SetReadDeadline(after(timeout)) // of a closed connection, reading says so
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

// space returns room to read into, behind what is there; none if the buffer is
// full.
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

// grow makes a full buffer larger, once memory is free for that. A head that did
// not fit a small buffer gets all that it may need at once, since it must not
// wait while it holds some.
func (c *Conn) grow() bool {
	size := max(2*len(c.in), largeBuffer)
	if len(c.in) >= largeBuffer && c.limits.HeaderBytes > 0 {
		size = max(c.limits.HeaderBytes, len(c.in)+smallBuffer)
	}
	timeout := memoryTimeout
	if c.headIn > 0 {
		timeout = c.headIn - time.Since(c.headFrom)
	}
	if !c.share.Gather(int64(size)-c.large(), timeout) {
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

// large is how many bytes of the budget the buffer takes.
func (c *Conn) large() int64 {
	if len(c.in) <= smallBuffer {
		return 0
	}
	return int64(len(c.in))
}

// Callers wait for memory, and memory waits for callers.
const (
	// memoryTimeout is how long a head without a time limit, or a body,
	// waits for memory at most.
	memoryTimeout = 10 * time.Second
	// tightTimeout is how long a head that is larger than a small buffer has
	// left, and a body may take without progress, when memory is tight.
	tightTimeout = time.Second
)

var errNoMemory = errors.New("no memory is free")

// release gives the buffer back, and drops what is in it.
func (c *Conn) release() {
	if c.in != nil {
		c.options.Buffers.Put(c.in)
		c.in = nil
	}
	c.r, c.w = 0, 0
}

// unread is what has come and was not used.
func (c *Conn) unread() []byte { return c.in[c.r:c.w] }

// fill reads more. It returns an error only without a byte.
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

// maxBlanks bounds the empty lines before a request line (RFC 9112 section
// 2.2).
const maxBlanks = 8

// headResult is what came of reading a head.
type headResult uint8

const (
	headRead  headResult = iota // c.req is to be answered
	headBlank                   // only empty lines came; wait again
	headNone                    // the connection ended, and there is nothing to answer
)

// readHead collects a head and makes c.req of it.
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

// skipBlanks drops empty lines before the request line. It reports whether
// there were few enough.
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

// judgeLine judges the request line of a head that is not complete yet, once:
// a caller that does not speak HTTP need not be waited for. raw[fresh:] is what
// came since the last call.
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
	if c.share.Tight() {
		if soon := time.Since(c.headFrom) + tightTimeout; c.headIn <= 0 || soon < c.headIn {
			c.headIn = soon
			c.headDeadline(tightTimeout)
		}
	}
	return c.fill()
}

// headFailed deals with a connection that ended inside a head. A stray CR does
// not begin one.
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

// begin starts a request whose head is complete.
func (c *Conn) begin(head string) headResult {
	if c.req.Header == nil {
		c.req.reset()
	}
	if ref := c.head.parse(head, c.limits.BodyBytes); ref != nil {
		return c.refuse(ref)
	}
	if c.head.lengthless && c.follows(len(head)) {
		return c.refuse(lengthless())
	}
	c.req.raw = head
	c.r += len(head)
	c.headDone()
	c.beginBody()
	return headRead
}

// silence is how long nothing may follow a head that has no length but whose
// method takes a body.
const silence = 50 * time.Millisecond

// follows reports whether bytes follow the head, which is n bytes long.
func (c *Conn) follows(n int) bool {
	if c.w-c.r > n {
		return true
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(silence)) // of a closed connection, reading says so
	return c.fill() == nil
}

// refuse makes c.req a refused request. It is the connection's last one.
func (c *Conn) refuse(ref *Refusal) headResult {
	if !c.headFrom.IsZero() {
		ref.Waited = time.Since(c.headFrom)
	}
	c.req.refuse(ref, string(c.unread()))
	c.headDone()
	return headRead
}

// headDone forgets how the head was gathered.
func (c *Conn) headDone() {
	c.served = true
	c.scanned, c.headFrom, c.headIn, c.lineJudged, c.blanks = 0, time.Time{}, 0, false, 0
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
