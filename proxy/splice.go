package proxy

import (
	"sync"

	"go.uber.org/zap"

	"tlslift/metrics"
	"tlslift/proxy/arrival"
	"tlslift/proxy/hello"
)

// splice observes a connection that is relayed untouched: what the upstream
// answers to the hello, and whether the client then says that it does not
// trust the upstream's certificate. Each direction is watched by the goroutine
// that carries it.
type splice struct {
	t      *tunnel
	answer hello.AnswerObserver
	told   bool

	mu   sync.Mutex // the session, while both directions may speak of it
	head []byte     // of the client's second record, up to an alert's length
}

// down is shown what the upstream says until its first message is complete.
func (s *splice) down(p []byte) bool {
	if _, err := s.answer.Write(p); err == nil && !s.answer.Done() {
		return true
	}
	s.tell()
	return false
}

// tell takes note of the upstream's answer, or that there was none.
func (s *splice) tell() {
	if s.told {
		return
	}
	s.told = true
	t, arr := s.t, s.t.sess.arr
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.answer.Answer()
	if err == nil && !a.Refused {
		arr.Version, arr.Cipher = arrival.VersionOf(a.Version), a.CipherSuite
	}
	t.s.countConnection(t.sess)
	if err == nil && a.Refused {
		reason, advice := refusedFor(a.Alert), adviceNoSharedCipher
		if t.sess.hello.Framing == hello.SSLv2 {
			reason, advice = metrics.HandshakeSSLv2Hello, adviceSSLv2Framed
		}
		t.s.observeRefused(t.sess, reason, true)
		t.explain("the upstream refused a spliced client", reason.String(), advice, zap.Uint8("alert", a.Alert))
	}
}

// refusedFor is the reason of an upstream's alert (RFC 8446 6.2).
func refusedFor(alert uint8) metrics.HandshakeReason {
	const handshakeFailure, insufficientSecurity, protocolVersion = 40, 71, 70
	switch alert {
	case handshakeFailure, insufficientSecurity:
		return metrics.HandshakeNoSharedCipher
	case protocolVersion:
		return metrics.HandshakeVersion
	default:
		return metrics.HandshakeOther
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
		t := s.t
		t.s.observeRefused(t.sess, metrics.HandshakeClientRejectedCA, true)
		t.explain("a spliced client does not trust the upstream", metrics.HandshakeClientRejectedCA.String(), adviceUpstreamRoots)
	}
	return false
}
