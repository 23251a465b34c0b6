package decide

import (
	"time"

	"tlslift/proxy/call"
)

const (
	// waitUnasked is how long a request may wait before its caller's presence is
	// checked.
	waitUnasked = 50 * time.Millisecond
	// habit is how soon after its last byte a caller may half-close and still read
	// the answer. A caller that gives up waits longer than this.
	habit = 500 * time.Millisecond
)

// AskCaller reports whether the caller's presence must be checked before the first
// byte of its request goes upstream. The first request of a connection may have
// waited in the accept queue of a process that was starting. A request sent before
// the answer to another may have waited behind it. How long is unknown.
func AskCaller(first bool, waited time.Duration) bool { return first || waited > waitUnasked }

// GaveUp reports whether a caller no longer waits for its answer. Then its request
// must not be sent: the caller reports a failure, and its owner sends again. Some
// callers half-close together with the request and still read the answer. Over TLS
// none does: in their libraries, a close_notify ends both directions.
func GaveUp(over call.Handling, s call.PeerState) bool {
	switch {
	case s.Reset:
		return true
	case !s.HalfClosed:
		return false
	default:
		return over == call.Terminated || s.Late > habit
	}
}
