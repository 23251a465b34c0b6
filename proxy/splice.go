package proxy

import (
	"sync"

	"go.uber.org/zap"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// splice observes a connection that is relayed untouched: what the upstream
// answers to the hello, and whether the client then goes on. Each direction is
// watched by the goroutine that carries it.
type splice struct {
	t        *tunnel
	answered bool // the upstream's answer was looked at; used by the goroutine of that direction alone

	mu     sync.Mutex // of what follows, and of the tunnel and its connection meanwhile
	judged bool       // it is known whether the two came together
	head   []byte     // of the client's second record, up to an alert's length
}

// answer takes note of the upstream's answer.
func (s *splice) answer(turns *hello.Turns) {
	if s.answered || !turns.Answered() {
		return
	}
	s.answered = true
	a, err := turns.Answer()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.t.c
	if !a.Refused {
		facts := *c.facts
		facts.Version, facts.Cipher = call.VersionOf(a.Version), a.CipherSuite
		c.facts = &facts
		return
	}
	failure, obstacle := refusedFor(a.Alert)
	if c.facts.Hello.Framing == hello.SSLv2 {
		failure, obstacle = call.HandshakeSSLv2Hello, fixes.SSLv2Upstream
	}
	s.failed(failure)
	s.t.warn("the upstream refused a spliced client", failure, obstacle, zap.Uint8("alert", a.Alert))
}

// turned is told how the conversation goes.
func (s *splice) turned(turns *hello.Turns, down bool) {
	if down {
		s.answer(turns)
	}
	switch {
	case turns.Accepted() && down:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.accepted()
	case turns.Declined():
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.t.c.facts.Version < call.Version13 || s.judged {
			return // it says why, in clear: see up
		}
		s.failed(call.HandshakeClientAlert)
		s.t.warn("a spliced client refused the upstream", call.HandshakeClientAlert, fixes.LeftUpstream)
	}
}

// accepted hands over a connection whose two ends came together; under mu.
func (s *splice) accepted() {
	if !s.judged {
		s.judged = true
		s.t.hand(call.Sighted{Handling: call.Spliced})
	}
}

// failed hands over one whose ends did not; under mu.
func (s *splice) failed(failure call.HandshakeFailure) {
	if !s.judged {
		s.judged = true
		s.t.out.Failure = failure
		s.t.hand(call.Sighted{Handling: call.Spliced, Failed: true, Failure: failure, AtUpstream: true})
	}
}

// end is called when the connection is over. If neither side has said anything
// about the other, the side that left did not accept it.
func (s *splice) end(accepted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if accepted {
		s.accepted()
		return
	}
	s.failed(call.HandshakeEOF)
}

// refusedFor is the reason of an upstream's alert (RFC 8446 section 6.2), and
// what is in the way.
func refusedFor(alert uint8) (call.HandshakeFailure, fixes.Obstacle) {
	const handshakeFailure, insufficientSecurity, protocolVersion, unrecognizedName = 40, 71, 70, 112
	switch alert {
	case handshakeFailure, insufficientSecurity:
		return call.HandshakeNoSharedCipher, "no-shared-cipher"
	case protocolVersion:
		return call.HandshakeVersion, fixes.UpstreamVersion
	case unrecognizedName:
		return call.HandshakeOther, fixes.UpstreamName
	default:
		return call.HandshakeOther, fixes.UpstreamAlert
	}
}

// alertSize is the length of an unencrypted alert with its record's header.
const alertSize = 7

// up is shown what the client says after its hello. Up to TLS 1.2 a client
// that does not trust a certificate says so in clear.
func (s *splice) up(p []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.head = append(s.head, p[:min(len(p), alertSize-len(s.head))]...)
	const recordAlert, fatal = 21, 2
	switch {
	case s.head[0] != recordAlert:
		return false
	case len(s.head) < alertSize:
		return true
	case s.head[3] != 0 || s.head[4] != 2 || s.head[5] != fatal:
		return false
	}
	const badCertificate, certificateUnknown, unknownCA = 42, 46, 48
	switch s.head[6] {
	case badCertificate, certificateUnknown, unknownCA:
		s.failed(call.HandshakeClientRejectedCA)
		s.t.warn("a spliced client does not trust the upstream", call.HandshakeClientRejectedCA, "distrusts-upstream")
	default:
		s.failed(call.HandshakeClientAlert)
	}
	return false
}
