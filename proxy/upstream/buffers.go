package upstream

import (
	"io"
	"sync"
)

// Sizes of pooled buffers, in bytes.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// bufferPool lends memory for requests and for held answers. The zero value is
// ready for use.
type bufferPool struct{ small, large sync.Pool }

// get returns an empty buffer: a small one if n bytes fit, else a large one.
func (p *bufferPool) get(n int64) []byte {
	if n > smallBuffer {
		if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
			return b[:0]
		}
		return make([]byte, 0, largeBuffer)
	}
	if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, smallBuffer)
}

// put takes a buffer back. One that grew is left to the garbage collector.
func (p *bufferPool) put(b []byte) {
	b = b[:cap(b)]
	switch len(b) {
	case smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b))
	case largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b))
	}
}

// heldBody is an answer's body, or its beginning, in pieces: a large one is
// neither copied while it grows nor asks for memory in one block. It reads as
// ended after Close.
type heldBody struct {
	buffers *bufferPool
	pieces  [][]byte // those not yet delivered; only the last has room
	first   [1][]byte
	begun   int // bytes of pieces[0] that were delivered
}

// room returns where to read the next bytes to. want is how many bytes are
// still expected; 0 = unknown.
func (h *heldBody) room(want int64) []byte {
	if n := len(h.pieces); n > 0 && len(h.pieces[n-1]) < cap(h.pieces[n-1]) {
		p := h.pieces[n-1]
		return p[len(p):cap(p)]
	}
	if h.pieces == nil {
		h.pieces = h.first[:0]
	} else if want == 0 {
		want = largeBuffer
	}
	p := h.buffers.get(want)
	h.pieces = append(h.pieces, p)
	return p[:cap(p)]
}

// took says that n bytes were read into the room.
func (h *heldBody) took(n int) {
	last := &h.pieces[len(h.pieces)-1]
	*last = (*last)[:len(*last)+n]
}

// next returns the rest of the first piece, nil when there is none.
func (h *heldBody) next() []byte {
	for len(h.pieces) > 0 {
		if left := h.pieces[0][h.begun:]; len(left) > 0 {
			return left
		}
		h.buffers.put(h.pieces[0])
		h.pieces, h.begun = h.pieces[1:], 0
	}
	return nil
}

func (h *heldBody) Read(p []byte) (int, error) {
	left := h.next()
	if left == nil {
		return 0, io.EOF
	}
	n := copy(p, left)
	h.begun += n
	return n, nil
}

// WriteTo writes a piece at a time.
func (h *heldBody) WriteTo(w io.Writer) (total int64, err error) {
	for left := h.next(); left != nil && err == nil; left = h.next() {
		var n int
		n, err = w.Write(left)
		h.begun += n
		total += int64(n)
	}
	return total, err
}

// Close gives the memory back.
func (h *heldBody) Close() error {
	for _, p := range h.pieces {
		h.buffers.put(p)
	}
	*h = heldBody{}
	return nil
}
