package proxy

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/problem"
)

// splice observes a connection that is relayed untouched: how the upstream answers
// the hello, and whether the client then makes a call.
type splice struct {
	t *tunnel

	mu     sync.Mutex // guards the fields below, and the tunnel and its connection meanwhile
	called bool
	judged bool // the connection's result is known
}

// detailLoop is the log's detail for a spliced hello that came back to us.
const detailLoop = "the upstream's address leads back to tlslift: correct its address, the DNS of its name, or the hosts file"

// renewal is the minimum time between two reports of calls on a spliced connection.
const renewal = time.Hour

// turned is called when the conversation changes.
func (s *splice) turned(turns *hello.Turns, down bool) {
	called := down && turns.Called()
	if !called && !turns.Failed() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.judged:
	case called:
		s.called, s.judged = true, true
		s.agreed(turns)
		s.t.reportEarly(call.Observation{Handling: call.Spliced})
	default:
		s.t.reportEarly(s.judge(turns, true))
	}
}

// again is called when there was another call since the last report.
func (s *splice) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.called {
		return
	}
	v := s.t.observation(call.Observation{Handling: call.Spliced, Again: true})
	v.Version = s.t.c.facts.Version
	s.t.reportObservation(&v)
}

// agreed records what the two ends have agreed on. The caller holds mu.
func (s *splice) agreed(turns *hello.Turns) {
	a, err := turns.Answer()
	if err != nil || a.Refused {
		return
	}
	facts := *s.t.c.facts
	facts.Version, facts.Cipher = call.VersionOf(a.Version), a.CipherSuite
	s.t.c.facts = &facts
}

// end is called when the connection is over. byClient means that the client was the
// first to end its side.
func (s *splice) end(turns *hello.Turns, byClient bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.judged {
		s.t.out.Observation = s.t.c.observe(s.t.c.client, s.t.observation(s.judge(turns, byClient)))
	}
}

// judge returns what a connection without a call shows. The caller holds mu.
func (s *splice) judge(turns *hello.Turns, byClient bool) call.Observation {
	s.judged = true
	s.agreed(turns)
	t, ending := s.t, turns.Ending(byClient)
	v := call.Observation{Handling: call.Spliced, NoCall: true, AtUpstream: true}
	v.NoAlert = ending == hello.HungUp || ending == hello.LeftSilently
	switch ending {
	case hello.Refused:
		if t.unregisterHello() { // the alert is our own
			t.out.Reason, t.out.Detail = problem.Loop, detailLoop
			return v
		}
		a, _ := turns.Answer()
		failure, obstacle := refusedFor(a.Alert)
		switch h := t.c.facts.Hello; {
		case h.Framing == hello.SSLv2:
			failure, obstacle = call.HandshakeSSLv2Hello, fixes.SSLv2Upstream
		case failure == call.HandshakeNoSharedCipher && shutOut(h):
			obstacle = fixes.ShutOut
		}
		v.Failure = failure
		t.warn("the upstream refused a spliced client", failure, obstacle, zap.Uint8("alert", a.Alert))
	case hello.Rejected:
		v.Failure = call.HandshakeClientRejectedUpstream
		t.warn("a spliced client does not trust the upstream", v.Failure, fixes.DistrustsUpstream)
	case hello.GaveUp:
		v.Failure = call.HandshakeClientAlert
		t.warn("a spliced client gave up", v.Failure, fixes.GaveUp)
	case hello.HungUp:
		v.Failure = call.HandshakeEOF
		t.warn("a spliced client hung up during the handshake", v.Failure, fixes.HungUpUpstream)
	case hello.LeftSilently:
		v.Failure = call.HandshakeNoCall
		t.logHandshake(zapcore.InfoLevel, "a spliced client left without a call", v.Failure, fixes.DistrustsUpstream)
	case hello.Cut, hello.Left:
		v.Failure = call.HandshakeNoCall
		if !turns.Accepted() {
			v.Failure = call.HandshakeEOF
		}
	default:
		v.Failure = call.HandshakeEOF
	}
	t.out.Failure = v.Failure
	return v
}

// refusedFor maps an upstream's alert (RFC 8446 section 6.2) to a failure and an
// obstacle.
func refusedFor(alert uint8) (call.HandshakeFailure, fixes.Obstacle) {
	const handshakeFailure, insufficientSecurity, protocolVersion, unrecognizedName = 40, 71, 70, 112
	switch alert {
	case handshakeFailure, insufficientSecurity:
		return call.HandshakeNoSharedCipher, fixes.NoSharedCipher
	case protocolVersion:
		return call.HandshakeVersion, fixes.UpstreamVersion
	case unrecognizedName:
		return call.HandshakeOther, fixes.UpstreamName
	default:
		return call.HandshakeOther, fixes.UpstreamAlert
	}
}
