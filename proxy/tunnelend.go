package proxy

import (
	"errors"
	"net/http"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
)

// uncalled records that a terminated connection carried no request. late is the error
// of its first read, or nil.
func (t *tunnel) uncalled(late *legacy.Error) {
	t.out.Failure = call.HandshakeNoCall
	if late != nil { // the client may have found out only now that it does not trust us
		t.out.Failure = late.Failure
		t.warn("the client left after the handshake", late.Failure, obstacleHere(late.Failure, t.c.facts.Hello))
	}
	t.out.Observation = t.c.observe(t.c.client, t.observation(call.Observation{
		Handling: call.Terminated, NoCall: true, Failure: t.out.Failure, NoAlert: late != nil && late.Failure == call.HandshakeNoCall,
	}))
}

// noCA refuses a client that would have to be terminated, because there is no CA.
func (t *tunnel) noCA() {
	obstacle := fixes.NoCA
	if fellBack(t.c.facts.Hello) {
		obstacle = fixes.FellBack // a CA would not help
	}
	t.warn("handshake refused", call.HandshakeVersion, obstacle)
	t.out.Failure = call.HandshakeVersion
	t.refused(call.Observation{Failure: call.HandshakeVersion})
	legacy.Refuse(t.c.front, t.c.facts.Hello, legacy.AlertProtocolVersion)
}

// failed ends a tunnel whose handshake failed, and logs why.
func (t *tunnel) failed(err error) {
	failure := legacy.Classify(err)
	var e *legacy.Error
	shown := errors.As(err, &e) && e.Presented
	hungUp := shown && failure == call.HandshakeEOF
	if h := t.c.facts.Hello; h != nil {
		obstacle := obstacleBy(err, h)
		if hungUp {
			obstacle = fixes.HungUpHere
		}
		t.warn("handshake failed", failure, obstacle, zap.Error(err))
	}
	t.out.Failure = failure
	t.refused(call.Observation{Failure: t.out.Failure, NoAlert: hungUp})
	if errors.Is(err, hello.ErrMalformed) || errors.Is(err, hello.ErrTooLarge) {
		legacy.Refuse(t.c.front, nil, legacy.AlertDecodeError)
	}
}

// refused ends the tunnel as refused. The alert is sent afterwards, so the time that
// the client takes for it is not the tunnel's.
func (t *tunnel) refused(v call.Observation) {
	t.out.Handling = call.Refused
	t.c.front.Show(call.Refused)
	v.Handling, v.NoCall = call.Refused, true
	t.out.Observation = t.c.observe(t.c.client, t.observation(v))
	t.finish()
}

// refuse ends a TLS connection with an alert (RFC 8446 section 6.2).
func (t *tunnel) refuse(reason problem.Reason, alert legacy.Alert, detail string) {
	t.out.Reason, t.out.Detail, t.out.Decision = reason, detail, decide.Refuse.String()
	t.refused(call.Observation{Failure: t.out.Failure})
	legacy.Refuse(t.c.front, t.c.facts.Hello, alert)
}

// endUnused ends a tunnel that carried nothing.
func (t *tunnel) endUnused() {
	if t.far != nil {
		t.far.Close()
	}
	t.completed()
}

// completed ends a tunnel that was carried to its end.
func (t *tunnel) completed() {
	t.out.Status = http.StatusOK
	t.finish()
}

// panicked ends a tunnel after a panic in it: what became of its bytes is not known.
func (t *tunnel) panicked() {
	t.unregisterHello()
	if t.far != nil {
		t.far.Close()
	}
	t.out.Reason, t.out.Delivery, t.out.Ending = problem.Protocol, problem.Unknown, call.EndCut
	t.finish()
}

// finish completes the tunnel's outcome and records it, once.
func (t *tunnel) finish() {
	if t.finished {
		return
	}
	t.finished = true
	c, o := t.c, &t.out
	o.Conn, o.End = c.facts, c.s.now()
	if !c.evidence.reported { // else Client is the one that was reported
		o.Client = c.client
	}
	o.Version, o.Cipher, o.JA4, o.Offer = c.facts.Version, c.facts.Cipher, c.facts.JA4, c.evidence.offer
	failed := o.Failure != call.HandshakeOK && o.Failure != call.HandshakeNoCall
	if failed && o.Handling != call.Terminated || o.Handling == call.Refused {
		o.Ending = call.EndHandshake
	}
	if o.Version == call.VersionNone {
		o.Version = c.facts.Offered()
	}
	if o.Host == host.SelfTest { // its outcome is in no series
		c.reportPending()
	}
	if c.evidence.tested && c.evidence.pending == nil {
		c.evidence.hello("") // stop waiting to report the hello
	} else if o.Observation == nil {
		v := t.observation(call.Observation{Handling: o.Handling, NoCall: true})
		if c.evidence.pending != nil { // a hello that names nobody is for whom its requests are for
			v = c.evidence.pending.Observation
		}
		o.Observation = c.observe(c.client, v)
	}
	if v := &c.evidence.observation; v.Handling == call.Refused { // count it as its connection counts
		o.Handling = call.Refused
	}
	c.s.finish(o)
}

// warn logs what a client's owner needs to know.
func (t *tunnel) warn(what string, reason call.HandshakeFailure, o fixes.Obstacle, more ...zap.Field) {
	t.logHandshake(zapcore.WarnLevel, what, reason, o, more...)
}

func (t *tunnel) logHandshake(level zapcore.Level, what string, reason call.HandshakeFailure, o fixes.Obstacle, more ...zap.Field) {
	facts := t.c.facts
	advice := adviceFor(o, facts.Hello, t.out.UserAgent, reason == call.HandshakeNoCall)
	if t.needsRootForSelfTest(o) {
		advice = adviceSelfTest
	}
	t.c.s.log.Log(level, what, append([]zap.Field{
		zap.String("client", t.c.client.Name),
		zap.String("client_addr", facts.ClientText),
		zap.String("conn_id", t.c.s.ids.text(facts.Number)),
		zap.String("host", t.out.Host),
		zap.String("ja4", facts.JA4),
		zap.String("library", facts.Hello.Library().String()),
		zap.String("offered", facts.Offered().String()),
		zap.String("reason", reason.String()),
		zap.String("advice", advice),
	}, more...)...)
}
