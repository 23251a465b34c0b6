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

// holdBody is how much of a request's body is read before the upstream is contacted,
// in bytes. API calls are smaller (100 messages per request), so a caller that stalls
// or breaks its framing has usually sent nothing upstream.
const holdBody = http1.Large

// memoryTimeout is the longest that a body waits for memory.
const memoryTimeout = 10 * time.Second

var errNoMemory = errors.New("no memory for a large body")

// heldBody returns the held bytes, then reads the rest.
type heldBody struct {
	io.Reader
	data    []byte
	buffers *http1.Buffers
}

// Close does nothing: http1 drops what is left of the body.
func (b *heldBody) Close() error { return nil }

func (b *heldBody) release() {
	if b != nil {
		b.buffers.Put(b.data)
	}
}

// hold reads the beginning of the body and puts it back in front of the rest. Data
// that does not fit a small buffer is charged to share; if there is no memory, the
// error is errNoMemory. Other errors are the caller's. Nothing has been sent yet.
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
	held := &heldBody{Reader: bytes.NewReader(data), data: data, buffers: buffers}
	if err == nil {
		held.Reader = io.MultiReader(held.Reader, r.Body)
	}
	r.Body = held
	return held, nil
}

// prefix returns the part of the held body that may be inspected.
func (b *heldBody) prefix() []byte {
	if b == nil {
		return nil
	}
	return b.data[:min(len(b.data), form.Prefix)]
}
