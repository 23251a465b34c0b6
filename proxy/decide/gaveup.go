package decide

import (
	"time"

	"tlslift/proxy/call"
)

const (
	// waitUnasked is how long a request may wait before its caller is asked for.
	waitUnasked = 50 * time.Millisecond
	// habit is how soon after its last byte a caller may end its side and yet
	// read the answer. A caller that gives up waits longer than this.
	habit = 500 * time.Millisecond
)

// AskCaller reports whether a request's caller must be asked for before the
// first byte goes upstream. The first request of a connection may have waited
// in the accept queue of a process that was starting, one that was sent before the
// answer to another in the queue behind that; how long is not known.
func AskCaller(first bool, waited time.Duration) bool { return first || waited > waitUnasked }

// GaveUp reports whether a caller no longer waits for its answer, so its request
// must not be sent: it reports a failure, and its owner sends again. Some callers
// end their side together with the request, and read the answer. Over TLS none does: a
// close_notify ends both directions in the libraries of our callers.
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
