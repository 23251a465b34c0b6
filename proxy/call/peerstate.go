package call

import "time"

// PeerState is what a caller's socket shows. The zero PeerState means that the caller
// is there, as far as can be seen.
type PeerState struct {
	Reset      bool // the connection is gone
	HalfClosed bool // the caller half-closed: it may still be reading
	// Late is how long after its last byte the caller half-closed; negative if the
	// kernel does not say.
	Late time.Duration
}
