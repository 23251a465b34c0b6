package ledger

import (
	"time"

	"tlslift/proxy/call"
)

// fails reports whether a verdict can make calls fail. Capable and Plaintext
// leave nothing in the way of a handshake.
func (v Verdict) fails() bool { return v != NoVerdict && v != Capable && v != Plaintext }

// quiet is how long a client must have made no call before it can count as
// failing. If it has several machines, one may fail while the others keep calling.
const quiet = 10 * time.Minute

// FailingAt is the single definition of a client that cannot call, for one
// instance and for a fleet; deploy/prometheus/rules.yml repeats it in PromQL. A
// TLS handshake failed within migratedAfter because something is in the client's
// way. Since then the client has made no call and was not declared migrated, and
// its last call is at least quiet ago.
func (s Times) FailingAt(now time.Time, migratedAfter time.Duration) bool {
	called := s.LastInsecure
	if s.LastSecure.After(called) {
		called = s.LastSecure
	}
	return (s.Verdict.fails() || s.fellBack()) && now.Sub(s.LastFailed) < migratedAfter &&
		s.LastFailed.After(called) && now.Sub(called) >= quiet &&
		(!s.declaredAt(now) || s.LastFailed.After(s.Declared))
}

// fellBack reports whether a capable client was refused because of a fallback.
// Without another verdict, no other failed handshake of a modern client counts.
// Its next modern hello is a new attempt.
func (s Times) fellBack() bool {
	return s.Verdict == Capable && !s.LastCapable.IsZero() && !s.LastFailed.Before(s.LastCapable)
}

// shutOutBy reports whether a failed handshake shows that something is in the
// client's way. An old hello shows that by itself, and so do a fallback and a
// wrong name. A modern hello shows it only if the reason is evidence for a
// verdict; otherwise the client may be a scanner.
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
