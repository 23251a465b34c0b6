package proxy

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// tunnel is a connection that is more than plain HTTP: what follows a CONNECT,
// or a ClientHello straight away. Its outcome is written at its end.
type tunnel struct {
	c        *conn
	st       *settings // read once
	out      call.Outcome
	decision decide.Decision
	far      net.Conn // the other side, once dialled
	broken   error    // the CONNECT could not be answered
	watch    *splice  // of a splice
	// release forgets the random of a spliced hello, and says that the hello came back
	// to us; nil = none is known.
	release  func() (cameBack bool)
	finished bool
}

// direct is the tunnel of a ClientHello that no CONNECT came before.
func (c *conn) direct() *tunnel {
	c.renewRules()
	facts := *c.facts
	facts.Ingress = call.TLS
	if facts.OriginalDst.IsValid() {
		facts.Ingress = call.Transparent
	}
	c.facts = &facts
	return c.newTunnel(c.s.settings.Load())
}

// newTunnel is a tunnel that no CONNECT opened.
func (c *conn) newTunnel(st *settings) *tunnel {
	if c.by == nil {
		c.identifyConnection(st)
	}
	c.tunnel = &tunnel{c: c, st: st, out: call.Outcome{
		Kind: call.Tunnel, ID: c.s.ids.next(), Start: c.s.now(), Ingress: c.facts.Ingress, Label: call.LabelDenied,
	}}
	return c.tunnel
}

