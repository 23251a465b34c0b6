package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"tlslift/proxy/problem"
)

// body is the body of one request. It outlives the request, so a late reader finds
// the end of the body and not the next request.
type body struct {
	c     *Conn
	count atomic.Int64 // bytes returned by Read

	mu      sync.Mutex // held by the one reader
	left    int64      // bytes still to read if there is a Content-Length
	chunked bool
	chunks  chunkScanner
	coding  [1]string // for http.Request.TransferEncoding
	err     error     // returned by every further Read; io.EOF once complete

	aborted bool // guarded by c.mu

	continueMu sync.Mutex // held while 100 Continue is written
	expecting  bool       // the caller waits for 100 Continue, but need not
}

var errBodyOver = errors.New("the request is over")

// beginBody sets up the body that the head announced.
func (c *Conn) beginBody() {
	p := &c.head
	c.req.Body, c.req.ContentLength = http.NoBody, 0
	if p.length == 0 && !p.chunked {
		return
	}
	b := &body{c: c, left: p.length, chunked: p.chunked, expecting: p.expect}
	b.chunks.limit = c.limits.BodyBytes
	c.req.body, c.req.Body, c.req.ContentLength = b, b, p.length
	if p.chunked {
		b.coding[0] = "chunked"
		c.req.ContentLength, c.req.TransferEncoding = -1, b.coding[:]
	}
	c.mu.Lock()
	c.body = b
	c.mu.Unlock()
}

// Read returns a *BodyError if the caller does not send what it announced.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	if err := b.sayContinue(); err != nil {
		return 0, b.cut(err)
	}
	if b.isAborted() {
		return 0, b.cut(os.ErrDeadlineExceeded)
	}
	var n int
	var err error
	if b.chunked {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readSized(p)
	}
	b.count.Add(int64(n))
	return n, err
}

// Close does nothing: the unread rest is handled when the answer is written.
func (b *body) Close() error { return nil }

// readSized reads from a body with a Content-Length, never beyond its end.
func (b *body) readSized(p []byte) (int, error) {
	c := b.c
	p = p[:min(int64(len(p)), b.left)]
	var n int
	if c.r < c.w {
		n = copy(p, c.unread())
		c.r += n
	} else {
		var err error
		if err = b.arm(); err == nil {
			n, err = c.nc.Read(p)
		}
		if n == 0 {
			return 0, b.cut(err)
		}
	}
	if b.left -= int64(n); b.left == 0 {
		return n, b.complete()
	}
	return n, nil
}

// readChunks decodes as many chunks as have arrived, since a caller may send every
// byte in a chunk of its own. It waits only if there is no data yet. Extensions and
// trailers are dropped.
func (b *body) readChunks(p []byte) (n int, err error) {
	c := b.c
	for {
		if c.r == c.w {
			if n > 0 {
				return n, nil
			}
			c.r, c.w = 0, 0
			err := b.arm()
			if err == nil {
				err = c.fill()
			}
			if err != nil {
				return 0, b.cut(err)
			}
		}
		raw := c.unread()
		data, used, err := b.chunks.next(raw[:min(len(raw), len(p)-n)])
		n += copy(p[n:], data)
		c.r += used
		switch {
		case err != nil:
			return n, b.fail(chunkReason(err), err)
		case b.chunks.state == chunkFinished:
			return n, b.complete()
		case n == len(p):
			return n, nil
		}
	}
}

func chunkReason(err error) problem.Reason {
	if errors.Is(err, errBodyTooLarge) {
		return problem.TooLarge
	}
	return problem.Malformed
}

// arm sets the deadline of the next read, which is shorter while memory is tight.
// It fails if the body was aborted.
func (b *body) arm() error {
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.aborted {
		return os.ErrDeadlineExceeded
	}
	timeout := c.limits.BodyTimeout
	if c.Share.Tight() && (timeout <= 0 || timeout > tightTimeout) {
		timeout = tightTimeout
	}
	_ = c.nc.SetReadDeadline(after(timeout))
	return nil
}

func (b *body) isAborted() bool {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	return b.aborted
}

// complete records that the whole body was read. AbortBody has no effect on it from
// now on.
func (b *body) complete() error {
	b.c.mu.Lock()
	b.c.body = nil
	b.c.mu.Unlock()
	b.err = io.EOF
	return io.EOF
}

// cut fails the body because its bytes stopped coming: the caller is slow or gone.
func (b *body) cut(err error) error {
	switch {
	case err == nil:
		err = io.ErrNoProgress
	case errors.Is(err, io.EOF):
		b.c.halfClosed = true
		err = io.ErrUnexpectedEOF
	case isTimeout(err):
		err = os.ErrDeadlineExceeded
	}
	return b.fail(problem.ClientTimeout, err)
}

func (b *body) fail(reason problem.Reason, err error) error {
	b.err = &BodyError{Reason: reason, Err: err}
	return b.err
}

// sayContinue sends 100 Continue to a caller that waits for it (RFC 9110 section
// 10.1.1), unless the answer has begun.
func (b *body) sayContinue() error {
	b.continueMu.Lock()
	defer b.continueMu.Unlock()
	if !b.expecting {
		return nil
	}
	b.expecting = false
	return b.c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
}

// settle is called before the answer begins. It reports whether the connection
// can serve another request: the body was read, or the rest of it has already
// arrived and is dropped. A caller that still waits for 100 Continue may or may not
// send the body, so the bytes that follow would be ambiguous.
func (b *body) settle() bool {
	b.continueMu.Lock()
	expecting := b.expecting
	b.expecting = false
	b.continueMu.Unlock()
	if expecting || !b.mu.TryLock() {
		return false
	}
	defer b.mu.Unlock()
	for left := maxDropped; b.err == nil && left > 0 && !b.isAborted(); {
		if b.c.r == b.c.w && !b.c.wait.poll(b.c) {
			break
		}
		left -= b.drop()
	}
	return errors.Is(b.err, io.EOF)
}

// maxDropped limits how many bytes of an unread body are dropped to keep the
// connection.
const maxDropped = 256 << 10

// drop skips body bytes that have arrived, and returns how many bytes it used.
func (b *body) drop() int {
	c := b.c
	if !b.chunked {
		n := min(int64(c.w-c.r), b.left)
		c.r += int(n)
		if b.left -= n; b.left == 0 {
			_ = b.complete()
		}
		return int(n)
	}
	_, used, err := b.chunks.next(c.unread())
	c.r += used
	switch {
	case err != nil:
		_ = b.fail(chunkReason(err), err)
	case b.chunks.state == chunkFinished:
		_ = b.complete()
	}
	return used
}

// endBody ends the body, even for a goroutine that is still reading it. It reports
// whether the body was read to its end.
func (c *Conn) endBody() bool {
	b := c.req.body
	if b == nil {
		return c.req.Refusal == nil
	}
	c.AbortBody()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = errBodyOver
	}
	c.mu.Lock()
	c.body = nil
	c.mu.Unlock()
	return errors.Is(b.err, io.EOF)
}
