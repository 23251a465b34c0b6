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
// and of a fleet; deploy/prometheus/rules.yml has it in PromQL. A TLS handshake
// of it failed within migratedAfter because something is in its way, and since
// then no call of it has arrived and it was not declared migrated.
func (s Times) FailingAt(now time.Time, migratedAfter time.Duration) bool {
	called := s.LastInsecure
	if s.LastSecure.After(called) {
		called = s.LastSecure
	}
	return (s.Verdict.fails() || s.fellBack()) && now.Sub(s.LastFailed) < migratedAfter &&
		s.LastFailed.After(called) && now.Sub(called) >= quiet &&
		(!s.declaredAt(now) || s.LastFailed.After(s.Declared))
}

// fellBack reports whether a client that is capable was refused for a fallback: no
// other handshake of a modern client counts as failed without another verdict,
// and its next modern hello is a new try.
func (s Times) fellBack() bool {
	return s.Verdict == Capable && !s.LastCapable.IsZero() && !s.LastFailed.Before(s.LastCapable)
}

// shutOutBy reports whether a handshake that failed shows that something is in the
// way of its client. An old hello shows that by itself, one that falls back too,
// and so does a wrong name; a modern one only if the reason is evidence of a
// verdict. Else it may be a scanner.
func shutOutBy(f call.HandshakeFailure, offer *call.Offer) bool {
	switch f {
	case call.HandshakeOK, call.HandshakeNoCall, call.HandshakeNotTLS:
		return false
	case call.HandshakeNoServerName, call.HandshakeNoSharedCipher, call.HandshakeSignature, call.HandshakeSSLv2Hello,
		call.HandshakeClientRejectedCA, call.HandshakeClientRejectedUpstream:
		return true
	default:
		return offer != nil && (offer.Max.Insecure() || offer.WrongName)
	}
}