// deadline is the time d from now; 0 is never.
func (s *Server) deadline(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// turnAway refuses a connection that may not connect.
func (t *tunnel) turnAway() {
	c := t.c
	_ = c.front.SetReadDeadline(time.Now().Add(min(settleTime, c.front.RejectTimeout())))
	if h, _, err := hello.Read(c.front, hello.Usual); err == nil {
		t.read(h)
	}
	t.refuse(c.refusal.Reason, legacy.AlertInternalError, c.refusal.Detail)
}

// read takes what a ClientHello says into the facts.
func (t *tunnel) read(h *hello.ClientHello) {
	facts := *t.c.facts
	facts.Hello, facts.JA4 = h, h.JA4()
	t.c.facts = &facts
	t.c.offered()
	if t.out.Host == "" {
		n, _ := host.Parse(h.ServerName)
		t.out.Host = n.String()
	}
}

// secure reads the ClientHello, decides by it, and carries out the decision.
func (t *tunnel) secure() {
	c, s := t.c, t.c.s
	shaking := &handshaking{c: c.front}
	c.front.Carry(shaking)
	defer shaking.over.Store(true)
	_ = c.front.SetReadDeadline(s.deadline(t.st.Legacy.Timeout))
	share := s.budget.Share()
	defer share.Release(0)
	h, raw, err := hello.ReadWithin(c.front, hello.MaxSize, func(n int) bool { return share.Gather(int64(n), 0) })
	_ = c.front.SetReadDeadline(time.Time{})
	if err != nil {
		t.failed(err)
		return
	}
	t.read(h)
	t.decision = t.st.decide.Hello(c.facts, decide.Hello{
		Modern: h.Modern(), ServerName: h.ServerName, Own: s.transport.OwnHello(h.Random), Terminate: t.st.terminate[c.client.Name],
	})
	t.out.Decision, t.out.Ours = t.decision.Action.String(), t.decision.Ours
	if n := t.named(); !n.IsZero() {
		t.out.Host = n.String()
	}
	if t.decision.Action == decide.Splice || t.decision.Action == decide.Terminate {
		c.awaitCall(t.out.Host, t.forUpstream())
	}
	switch t.decision.Action {
	case decide.Splice:
		t.splice(h, raw, shaking)
	case decide.Terminate:
		t.terminate(h, raw, shaking)
	case decide.Relay:
		t.out.Label = call.LabelOther
		shaking.over.Store(true)
		t.dialAndRelay(t.st.foreign(t.decision), call.Tunnelled, raw)
	default:
		if t.out.Failure = t.decision.Failure; t.out.Failure != call.HandshakeOK {
			t.warn("handshake refused", t.out.Failure, obstacleHere(t.out.Failure, h))
		}
		t.refuse(t.decision.Reason, legacy.Alert(t.decision.Alert), t.decision.Detail)
	}
}

// named is the host that the tunnel's decision names, for the log.
func (t *tunnel) named() host.Name {
	if t.decision.Action == decide.Relay && t.out.Host != "" {
		return host.Name{} // the name that the caller gave says more than an address
	}
	return cmp.Or(t.decision.Host, t.decision.DefaultHost)
}

// splice keeps a modern client's connection end to end, and watches only what
// the two agree on and whether the client goes on.
func (t *tunnel) splice(h *hello.ClientHello, raw []byte, shaking *handshaking) {
	s := t.c.s
	t.release = s.transport.RegisterHello(h.Random)
	h.Detach()
	route, _ := t.st.upstream.Route(t.decision.Host)
	t.out.Label = route.Label
	shaking.over.Store(true)
	t.dialAndRelay(route, call.Spliced, raw)
}

func (t *tunnel) dialAndRelay(route *upstream.Route, handling call.Handling, first []byte) {
	s := t.c.s
	var ex upstream.Exchange
	far, err := s.transport.DialTunnel(s.baseCtx, route, &ex)
	if err != nil {
		t.unregisterHello()
		q := request{c: t.c, ex: ex}
		reason, detail := q.explain(err)
		t.out.Delivery = q.out.Delivery
		t.refuse(reason, legacy.AlertInternalError, detail)
		return
	}
	t.far = far
	t.relay(handling, first)
}

// relay has carry relay bytes both ways until the tunnel ends. first is what was
// already read from the client.
func (t *tunnel) relay(handling call.Handling, first []byte) {
	c := t.c
	t.out.Handling = handling
	c.front.Show(handling)
	_ = c.front.SetDeadline(time.Time{})
	c.relay = newPair(c.front, t.far, first, t.st.Limits.TunnelIdleTimeout)
	if handling == call.Spliced {
		t.watch = &splice{t: t}
		c.relay.onTurn, c.relay.onRenewal = t.watch.turned, t.watch.again
	} else {
		t.reportEarly(call.Observation{Handling: handling, NoCall: true})
	}
	c.front.Carry(c.relay)
}

// carry relays, and then ends the tunnel.
func (t *tunnel) carry() {
	c, p := t.c, t.c.relay
	c.relay = nil
	defer t.unregisterHello()
	res := t.relayed(p)
	c.front.Carry(nil)
	if t.watch != nil {
		t.watch.end(&p.turns, p.nearFirst)
	}
	t.out.RequestBytes, t.out.ResponseBytes = res.up, res.down
	t.out.FromUpstream, t.out.Ending = t.out.Reason == problem.None, p.end
	t.completed()
}

// relayed relays, and counts as under way meanwhile.
func (t *tunnel) relayed(p *pair) relayed {
	t.c.s.active.Add(1)
	defer t.c.s.active.Add(-1)
	return p.relay()
}

// unregisterHello forgets a spliced hello, and reports whether it came back to us.
func (t *tunnel) unregisterHello() (cameBack bool) { return t.release != nil && t.release() }

// terminate ends the client's TLS here and serves what comes out of it.
func (t *tunnel) terminate(h *hello.ClientHello, raw []byte, shaking *handshaking) {
	c := t.c
	t.out.Label = call.LabelOther
	if route, ours := t.st.upstream.Route(cmp.Or(t.decision.Host, t.decision.DefaultHost)); ours {
		t.out.Label = route.Label
	}
	if t.st.legacy == nil {
		t.noCA()
		return
	}
	c.front.Unread(raw)
	nc, res, err := t.st.legacy.Handshake(c.s.baseCtx, c.front, h, t.decision.Host, t.decision.DefaultHost)
	if err != nil {
		t.failed(err)
		return
	}
	shaking.over.Store(true)
	h.Detach()
	facts := *c.facts
	facts.Authority, facts.DefaultHost, facts.Handling = t.decision.Host, t.decision.DefaultHost, call.Terminated
	facts.Version, facts.Cipher = call.VersionOf(res.Version), res.CipherSuite
	c.facts = &facts
	t.out.Handling = call.Terminated
	var late *legacy.Error
	c.serveHTTP(legacy.Watch(nc, func(e *legacy.Error) { late = e }))
	if !c.evidence.reported && !c.begun {
		t.uncalled(late)
	}
	t.completed()
}

// uncalled ends a terminated connection on which nothing was asked. late is the
// failure of its first read, if that failed.
func (t *tunnel) uncalled(late *legacy.Error) {
	t.out.Failure = call.HandshakeNoCall
	if late != nil { // the client may have found only now that it does not trust us
		t.out.Failure = late.Failure
		t.warn("the client left after the handshake", late.Failure, obstacleHere(late.Failure, t.c.facts.Hello))
	}
	t.out.Observation = t.c.observe(t.c.client, t.observation(call.Observation{
		Handling: call.Terminated, NoCall: true, Failure: t.out.Failure, NoAlert: late != nil && late.Failure == call.HandshakeNoCall,
	}))
}

// forUpstream reports whether the tunnel is for one of our upstreams.
func (t *tunnel) forUpstream() bool { return t.out.Ours && t.out.Host != host.SelfTest }

// observation completes what the tunnel shows of its client.
func (t *tunnel) observation(v call.Observation) call.Observation {
	v.Ingress = t.c.evidence.wayIn(t.c.facts.Ingress)
	v.Ours = t.forUpstream()
	v.Host = t.c.facts.Authority.String()
	if v.Host == "" {
		v.Host = t.decision.Host.String()
	}
	return v
}

// reportEarly reports what the tunnel shows of its client before it ends.
func (t *tunnel) reportEarly(v call.Observation) {
	if sighted := t.c.observe(t.c.client, t.observation(v)); sighted != nil {
		t.reportObservation(sighted)
	}
}

// reportObservation reports an observation by itself.
func (t *tunnel) reportObservation(v *call.Observation) {
	c, o := t.c, t.out
	o.Kind, o.Conn, o.Client, o.End, o.Observation, o.Offer = call.Observed, c.facts, c.client, c.s.now(), v, c.evidence.offer
	c.s.finish(&o)
}

// noCA refuses a client that would have to be terminated.
func (t *tunnel) noCA() {
	obstacle := fixes.NoCA
	if fellBack(t.c.facts.Hello) {
		obstacle = fixes.FellBack // which a CA does not help
	}
	t.warn("handshake refused", call.HandshakeVersion, obstacle)
	t.out.Failure = call.HandshakeVersion
	t.refused(call.Observation{Failure: call.HandshakeVersion})
	legacy.Refuse(t.c.front, t.c.facts.Hello, legacy.AlertProtocolVersion)
}

// failed explains a handshake that did not succeed; the connection is closed.
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

// refused ends the tunnel as refused. The alert follows: how long the client
// takes for it is not the tunnel's time.
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

// endUnused ends a tunnel in which nothing was said.
func (t *tunnel) endUnused() {
	if t.far != nil {
		t.far.Close()
	}
	t.out.Status = http.StatusOK
	t.finish()
}

// completed ends a tunnel that was carried to its end.
func (t *tunnel) completed() {
	t.out.Status = http.StatusOK
	t.finish()
}

// panicked ends a tunnel in which something of ours panicked: what became of its
// bytes is not known.
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
	if !c.evidence.reported { // else it names whom that was of
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
	if o.Host == host.SelfTest { // whose outcome is in no series
		c.reportPending()
	}
	if c.evidence.tested && c.evidence.pending == nil {
		c.evidence.hello("") // it is not awaited any longer
	} else if o.Observation == nil {
		v := t.observation(call.Observation{Handling: o.Handling, NoCall: true})
		if c.evidence.pending != nil {
			v = c.evidence.pending.Observation
		}
		o.Observation = c.observe(c.client, v)
	}
	if v := &c.evidence.observation; v.Handling == call.Refused { // as the connection counts
		o.Handling = call.Refused
	}
	c.s.finish(o)
}

// warn logs what a client's owner has to know.
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
