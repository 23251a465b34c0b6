package http1

import "sync"

// Sizes of pooled buffers, in bytes. Nearly every head fits the small ones; an
// answer goes out in one write if it fits a large one.
const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// Buffers lends memory: to the connections of a proxy, none while they wait for
// a request, and to what they hold. The zero value is ready for use; it must not be copied.
type Buffers struct{ small, large sync.Pool }

// Large is how many bytes a buffer takes that is not small.
const Large = largeBuffer

// Get lends a buffer of 4 KiB if n bytes fit into that, else of 64 KiB.
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

// Put takes a buffer back, all of its capacity. One of another size has grown,
// and is left to the garbage collector.
func (p *Buffers) Put(b []byte) {
	b = b[:cap(b)]
	if raceEnabled { // a read after the release must show in tests
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
