package http1

import "sync"

// Sizes of pooled buffers, in bytes. Nearly every head fits the small ones; an
// answer goes out in one write if it fits a large one.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// Buffers is a pool of buffers for a proxy's connections and for what they hold. A
// connection borrows none while it waits for a request. The zero value is ready for
// use. Do not copy a Buffers.
type Buffers struct{ small, large sync.Pool }

// Large is the size of a large buffer, in bytes.
const Large = largeBuffer

// Get returns a buffer of 4 KiB if n bytes fit into that, else one of 64 KiB.
func (p *Buffers) Get(n int) []byte {
	if n > smallBuffer {
		if b, ok := p.large.Get().(*[largeBuffer]byte); ok {
			return b[:]
		}
		return make([]byte, largeBuffer)
	}
	if b, ok := p.small.Get().(*[smallBuffer]byte); ok {
		return b[:]
	}
	return make([]byte, smallBuffer)
}

// Put returns a buffer, up to its full capacity, to the pool. A buffer of another
// size has grown and is left to the garbage collector.
func (p *Buffers) Put(b []byte) {
	b = b[:cap(b)]
	if raceEnabled { // make a read after the release show in tests
		for i := range b {
			b[i] = 0xdb
		}
	}
	switch len(b) {
	case smallBuffer:
		p.small.Put((*[smallBuffer]byte)(b))
	case largeBuffer:
		p.large.Put((*[largeBuffer]byte)(b))
	}
}
