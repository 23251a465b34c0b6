package front

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const (
	// maxBlanks bounds the empty lines before a request line (RFC 9112 2.2).
	maxBlanks = 8
	// hurry is every timeout of a caller that is refused whatever it says.
	hurry = 2 * time.Second
)

// gatherHead collects a head that does not come in one piece, or not alone,
// and deals with it. The result is in the Conn's state.
func (c *Conn) gatherHead() (int, error) {
	lim := c.limits()
	for {
		before := c.blanks
		if !c.skipBlanks() {
			c.refuse(malformed(detailBlankLines), nil, len(c.seen()))
			return 0, nil
		}
		raw := c.seen()
		if len(raw) == 0 && c.blanks > before {
			return 0, nil // wait again, without holding a buffer
		}
		if len(raw) > 0 {
			end := headEnd(raw, &c.scanned)
			if lim.headTooLong(end) || end == 0 && lim.headTooLong(len(raw)+1) {
				c.refuse(overlong(raw, lim.HeaderBytes), nil, len(raw))
				return 0, nil
			}
			if end > 0 {
				var v verdict
				v.judge(raw[:end], lim.BodyBytes)
				c.settle(&v, end)
				return 0, nil
			}
			if r := c.judgeLine(raw); r != nil {
				c.refuse(r, nil, len(raw))
				return 0, nil
			}
		}
		if n, err := c.moreHead(); n == 0 {
			return 0, c.headFailed(err)
		}
	}
}

// skipBlanks drops empty lines before the request line. It reports whether
// there were few enough.
func (c *Conn) skipBlanks() bool {
	for {
		raw := c.seen()
		n := 0
		switch {
		case len(raw) > 0 && raw[0] == '\n':
			n = 1
		case len(raw) > 1 && raw[0] == '\r' && raw[1] == '\n':
			n = 2
		default:
			return c.blanks <= maxBlanks
		}
		c.consume(n)
		c.blanks++
		c.scanned = 0
		if c.blanks > maxBlanks {
			return false
		}
	}
}

// judgeLine judges the request line of a head that is not complete yet, once:
// whoever does not speak HTTP need not be waited for.
func (c *Conn) judgeLine(raw []byte) *Refusal {
	if c.lineFine {
		return nil
	}
	if !tchar[raw[0]] && raw[0] != '\r' {
		return malformed(detailMethod)
	}
	line, rest := cutLine(raw)
	if rest == nil {
		return nil
	}
	var v verdict
	v.requestLine(line)
	c.lineFine = v.refusal == nil
	return v.refusal
}

// moreHead reads more of a head, under HeaderTimeout from its first byte on.
func (c *Conn) moreHead() (int, error) {
	begun := c.in != nil
	if !begun {
		c.in = c.shared.buffers.get()
	}
	room := c.in.space()
	var n int
	var err error
	if begun {
		if c.headBy.due == 0 {
			c.headBy = c.shared.within(c.headTimeout())
			c.headBy.late = c.headBy.due
		}
		n, err = c.readWithin(room, c.headBy)
	} else {
		n, err = c.await(room, c.shared.within(c.patience()))
	}
	c.in.w += n
	c.consume(0)
	return n, err
}

func (c *Conn) headTimeout() time.Duration {
	if c.hurried {
		return hurry
	}
	return c.limits().HeaderTimeout
}

// headFailed ends the connection inside or before a head: with an answer if a
// byte of it came.
func (c *Conn) headFailed(err error) error {
	raw := c.seen()
	switch {
	case len(raw) == 0, len(raw) == 1 && raw[0] == '\r':
		return c.quiet(err)
	case isTimeout(err):
		c.refuse(late(), nil, len(raw))
		return nil
	case errors.Is(err, io.EOF):
		c.ended.Store(true)
		c.refuse(malformed(detailHeadCut), nil, len(raw))
		return nil
	case err == nil:
		return io.ErrNoProgress
	default:
		return err
	}
}

// begin starts a request whose head is fine and end bytes long.
func (c *Conn) begin(v *verdict, end int) {
	c.refusal = nil
	c.headBytes = end
	c.bodyRead.Store(0)
	c.bodyErr.Store(nil)
	c.headBy, c.scanned, c.blanks = limit{}, 0, 0
	c.lineFine, c.firstHead = false, false
	switch {
	case v.chunked:
		c.phase = inChunks
		c.chunks = chunkScanner{limit: c.limits().BodyBytes}
	case v.length > 0:
		c.phase = inBody
		c.left = v.length
	default:
		c.phase = atHead
	}
}

// settle deals with a judged head of end bytes at the start of c.in.
func (c *Conn) settle(v *verdict, end int) {
	switch {
	case v.refusal != nil || c.forced != nil:
		c.refuse(v.refusal, v.host, end)
		return
	case v.fix != 0:
		out := c.shared.buffers.get()
		out.fill(v.repair(out.b[:0], c.seen()[:end]))
		c.out = out
		c.begin(v, end)
		c.consume(end)
	default:
		c.begin(v, end)
		c.passing = end
		c.afterHead, c.phase = c.phase, inHead
	}
	c.tally()
}

// passHead hands out a gathered head that needs no repair.
func (c *Conn) passHead(p []byte) int {
	n := copy(p, c.in.unread()[:c.passing])
	c.consume(n)
	c.passing -= n
	if c.passing == 0 {
		c.phase = c.afterHead
		c.tally()
	}
	return n
}

// refuse puts a stand-in request in the place of what arrived, the first end
// bytes of which are the head as far as it is known. It is the connection's
// last request.
func (c *Conn) refuse(r *Refusal, host []byte, end int) {
	if c.forced != nil {
		r = c.forced
	}
	said := *r
	said.Connect = bytes.HasPrefix(c.seen()[:end], []byte("CONNECT "))
	out := c.shared.buffers.get()
	out.fill(standIn(out.b[:0], c.seen()[:end], host))
	c.out = out
	c.begin(&verdict{}, end)
	c.consume(c.buffered())
	c.refusal = &said
	c.phase = atEnd
	c.tally()
}
