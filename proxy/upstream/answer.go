package upstream

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tlslift/proxy/form"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
)

// receive holds the answer's body until it is complete, or streams it if it is larger
// than the buffer or than the free memory. An event stream, or a foreign answer of
// unknown length, streams at once, since it may never end.
func (x *trip) receive() (*http.Response, error) {
	a, held := &x.memory.answer, &x.memory.held
	x.c.Signed = x.c.Signed || signsIn(a.Header["Www-Authenticate"]) || signsIn(a.Header["Proxy-Authenticate"])
	*held = heldBody{buffers: x.s.buffers, share: x.ex.Share}
	if a.Framing == http1.NoBody {
		x.finish()
		return &a.Response, nil
	}
	o := &x.s.opts
	x.c.Stall = o.BodyTimeout
	unending := a.ContentLength < 0 && x.r.foreign() || EventStream(a.Header)
	if a.ContentLength > o.ResponseBuffer || unending {
		a.Body = &streamBody{trip: *x, src: a.Body}
		return &a.Response, nil
	}
	size, complete, err := x.hold(held)
	if err != nil {
		_ = held.Close()
		e := x.failure(err)
		x.end(false)
		return nil, e
	}
	if !complete {
		a.Body = &streamBody{trip: *x, src: a.Body}
		return &a.Response, nil
	}
	x.finish()
	a.Body = held
	if a.ContentLength < 0 { // a length lets an HTTP/1.0 client detect a truncated answer
		a.ContentLength, a.TransferEncoding = size, nil
		a.Header["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	}
	return &a.Response, nil
}

// EventStream reports whether an answer is a stream of server-sent events (HTML,
// section 9.2). The caller waits for each of them.
func EventStream(h http.Header) bool {
	v := h["Content-Type"]
	return len(v) > 0 && strings.EqualFold(form.Media(v[0]), "text/event-stream")
}

// hold reads the body to its end, or until it exceeds the buffer or the free memory.
func (x *trip) hold(held *heldBody) (size int64, complete bool, err error) {
	a := &x.memory.answer
	for size <= x.s.opts.ResponseBuffer {
		room := held.room(max(a.ContentLength-size, 0))
		if room == nil {
			break
		}
		n, err := a.Body.Read(room)
		held.took(n)
		size += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			return size, true, x.wholeBody()
		case err != nil:
			return size, false, err
		}
	}
	return size, false, nil
}

// wholeBody checks the end of a body that only the end of the connection delimits
// (RFC 9112 sections 6.3 and 9.8).
func (x *trip) wholeBody() error {
	if x.memory.answer.Framing == http1.UntilClose && x.c.Truncated() {
		return http1.ErrTruncated
	}
	return nil
}

// finish ends the exchange after the last byte of the answer.
func (x *trip) finish() {
	a := &x.memory.answer
	x.ex.Delivery = problem.Answered
	if v := a.Header["Keep-Alive"]; len(v) > 0 {
		if idle := keepAliveTimeout(v[0]); idle > 0 && x.p != nil {
			x.p.LearnIdleTimeout(idle)
		}
	}
	x.end(!a.Close)
}

// keepAliveTimeout returns how long the server says that it leaves idle connections
// open (Keep-Alive: timeout=5, max=100), or 0 if it does not say.
func keepAliveTimeout(v string) time.Duration {
	for part := range strings.SplitSeq(v, ",") {
		if s, ok := strings.CutPrefix(strings.TrimSpace(part), "timeout="); ok {
			n, _ := strconv.ParseUint(s, 10, 16)
			return time.Duration(n) * time.Second
		}
	}
	return 0
}

// streamBody is an answer that is still arriving. Bytes read before streaming began
// are in the memory's held body.
type streamBody struct {
	trip
	src io.Reader
	err error // how it ended
}

// Beginning returns the first bytes not delivered yet, and waits until there are
// some. They must not be changed. Without free memory it returns nil.
func (b *streamBody) Beginning() []byte {
	held := &b.memory.held
	if left := held.Beginning(); left != nil || b.err != nil {
		return left
	}
	room := held.room(0)
	if room == nil {
		return nil
	}
	n, err := b.src.Read(room)
	held.took(n)
	if err != nil {
		b.err = b.over(err)
	}
	return held.Beginning()
}

func (b *streamBody) Read(p []byte) (n int, err error) {
	if n, _ = b.memory.held.Read(p); n > 0 {
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

// over handles the end of the stream and gives the connection back.
func (b *streamBody) over(err error) error {
	if errors.Is(err, io.EOF) {
		err = b.wholeBody()
	}
	if err == nil {
		b.finish()
		return io.EOF
	}
	e := b.failure(err)
	b.end(false)
	return b.ex.fail(e)
}

// Close gives up the connection if the answer was not read to its end.
func (b *streamBody) Close() error {
	if b.err == nil {
		b.err = errBodyClosed
		b.end(false)
	}
	return b.memory.held.Close()
}
