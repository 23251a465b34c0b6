package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"tlslift/proxy/budget"
	"tlslift/proxy/form"
	"tlslift/proxy/http1"
)

// holdBody is how much of a request's body is read before the upstream is
// contacted, in bytes. API calls are smaller (100 messages a request), so a caller
// that stalls or breaks its framing has normally sent nothing.
const holdBody = http1.Large

// memoryTimeout is how long a body waits for memory at most.
const memoryTimeout = 10 * time.Second

var errNoMemory = errors.New("no memory for a large body")

// heldBody gives back what was held, then the rest.
type heldBody struct {
	bytes.Reader
	rest    io.ReadCloser // nil when the body is complete
	data    []byte
	buffers *http1.Buffers
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n > 0 || b.rest == nil || !errors.Is(err, io.EOF) {
		return n, err
	}
	return b.rest.Read(p)
}

// Close ends the caller's body too. The buffer is given back by release: the
// upstream side may still be reading when it closes.
func (b *heldBody) Close() error {
	if b.rest != nil {
		return b.rest.Close()
	}
	return nil
}

func (b *heldBody) release() {
	if b != nil {
		b.buffers.Put(b.data)
	}
}

// hold reads the body's beginning and puts it back in front of the rest. What
// does not fit a small buffer comes out of the share; without memory for it the
// error is errNoMemory. Other errors are the caller's. Nothing was sent yet.
func hold(r *http.Request, buffers *http1.Buffers, share *budget.Share, timeout time.Duration) (*heldBody, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	data := buffers.Get(0)[:0]
	var err error
	for err == nil && len(data) < holdBody {
		if len(data) == cap(data) {
			if !share.Gather(holdBody, timeout) {
				err = errNoMemory
				break
			}
			larger := append(buffers.Get(holdBody)[:0], data...)
			buffers.Put(data)
			data = larger
		}
		var n int
		n, err = r.Body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if r.ContentLength > 0 && int64(len(data)) == r.ContentLength {
			err = io.EOF
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		buffers.Put(data)
		return nil, err
	}
	held := &heldBody{rest: r.Body, data: data, buffers: buffers}
	held.Reset(data)
	if errors.Is(err, io.EOF) {
		held.rest = nil
	}
	r.Body = held
	return held, nil
}

// prefix is what may be looked at of the held body.
func (b *heldBody) prefix() []byte {
	if b == nil {
		return nil
	}
	return b.data[:min(len(b.data), form.Prefix)]
}
