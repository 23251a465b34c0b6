package call

import "time"

// PeerState is what a caller's socket says of it. The zero Standing is a caller
// that is there, as far as can be seen.
type PeerState struct {
	Reset      bool // the connection is gone
	HalfClosed bool // the caller ended its side: it may still be reading
	// Late is how long after its last byte the caller ended its side; negative
	// where the kernel does not say.
	Late time.Duration
}
