package proxy

import (
	"sync"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// splice observes a connection that is relayed untouched: what the upstream
// answers to the hello, and whether the client then goes on. Each direction is
// watched by the goroutine that carries it.
type splice struct {
	t    *tunnel
	told bool // what the upstream answered; only the goroutine of that direction asks

	mu     sync.Mutex // the session, while both directions may speak of it
	judged bool       // it is known whether the two came together
	head   []byte     // of the client's second record, up to an alert's length
}

// tell takes note of the upstream's answer.
func (s *splice) tell(turns *hello.Turns) {
	if s.told || !turns.Answered() {
		return
	}
	s.told = true
	a, err := turns.Answer()
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !a.Refused {
		arr := s.t.sess.arr
		arr.Version, arr.Cipher = call.VersionOf(a.Version), a.CipherSuite
		return
	}
	reason, advice := refusedFor(a.Alert)
	if s.t.sess.hello.Framing == hello.SSLv2 {
		reason, advice = call.HandshakeSSLv2Hello, adviceSSLv2Framed
	}
	s.failed(reason, true)
	s.t.explain("the upstream refused a spliced client", reason.String(), advice, zap.Uint8("alert", a.Alert))
}

// turned is told how the conversation goes.
func (s *splice) turned(turns *hello.Turns, down bool) {
	if down {
		s.tell(turns)
	}
	switch {
	case turns.Accepted() && down:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.came()
	case turns.Declined():
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.t.sess.arr.Version < call.Version13 || s.judged {
			return // it says why, in clear: see up
		}
		s.failed(call.HandshakeClientAlert, true)
		s.t.explain("a spliced client refused the upstream", call.HandshakeClientAlert.String(), adviceUpstreamRoots)
	}
}

// came counts a connection whose two ends came together; under mu.
func (s *splice) came() {
	if s.judged {
		return
	}
	s.judged = true
	s.t.s.countConnection(s.t.sess)
}

// failed counts one whose ends did not; under mu.
func (s *splice) failed(reason call.HandshakeFailure, atUpstream bool) {
	if s.judged {
		return
	}
	s.judged = true
	s.t.sess.failed = true
	s.t.s.observeRefused(s.t.sess, reason, atUpstream)
	s.t.s.countConnection(s.t.sess)
}

// end is told that the connection is over: without a word of either, the one
// that left did not like the other.
func (s *splice) end(accepted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if accepted {
		s.came()
		return
	}
	s.failed(call.HandshakeEOF, true)
}

// refusedFor is the reason of an upstream's alert (RFC 8446 6.2), and what can
// be done.
func refusedFor(alert uint8) (call.HandshakeFailure, string) {
	const handshakeFailure, insufficientSecurity, protocolVersion, unrecognizedName = 40, 71, 70, 112
	switch alert {
	case handshakeFailure, insufficientSecurity:
		return call.HandshakeNoSharedCipher, adviceNoSharedCipher
	case protocolVersion:
		return call.HandshakeVersion, adviceUpstreamVersion
	case unrecognizedName:
		return call.HandshakeOther, adviceUpstreamName
	default:
		return call.HandshakeOther, adviceUpstreamAlert
	}
}

// alertSize is the length of an unencrypted alert with its record's header.
const alertSize = 7

// up is shown what the client says after its hello. Up to TLS 1.2 a client
// that does not trust a certificate says so in clear.
func (s *splice) up(p []byte) bool {
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
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed(call.HandshakeClientRejectedCA, true)
		s.t.explain("a spliced client does not trust the upstream", call.HandshakeClientRejectedCA.String(), adviceUpstreamRoots)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed(call.HandshakeClientAlert, true)
	}
	return false
}
