package upstream

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tlslift/proxy/problem"
)

// holdAtOnce is how much memory a declared length is believed for.
const holdAtOnce = 64 << 10

// receive takes the answer's body: held until it is complete, or to be
// streamed when it is larger than the buffer. Foreign answers of unknown
// length are streamed at once, since they may go on for ever.
func (x *trip) receive(resp *http.Response) (*http.Response, error) {
	if resp.Body == http.NoBody {
		x.finish(resp)
		return resp, nil
	}
	o := &x.s.opts
	x.c.Expect(0, o.BodyTimeout)
	unending := resp.ContentLength < 0 && x.r.group == x.s.foreign
	if resp.ContentLength > o.ResponseBuffer || unending {
		resp.Body = &streamBody{trip: *x, resp: resp, src: resp.Body}
		return resp, nil
	}
	buffers := x.s.buffers
	b := buffers.get()
	complete, err := x.hold(b, resp, o.ResponseBuffer)
	switch {
	case err != nil:
		buffers.put(b)
		e := x.failure(err)
		x.end(false)
		return nil, e
	case !complete:
		resp.Body = &streamBody{trip: *x, resp: resp, src: resp.Body, held: b, prefix: *b, buffers: buffers}
		return resp, nil
	}
	x.finish(resp)
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
func (x *trip) hold(b *[]byte, resp *http.Response, limit int64) (complete bool, err error) {
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
			return true, x.wholeBody(resp)
		case err != nil:
			return false, x.bodyFailure()
		case int64(len(buf)) > limit:
			return false, nil
		}
	}
}

// wholeBody judges the end of a body that only the end of the connection
// delimits (RFC 9112 6.3 and 9.8).
func (x *trip) wholeBody(resp *http.Response) error {
	if resp.ContentLength < 0 && !isChunked(resp) && x.c.Truncated() {
		return errTruncated
	}
	return nil
}

// bodyFailure is why a body could not be read: what the connection said, or
// that its framing is broken.
func (x *trip) bodyFailure() error {
	switch {
	case x.c.Err == nil:
		return errMalformed
	case ended(x.c.Err):
		return errTruncated
	default:
		return x.c.Err
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

// finish ends the exchange after the last byte of the answer.
func (x *trip) finish(resp *http.Response) {
	x.ex.Delivery = problem.Answered
	if v := resp.Header["Keep-Alive"]; len(v) > 0 {
		if idle := keepAliveTimeout(v[0]); idle > 0 {
			x.p.Learn(idle)
		}
	}
	x.end(!resp.Close)
}

// keepAliveTimeout is how long the server says it leaves idle connections open
// (Keep-Alive: timeout=5, max=100); 0 = it does not.
func keepAliveTimeout(v string) time.Duration {
	for part := range strings.SplitSeq(v, ",") {
		if s, ok := strings.CutPrefix(strings.TrimSpace(part), "timeout="); ok {
			n, _ := strconv.ParseUint(s, 10, 16)
			return time.Duration(n) * time.Second
		}
	}
	return 0
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
	trip
	resp    *http.Response
	src     io.Reader
	buffers *bufferPool
	held    *[]byte // what was read before streaming began
	prefix  []byte  // what of that is still to be delivered
	err     error   // how it ended
}

func (b *streamBody) Read(p []byte) (n int, err error) {
	if len(b.prefix) > 0 {
		n = copy(p, b.prefix)
		b.prefix = b.prefix[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err = b.src.Read(p)
	if err != nil {
		b.err = b.over(err)
	}
	return n, b.err
}

// over judges the end of the stream and gives the connection back.
func (b *streamBody) over(err error) error {
	b.release()
	if errors.Is(err, io.EOF) {
		err = b.wholeBody(b.resp)
	} else {
		err = b.bodyFailure()
	}
	if err == nil {
		b.finish(b.resp)
		return io.EOF
	}
	e := b.failure(err)
	b.end(false)
	return b.ex.fail(e)
}

// Close gives the connection up if the answer was not read to its end.
func (b *streamBody) Close() error {
	b.release()
	if b.err == nil {
		b.err = errBodyClosed
		b.end(false)
	}
	return nil
}

func (b *streamBody) release() {
	if b.held != nil {
		b.buffers.put(b.held)
		b.held, b.prefix = nil, nil
	}
}
