package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"

	"tlslift/proxy/redact"
)

// holdBody is how much of a request's body is read before the upstream is
// contacted, in bytes. API calls are smaller (100 messages a request), so that
// a caller that stalls or breaks its framing has, as a rule, sent nothing.
const holdBody = 64 << 10

// heldBody gives back what was held, then the rest.
type heldBody struct {
	bytes.Reader
	rest io.ReadCloser // nil when the body is complete
	buf  *[]byte
}

var heldPool = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

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
	if b != nil && cap(*b.buf) <= holdBody {
		heldPool.Put(b.buf)
	}
}

// hold reads the body's beginning and puts it back in front of the rest. The
// error is the caller's: nothing was sent yet.
func hold(r *http.Request) (*heldBody, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	buf := heldPool.Get().(*[]byte)
	data := (*buf)[:0]
	var err error
	for err == nil && len(data) < holdBody {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		var n int
		n, err = r.Body.Read(data[len(data):min(cap(data), holdBody)])
		data = data[:len(data)+n]
		if r.ContentLength > 0 && int64(len(data)) == r.ContentLength {
			err = io.EOF
		}
	}
	*buf = data
	if err != nil && !errors.Is(err, io.EOF) {
		heldPool.Put(buf)
		return nil, err
	}
	held := &heldBody{rest: r.Body, buf: buf}
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
	data := *b.buf
	return data[:min(len(data), redact.Prefix)]
}
