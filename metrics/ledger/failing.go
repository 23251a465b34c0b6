package ledger

import (
	"time"

	"tlslift/proxy/call"
)

// fails reports whether an obstacle makes calls fail, and does not only make
// them insecure. failed says that a handshake failed.
func (v Verdict) fails(failed bool) bool {
	switch v {
	case ShutOut, DistrustsCA, DistrustsUpstream, NoSharedCipher, NoServerName:
		return true
	case SSLv2Framed, LegacyOnly, NamesWrongHost:
		return failed
	default:
		return false
	}
}

// FailingAt reports whether the client tried to call within migratedAfter, and
// could not: it never made a call, and its TLS handshakes fail. failed says
// whether one did, as HandshakeFailed has it.
func (v *Row) FailingAt(now time.Time, migratedAfter time.Duration, failed bool) bool {
	return failing(v.State, v.Verdict, &v.Evidence, now, migratedAfter, failed)
}

func failing(state State, verdict Verdict, e *Evidence, now time.Time, migratedAfter time.Duration, failed bool) bool {
	return state == NoCalls && verdict.fails(failed) && now.Sub(at(e.Held(verdict))) < migratedAfter
}

// HandshakeFailed reports whether a count of Row.Failures under this reason is
// of handshakes that failed.
func HandshakeFailed(reason string) bool {
	f, known := call.ParseHandshakeFailure(reason)
	return known && handshakeFailed(f)
}

func handshakeFailed(f call.HandshakeFailure) bool {
	return f != call.HandshakeOK && f != call.HandshakeNoCall && f != call.HandshakeNotTLS
}

// handshakeFailed reports whether a handshake of the client ever failed.
func (r *row) handshakeFailed() bool {
	for _, t := range r.totals {
		if t.subject == ofFailures && handshakeFailed(call.HandshakeFailure(t.a)) {
			return true
		}
	}
	return false
}
