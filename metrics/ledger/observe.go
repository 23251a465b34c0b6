package ledger

import (
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// Client is who something was seen of: the name and rung that the identity
// ladder gave, and whether the name is a configured one.
type Client struct {
	Name       string
	Source     string // the identity_source label
	Configured bool
}

// RequestObs is what was seen of one HTTP request.
type RequestObs struct {
	Ours      bool // it was for a configured upstream; anything else is not the ledger's
	Ingress   call.Ingress
	Version   call.Version  // the client's side
	Handling  call.Handling // Plain or Terminated
	Host      string           // the upstream host it was for
	UserAgent string           // the raw header; only its family is kept
	Exposed   redact.Kinds     // secrets that were readable on the way here
}

// ConnectionObs is what was seen of one connection, once its handling and
// version are known. It is told before a HandshakeFailure of the same
// connection.
type ConnectionObs struct {
	Ours     bool
	Ingress  call.Ingress
	Version  call.Version // negotiated; of a refused one, the highest offered
	Handling call.Handling
	Host     string
	Failed   bool // it came to nothing, or shows nothing of how the client stands
}

// HelloObs is what a ClientHello said.
type HelloObs struct {
	Ours        bool
	Offered     call.Version // the highest version offered
	SSLv2Framed bool
	Fallback    bool   // TLS_FALLBACK_SCSV (RFC 7507): it can do better than it offers
	Library     string // guessed from the cipher list; "" = unknown
	JA4         string
}

// FailureObs is a handshake that failed.
type FailureObs struct {
	Ours     bool
	Reason   string          // of tlslift_client_handshake_failures_total; anything else is "other"
	Offered  call.Version // the highest version offered; None when no hello was read
	Fallback bool            // TLS_FALLBACK_SCSV was in the hello
	Upstream bool            // between the client and the upstream, spliced: not with us
	Shown    bool            // it had been shown our certificate
}

// FailureReasons are the values of the label "reason" of
// tlslift_client_handshake_failures_total.
var FailureReasons = [...]string{
	"version", "no_shared_cipher", "signature", "sslv2_hello", "client_rejected_ca",
	"client_alert", "timeout", "eof", "not_tls", "other",
}

// Request records a request.
func (l *Ledger) Request(c Client, o RequestObs) {
	if !o.Ours {
		return
	}
	family := FamilyOf(o.UserAgent)
	now := l.clock().Unix()
	r, s := l.row(c, now)
	defer s.mu.Unlock()
	r.seen(now, c.Source)
	r.tallies.count(ofRequests, ingressIndex(o.Ingress), versionIndex(o.Version))
	r.tallies.count(ofFamilies, uint8(family), 0)
	r.family = family
	r.host(o.Host, now)
	d := r.today(now)
	if o.Version.Insecure() {
		r.lastInsecure = max(r.lastInsecure, now)
		increment(&d.InsecureRequests)
	} else {
		r.lastSecure = max(r.lastSecure, now)
		increment(&d.SecureRequests)
	}
	if o.Version.Insecure() || o.Handling == call.Terminated {
		r.lastLifted = max(r.lastLifted, now)
	}
	if o.Version == call.VersionNone {
		r.evidence[Plaintext] = now
	}
	if o.Exposed != 0 {
		r.expose(o.Exposed, now)
	}
}

// Connection records a connection.
func (l *Ledger) Connection(c Client, o ConnectionObs) {
	if !o.Ours || o.Handling == call.Tunnelled {
		return
	}
	now := l.clock().Unix()
	r, s := l.row(c, now)
	defer s.mu.Unlock()
	r.seen(now, c.Source)
	if !o.Failed || o.Handling != call.Terminated { // or it would look as if the client had got in
		r.tallies.count(ofConnections, handlingIndex(o.Handling), versionIndex(o.Version))
	}
	if o.Handling == call.Spliced || o.Handling == call.Refused {
		r.host(o.Host, now) // of any other, the requests name it
	}
	if o.Failed {
		return
	}
	d := r.today(now)
	switch {
	case o.Version.Insecure():
		r.lastInsecure = max(r.lastInsecure, now)
		increment(&d.InsecureConnections)
	case o.Handling != call.Refused:
		r.lastSecure = max(r.lastSecure, now)
		increment(&d.SecureConnections)
	}
	switch o.Handling {
	case call.Plain:
		r.evidence[Plaintext] = now
	case call.Terminated:
		r.evidence[DistrustsCA] = 0
	case call.Spliced:
		r.evidence[DistrustsUpstream], r.evidence[NoSharedCipher] = 0, 0
	}
}

// Hello records a ClientHello.
func (l *Ledger) Hello(c Client, o HelloObs) {
	if !o.Ours {
		return
	}
	now := l.clock().Unix()
	r, s := l.row(c, now)
	defer s.mu.Unlock()
	r.seen(now, c.Source)
	r.offered = max(r.offered, o.Offered)
	r.tallies.count(ofHellos, versionIndex(o.Offered), 0)
	r.guess(&o)
	switch {
	case o.Fallback || !o.Offered.Insecure():
		r.evidence[Capable] = now
	default:
		r.evidence[LegacyOnly] = now
	}
	if o.SSLv2Framed {
		r.evidence[SSLv2Framed] = now
	}
}

// HandshakeFailure records a handshake that failed. One that failed for want of
// anything modern in common, or by a client that offers nothing modern, is
// insecure traffic: without tlslift that client cannot get through either.
func (l *Ledger) HandshakeFailure(c Client, o FailureObs) {
	if !o.Ours {
		return
	}
	reason := failureIndex(o.Reason)
	now := l.clock().Unix()
	r, s := l.row(c, now)
	defer s.mu.Unlock()
	r.seen(now, c.Source)
	r.tallies.count(ofFailures, reason, 0)
	old := o.Offered != call.VersionNone && o.Offered.Insecure() && !o.Fallback
	switch FailureReasons[reason] {
	case "no_shared_cipher", "signature":
		if !o.Offered.Insecure() {
			r.evidence[NoSharedCipher], old = now, true
		}
	case "client_rejected_ca":
		if o.Upstream {
			r.evidence[DistrustsUpstream] = now
		} else {
			r.evidence[DistrustsCA] = now
		}
	case "eof":
		// Mono, SChannel and old Node.js say no more than this when they do not
		// trust a certificate. Who has ever got in has another reason.
		if o.Shown && !o.Upstream && r.tallies.total(ofConnections, handlingIndex(call.Terminated)) == 0 {
			r.evidence[DistrustsCA] = now
		}
	case "sslv2_hello":
		r.evidence[SSLv2Framed], old = now, true
	}
	if old {
		r.lastInsecure = max(r.lastInsecure, now)
	}
}

func increment(n *uint32) {
	if *n < 1<<32-1 {
		*n++
	}
}

func failureIndex(reason string) uint8 {
	for i, known := range FailureReasons {
		if known == reason {
			return uint8(i)
		}
	}
	return uint8(len(FailureReasons) - 1)
}

func ingressIndex(i call.Ingress) uint8 {
	if i < call.Forward || i > call.Transparent {
		return 0
	}
	return uint8(i)
}

func versionIndex(v call.Version) uint8 { return uint8(min(v, call.Version13)) }

func handlingIndex(h call.Handling) uint8 { return uint8(min(h, call.Refused)) }

// dayOf is the number of a time's day, in UTC, since the Unix epoch.
func dayOf(unix int64) int32 { return int32(unix / int64(24*time.Hour/time.Second)) }
