package upstream

import (
	"io"

	"tlslift/proxy/budget"
	"tlslift/proxy/http1"
)

// heldBody is an answer's body, or its beginning, in pooled pieces, so a large body
// is not copied while it grows. After Close it reads as ended.
type heldBody struct {
	buffers *http1.Buffers
	share   *budget.Share // charged for what is beyond the first large piece
	beyond  int64         // bytes charged to share
	pieces  [][]byte      // not yet delivered; only the last one has room
	first   [1][]byte     // initial storage of pieces
	begun   int           // bytes of pieces[0] already delivered
	large   bool          // there was a large piece
}

// room returns a buffer to read the next bytes into, or nil if no memory is free.
// want is how many bytes are still expected; 0 = unknown.
func (h *heldBody) room(want int64) []byte {
	const large = http1.Large
	if n := len(h.pieces); n > 0 && len(h.pieces[n-1]) < cap(h.pieces[n-1]) {
		p := h.pieces[n-1]
		return p[len(p):cap(p)]
	}
	if h.pieces == nil {
		h.pieces = h.first[:0]
	} else if want == 0 {
		want = large
	}
	if h.large {
		if !h.share.Extend(large) {
			return nil
		}
		h.beyond += large
	}
	p := h.buffers.Get(int(min(want, large)))
	h.large = h.large || len(p) == large
	h.pieces = append(h.pieces, p[:0])
	return p
}

// put returns the memory of a piece.
func (h *heldBody) put(p []byte) {
	h.buffers.Put(p)
	n := min(h.beyond, int64(cap(p)))
	h.beyond -= n
	h.share.Shrink(n)
}

// took records that n bytes were read into what room returned.
func (h *heldBody) took(n int) {
	last := &h.pieces[len(h.pieces)-1]
	*last = (*last)[:len(*last)+n]
}

// Beginning returns the rest of the first piece, or nil if there is none. It must not
// be changed.
func (h *heldBody) Beginning() []byte {
	for len(h.pieces) > 0 {
		if left := h.pieces[0][h.begun:]; len(left) > 0 {
			return left
		}
		h.put(h.pieces[0])
		h.pieces, h.begun = h.pieces[1:], 0
	}
	return nil
}

func (h *heldBody) Read(p []byte) (int, error) {
	left := h.Beginning()
	if left == nil {
		return 0, io.EOF
	}
	n := copy(p, left)
	h.begun += n
	return n, nil
}

// WriteTo implements io.WriterTo, a piece at a time.
func (h *heldBody) WriteTo(w io.Writer) (total int64, err error) {
	for left := h.Beginning(); left != nil && err == nil; left = h.Beginning() {
		var n int
		n, err = w.Write(left)
		h.begun += n
		total += int64(n)
	}
	return total, err
}

// Close returns the memory.
func (h *heldBody) Close() error {
	for _, p := range h.pieces {
		h.put(p)
	}
	*h = heldBody{}
	return nil
}
