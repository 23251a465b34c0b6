package proxy

import (
	"cmp"
	"net"
	"time"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// tunnel is a connection that is more than plain HTTP: it follows a CONNECT, begins
// with a ClientHello, or is relayed to its original destination. Its outcome is
// recorded at its end.
type tunnel struct {
	c        *conn
	st       *settings // read once
	out      call.Outcome
	decision decide.Decision
	far      net.Conn // the other side, once dialled
	broken   error    // why the CONNECT could not be answered
	watch    *splice  // set for a splice
	// release forgets the random of a spliced hello, and reports whether the hello
	// came back to us; nil = none is registered.
	release  func() (cameBack bool)
	finished bool
}

// direct returns the tunnel of a ClientHello that no CONNECT preceded.
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

// newTunnel makes a tunnel that no CONNECT opened.
func (c *conn) newTunnel(st *settings) *tunnel {
	if c.by == nil {
		c.identifyConnection(st)
	}
	c.tunnel = &tunnel{c: c, st: st, out: call.Outcome{
		Kind: call.Tunnel, ID: c.s.ids.next(), Start: c.s.now(), Ingress: c.facts.Ingress, Label: call.LabelDenied,
	}}
	return c.tunnel
}

// deadline returns the time d from now, or the zero time (never) if d is 0.
func (s *Server) deadline(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// turnAway refuses a caller that may not connect.
func (t *tunnel) turnAway() {
	c := t.c
	_ = c.front.SetReadDeadline(time.Now().Add(min(settleTime, c.front.RejectTimeout())))
	if h, _, err := hello.Read(c.front, hello.Usual); err == nil {
		t.read(h)
	}
	t.refuse(c.refusal.Reason, legacy.AlertInternalError, c.refusal.Detail)
}

// read adds what a ClientHello says to the facts.
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
	c.evidence.offer.WrongName = c.evidence.offer.WrongName || t.decision.Misnamed
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
			obstacle := obstacleHere(t.out.Failure, h)
			if t.decision.Misnamed {
				obstacle = fixes.NamesWrongHost
			}
			t.warn("handshake refused", t.out.Failure, obstacle)
		}
		t.refuse(t.decision.Reason, legacy.Alert(t.decision.Alert), t.decision.Detail)
	}
}

// named returns the host to log for the tunnel's decision; the zero Name keeps the
// one that is there.
func (t *tunnel) named() host.Name {
	if t.decision.Action == decide.Relay && t.out.Host != "" {
		return host.Name{} // the name that the caller gave says more than an address
	}
	return cmp.Or(t.decision.Host, t.decision.DefaultHost)
}

// splice keeps a modern client's connection end to end. It only watches what the two
// ends agree on, and whether the client then makes a call.
func (t *tunnel) splice(h *hello.ClientHello, raw []byte, shaking *handshaking) {
	s := t.c.s
	t.release = s.transport.RegisterHello(h.Random)
	h.Detach()
	route, _ := t.st.upstream.Route(t.decision.Host)
	t.out.Label = route.Label
	shaking.over.Store(true)
	t.dialAndRelay(route, call.Spliced, raw)
}

// dial connects to the other side, and reports whether it did. If not, it records why.
func (t *tunnel) dial(route *upstream.Route) bool {
	var ex upstream.Exchange
	far, err := t.c.s.transport.DialTunnel(t.c.s.baseCtx, route, &ex)
	if err != nil {
		q := request{c: t.c, ex: ex}
		t.out.Reason, t.out.Detail = q.explain(err)
		t.out.Delivery = q.out.Delivery
		return false
	}
	t.far = far
	return true
}

func (t *tunnel) dialAndRelay(route *upstream.Route, handling call.Handling, first []byte) {
	if !t.dial(route) {
		t.unregisterHello()
		t.refuse(t.out.Reason, legacy.AlertInternalError, t.out.Detail)
		return
	}
	t.relay(handling, first)
}

// relay sets up a relay in both directions, which carry then runs. first is what was
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

// carry runs the relay, then ends the tunnel.
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

// relayed runs the relay, and counts it as in flight meanwhile.
func (t *tunnel) relayed(p *pair) relayed {
	t.c.s.active.Add(1)
	defer t.c.s.active.Add(-1)
	return p.relay()
}

// unregisterHello forgets a spliced hello, and reports whether it came back to us.
func (t *tunnel) unregisterHello() (cameBack bool) { return t.release != nil && t.release() }

// terminate ends the client's TLS here and serves the requests inside it.
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
	nc, err := t.st.legacy.Handshake(c.s.baseCtx, c.front, h, t.decision.Host, t.decision.DefaultHost)
	if err != nil {
		t.failed(err)
		return
	}
	shaking.over.Store(true)
	h.Detach()
	facts := *c.facts
	facts.Authority, facts.DefaultHost, facts.Handling = t.decision.Host, t.decision.DefaultHost, call.Terminated
	state := nc.ConnectionState()
	facts.Version, facts.Cipher = call.VersionOf(state.Version), state.CipherSuite
	c.facts = &facts
	t.out.Handling = call.Terminated
	var late *legacy.Error
	c.serveHTTP(legacy.Watch(nc, func(e *legacy.Error) { late = e }))
	if !c.evidence.reported && !c.begun {
		t.uncalled(late)
	}
	t.completed()
}

// forUpstream reports whether the tunnel is for one of our upstreams.
func (t *tunnel) forUpstream() bool { return t.out.Ours && t.out.Host != host.SelfTest }

// observation completes what the tunnel shows about its client.
func (t *tunnel) observation(v call.Observation) call.Observation {
	v.Ingress = t.c.evidence.wayIn(t.c.facts.Ingress)
	v.Ours = t.forUpstream()
	v.Host = t.c.facts.Authority.String()
	if v.Host == "" {
		v.Host = t.decision.Host.String()
	}
	return v
}

// reportEarly reports what the tunnel shows about its client before it ends.
func (t *tunnel) reportEarly(v call.Observation) {
	if sighted := t.c.observe(t.c.client, t.observation(v)); sighted != nil {
		t.reportObservation(sighted)
	}
}

// reportObservation reports an observation without ending the tunnel.
func (t *tunnel) reportObservation(v *call.Observation) {
	c, o := t.c, t.out
	o.Kind, o.Conn, o.Client, o.End, o.Observation, o.Offer = call.Observed, c.facts, c.client, c.s.now(), v, c.evidence.offer
	c.s.finish(&o)
}
