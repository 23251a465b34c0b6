package upstream

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"tlslift/proxy/problem"
)

// holdAtOnce is how much memory a declared length is believed for.
const holdAtOnce = 64 << 10

// receive takes the answer's body: held until it is complete, or to be
// streamed when it is larger than the buffer. Foreign answers of unknown
// length are streamed at once, since they may go on for ever.
func (c *conn) receive(resp *http.Response, ex *Exchange, o *Options) (*http.Response, error) {
	if resp.Body == http.NoBody {
		ex.Delivery = problem.Answered
		c.finish(resp)
		return resp, nil
	}
	c.expectBody(o.BodyTimeout)
	unending := resp.ContentLength < 0 && c.pool.route.plain
	if resp.ContentLength > o.ResponseBuffer || unending {
		resp.Body = &streamBody{c: c, resp: resp, src: resp.Body, ex: ex}
		return resp, nil
	}
	buffers := &c.pool.t.buffers
	b := buffers.get()
	complete, err := c.hold(b, resp, o.ResponseBuffer)
	switch {
	case err != nil:
		buffers.put(b)
		c.lose()
		c.end()
		c.pool.discard(c, c.pool.t.now(), false)
		return nil, c.failure(err)
	case !complete:
		resp.Body = &streamBody{c: c, resp: resp, src: resp.Body, ex: ex, held: b, prefix: *b, buffers: buffers}
		return resp, nil
	}
	ex.Delivery, ex.BytesIn = problem.Answered, int64(len(*b))
	c.finish(resp)
	held := new(heldBody)
	if sized, ok := resp.Body.(*sizedBody); ok {
		held = &sized.held
	}
	*held = heldBody{buffers: buffers, buf: b, left: *b}
	resp.Body = held
	declareLength(resp, len(*b))
	return resp, nil
}

// hold reads the body into b, until its end or until there is more than limit.
func (c *conn) hold(b *[]byte, resp *http.Response, limit int64) (complete bool, err error) {
	buf := (*b)[:0]
	defer func() { *b = buf }()
	if n := resp.ContentLength; n > 0 {
		buf = slices.Grow(buf, int(min(n, holdAtOnce)))
	}
	for {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, max(len(buf), 512))
		}
		room := min(int64(cap(buf)), limit+1)
		n, err := resp.Body.Read(buf[len(buf):room])
		buf = buf[:len(buf)+n]
		switch {
		case err == io.EOF:
			return true, c.wholeBody(resp)
		case err != nil:
			return false, c.bodyFailure()
		case int64(len(buf)) > limit:
			return false, nil
		}
	}
}

// wholeBody judges the end of a body that only the end of the connection
// delimits (RFC 9112 6.3 and 9.8).
func (c *conn) wholeBody(resp *http.Response) error {
	if resp.ContentLength < 0 && !isChunked(resp) && c.truncated() {
		return errTruncated
	}
	return nil
}

// bodyFailure is why a body could not be read: what the connection said, or
// that its framing is broken.
func (c *conn) bodyFailure() error {
	switch {
	case c.readErr == nil:
		return errMalformed
	case ended(c.readErr):
		return errTruncated
	default:
		return c.readErr
	}
}

func isChunked(resp *http.Response) bool {
	return len(resp.TransferEncoding) > 0 && resp.TransferEncoding[0] == "chunked"
}

// declareLength gives an answer that is known whole the length it lacked, so
// that an HTTP/1.0 client can tell a complete answer from a cut one.
func declareLength(resp *http.Response, n int) {
	if resp.ContentLength >= 0 || len(resp.Trailer) > 0 {
		return
	}
	resp.ContentLength = int64(n)
	resp.TransferEncoding = nil
	resp.Header["Content-Length"] = []string{strconv.Itoa(n)}
}

// finish ends the exchange after the last byte of the answer. The connection
// goes back to the pool if nothing speaks against that.
func (c *conn) finish(resp *http.Response) {
	if v := resp.Header["Keep-Alive"]; len(v) > 0 {
		c.pool.told(v[0])
	}
	cancelled := c.end()
	if cancelled || resp.Close || c.isLost() || !c.clean() {
		c.pool.discard(c, c.pool.t.now(), false)
		return
	}
	c.pool.put(c)
}

// told notes how many seconds the server says it leaves idle connections open
// (Keep-Alive: timeout=5, max=100).
func (p *pool) told(v string) {
	for part := range strings.SplitSeq(v, ",") {
		if s, ok := strings.CutPrefix(strings.TrimSpace(part), "timeout="); ok {
			if n, err := strconv.ParseUint(s, 10, 16); err == nil && n > 0 {
				p.mu.Lock()
				p.life.told(p.t.now(), int(n))
				p.mu.Unlock()
			}
		}
	}
}

// heldBody is a complete answer. It is not safe for use after Close.
type heldBody struct {
	buffers *bufferPool
	buf     *[]byte // nil after Close
	left    []byte
}

func (b *heldBody) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// WriteTo saves io.Copy its buffer.
func (b *heldBody) WriteTo(w io.Writer) (int64, error) {
	if len(b.left) == 0 {
		return 0, nil
	}
	n, err := w.Write(b.left)
	b.left = b.left[n:]
	return int64(n), err
}

func (b *heldBody) Close() error {
	if b.buf != nil {
		b.buffers.put(b.buf)
		b.buf, b.left = nil, nil
	}
	return nil
}

// streamBody is an answer that is still arriving.
type streamBody struct {
	c       *conn
	resp    *http.Response
	src     io.Reader
	ex      *Exchange
	buffers *bufferPool
	held    *[]byte // what was read before streaming began
	prefix  []byte  // what of that is still to be delivered
	err     error   // how it ended
}

func (b *streamBody) Read(p []byte) (n int, err error) {
	if len(b.prefix) > 0 {
		n = copy(p, b.prefix)
		b.prefix = b.prefix[n:]
		b.ex.BytesIn += int64(n)
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err = b.src.Read(p)
	b.ex.BytesIn += int64(n)
	if err != nil {
		b.err = b.end(err)
	}
	return n, b.err
}

// end judges the end of the stream and gives the connection back.
func (b *streamBody) end(err error) error {
	b.release()
	c := b.c
	if errors.Is(err, io.EOF) {
		err = c.wholeBody(b.resp)
	} else {
		err = c.bodyFailure()
	}
	if err == nil {
		b.ex.Delivery = problem.Answered
		c.finish(b.resp)
		return io.EOF
	}
	e := c.failure(err)
	c.lose()
	c.end()
	c.pool.discard(c, c.pool.t.now(), false)
	return b.ex.fail(e)
}

// Close gives the connection up if the answer was not read to its end.
func (b *streamBody) Close() error {
	b.release()
	if b.err == nil {
		b.err = errBodyClosed
		b.c.lose()
		b.c.end()
		b.c.pool.discard(b.c, b.c.pool.t.now(), false)
	}
	return nil
}

func (b *streamBody) release() {
	if b.held != nil {
		b.buffers.put(b.held)
		b.held, b.prefix = nil, nil
	}
}
