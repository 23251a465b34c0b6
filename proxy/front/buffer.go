package front

import "sync"

// bufferSize is that of pooled buffers, in bytes. net/http's own read buffer
// has the same size, and nearly every head fits.
const bufferSize = 4 << 10

// buffer holds bytes between a reader and a writer.
type buffer struct {
	b    []byte
	r, w int
}

func (b *buffer) unread() []byte { return b.b[b.r:b.w] }

// space returns room for at least one more byte, moving what is there to the
// front or growing the buffer.
func (b *buffer) space() []byte {
	if b.w == len(b.b) {
		if b.r > 0 {
			b.w = copy(b.b, b.b[b.r:b.w])
			b.r = 0
		} else {
			grown := make([]byte, 2*len(b.b))
			copy(grown, b.b)
			b.b = grown
		}
	}
	return b.b[b.w:]
}

func (b *buffer) append(p []byte) {
	for len(p) > 0 {
		n := copy(b.space(), p)
		b.w += n
		p = p[n:]
	}
}

// fill makes p, which was appended to b.b[:0], the content of b.
func (b *buffer) fill(p []byte) { b.b, b.r, b.w = p[:cap(p)], 0, len(p) }

// bufferPool keeps buffers of bufferSize; those that grew are left to the
// garbage collector, so that one large head does not stay for ever.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *buffer {
	if b, ok := p.pool.Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, bufferSize)}
}

func (p *bufferPool) put(b *buffer) {
	if len(b.b) != bufferSize {
		return
	}
	b.r, b.w = 0, 0
	p.pool.Put(b)
}
