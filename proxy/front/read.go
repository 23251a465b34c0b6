package front

import (
	"errors"
	"io"
	"time"
)

// Read gives net/http one message after the other: a judged head, repaired if
// need be, then its body, then nothing until net/http asks for the next head.
//
// While a handler runs, net/http keeps a goroutine in a read of one byte, to
// notice a caller that hangs up; it then cancels the request's context. For
// this proxy that is wrong twice over: a half-close is no cancellation (a
// request of which a byte went upstream is paid for), and a byte of the next
// request must not be taken before this one is answered. net/http asks for a
// head with a buffer of 4 KiB. So a read of one byte between messages gets
// (0, nil) at once, which ends that goroutine and means nothing to it
// (connReader.backgroundRead looks at n == 1 and at err): no system call, no
// parked goroutine, no deadline to abort it with. TestBackgroundRead holds
// net/http to this.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 || len(p) == 1 && !c.midMessage() {
		return 0, nil
	}
	for {
		if c.out != nil {
			return c.drainOut(p), nil
		}
		if c.failed != nil {
			return 0, c.failed
		}
		var n int
		var err error
		switch c.phase {
		case atHead:
			n, err = c.readHead(p)
		case inHead:
			n = c.passHead(p)
		case inBody:
			n, err = c.readBody(p)
		case inChunks:
			err = c.readChunks()
		default:
			err = io.EOF
		}
		if err != nil {
			c.failed = err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// midMessage reports whether net/http has not yet got all of a message.
func (c *Conn) midMessage() bool {
	return c.out != nil || c.phase == inHead || c.phase == inBody || c.phase == inChunks
}

func (c *Conn) limits() *Limits { return c.shared.limits.Load() }

// drainOut hands out what was written for net/http rather than received.
func (c *Conn) drainOut(p []byte) int {
	n := copy(p, c.out.unread())
	c.out.r += n
	if c.out.r == c.out.w {
		c.shared.buffers.put(c.out)
		c.out = nil
	}
	return n
}

// smallestDirect is the size from which on net/http's buffer is used for the
// head itself, in bytes.
const smallestDirect = 1 << 10

// readHead waits for the next head. The usual one arrives whole and needs no
// repair; it is read into net/http's own buffer and judged there, without a
// copy or an allocation, and nothing is held while waiting.
func (c *Conn) readHead(p []byte) (int, error) {
	c.forgetAbort()
	if c.in != nil || len(p) < smallestDirect {
		return c.gatherHead()
	}
	n, err := c.await(p, c.shared.within(c.patience()))
	if n == 0 {
		return 0, c.quiet(err)
	}
	lim := c.limits()
	from := 0
	end := headEnd(p[:n], &from)
	if end == 0 || c.forced != nil || lim.headTooLong(end) || p[0] == '\r' || p[0] == '\n' {
		c.keep(p[:n])
		return c.gatherHead()
	}
	var v verdict
	v.judge(p[:end], lim.BodyBytes)
	if v.refusal != nil || v.fix != 0 {
		c.keep(p[:n])
		c.settle(&v, end)
		return 0, nil
	}
	c.begin(&v, end)
	if c.phase == inBody {
		here := int(min(c.left, int64(n-end)))
		c.advance(here)
		end += here
	}
	c.keep(p[end:n])
	c.tally()
	return end, nil
}

// patience is how long to wait for the first byte of a head.
func (c *Conn) patience() time.Duration {
	lim := c.limits()
	switch {
	case c.hurried:
		return hurry
	case c.firstHead:
		return lim.HeaderTimeout
	default:
		return lim.IdleTimeout
	}
}

// keep holds bytes that were read too early.
func (c *Conn) keep(p []byte) {
	if len(p) == 0 {
		return
	}
	if c.in == nil {
		c.in = c.shared.buffers.get()
	}
	c.in.append(p)
}

// quiet is the end of a connection between requests: net/http closes it
// without a word.
func (c *Conn) quiet(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	if errors.Is(err, io.EOF) {
		c.ended.Store(true)
	}
	return io.EOF
}

// tally notes whether the client may have sent what was not read: the rest of
// a body, or what follows it.
func (c *Conn) tally() { c.setLingers(c.phase != atHead || c.in != nil) }
