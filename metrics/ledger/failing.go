package ledger

import (
	"time"

	"tlslift/proxy/call"
)

// fails reports whether an obstacle can make calls fail: the others leave nothing
// in the way of a handshake.
func (v Verdict) fails() bool { return v != NoVerdict && v != Capable && v != Plaintext }

// quiet is how long a client has made no call before it can be failing. Of one
// with several machines, one may fail while the others call all the time.
const quiet = 10 * time.Minute

// FailingAt is the one definition of a client that cannot call, of one instance
// and of a fleet; deploy/prometheus/rules.yml has it in PromQL. Something is in
// its way, a TLS handshake of it failed within migratedAfter, and since then no
// call of it has arrived and nobody has declared it migrated.
func (s Times) FailingAt(now time.Time, migratedAfter time.Duration) bool {
	called := s.LastInsecure
	if s.LastSecure.After(called) {
		called = s.LastSecure
	}
	return s.Verdict.fails() && now.Sub(s.LastFailed) < migratedAfter &&
		s.LastFailed.After(called) && now.Sub(called) >= quiet &&
		(!s.declaredAt(now) || s.LastFailed.After(s.Declared))
}

func handshakeFailed(f call.HandshakeFailure) bool {
	return f != call.HandshakeOK && f != call.HandshakeNoCall && f != call.HandshakeNotTLS
}
