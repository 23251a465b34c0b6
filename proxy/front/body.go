package front

import (
	"errors"
	"io"
	"os"

	"tlslift/proxy/problem"
)

// advance counts n bytes of a body with Content-Length as handed out.
func (c *Conn) advance(n int) {
	c.bodyRead.Add(int64(n))
	c.left -= int64(n)
	if c.left == 0 {
		c.phase = atHead
	}
}

// readBody reads on in a body with Content-Length, never beyond it.
func (c *Conn) readBody(p []byte) (int, error) {
	p = p[:min(int64(len(p)), c.left)]
	var n int
	if c.in != nil {
		n = copy(p, c.in.unread())
		c.consume(n)
	} else {
		var err error
		n, err = c.readWithin(p, c.shared.within(c.limits().BodyTimeout))
		if n == 0 {
			return 0, c.bodyCut(err)
		}
	}
	c.advance(n)
	c.tally()
	return n, nil
}

// maxFrame is how much data one chunk for net/http carries, so that it and its
// framing fit a pooled buffer.
const maxFrame = bufferSize - 16

// readChunks decodes the next run of data and puts it, framed anew, into
// c.out. What net/http sees has neither extensions nor trailers.
func (c *Conn) readChunks() error {
	if c.in == nil {
		in := c.shared.buffers.get()
		n, err := c.readWithin(in.b, c.shared.within(c.limits().BodyTimeout))
		if n == 0 {
			c.shared.buffers.put(in)
			return c.bodyCut(err)
		}
		in.w = n
		c.in = in
	}
	raw := c.in.unread()
	data, used, err := c.chunks.next(raw[:min(len(raw), maxFrame)])
	if err != nil {
		return c.bodyFailed(chunkReason(err), err)
	}
	if len(data) > 0 {
		c.out = c.shared.buffers.get()
		c.out.fill(appendChunk(c.out.b[:0], data))
		c.bodyRead.Add(int64(len(data)))
	}
	c.consume(used)
	if c.chunks.state == chunkFinished {
		c.out = c.shared.buffers.get()
		c.out.fill(append(c.out.b[:0], lastChunk...))
		c.phase = atHead
		c.tally()
	}
	return nil
}

func chunkReason(err error) problem.Reason {
	if errors.Is(err, errBodyTooLarge) {
		return problem.TooLarge
	}
	return problem.Malformed
}

// bodyCut says why the bytes of a body stopped coming: the caller is slow, or
// it is gone.
func (c *Conn) bodyCut(err error) error {
	switch {
	case err == nil:
		err = io.ErrNoProgress
	case errors.Is(err, io.EOF):
		c.ended.Store(true)
		err = io.ErrUnexpectedEOF
	case isTimeout(err):
		err = os.ErrDeadlineExceeded
	}
	return c.bodyFailed(problem.ClientTimeout, err)
}

// bodyFailed records why a body cannot be read to its end. Nothing can follow
// it on the connection.
func (c *Conn) bodyFailed(reason problem.Reason, err error) error {
	e := &BodyError{Reason: reason, Err: err}
	c.bodyErr.Store(e)
	c.phase = atEnd
	return e
}

// AbortBody makes a read of the current request's body that is blocked return
// at once, and every later one fail: the answer came before the body was read,
// and nobody needs the rest. Nothing can follow on the connection, unless the
// body had been read to its end already; then it does nothing. It may be
// called from any goroutine between the handler's start and its end.
func (c *Conn) AbortBody() {
	c.bodyAborted.Store(true)
	c.wake()
}

// forgetAbort undoes an AbortBody that came when the body was complete.
func (c *Conn) forgetAbort() {
	if c.bodyAborted.Load() {
		c.bodyAborted.Store(false)
		c.readBy = unknown
	}
}
