package proxy

import (
	"cmp"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/host"
	"tlslift/proxy/http1"
)

// openRedirected decides about a redirected plaintext connection by its first
// request, and about each later request that names no host. If the connection is to
// be relayed, openRedirected dials the other side while http1 still accounts for the
// head. Then relayed is true, and the caller must not use w any more.
func (c *conn) openRedirected(w *http1.Response, r *http1.Request) (d decide.Decision, relayed bool) {
	if !c.facts.OriginalDst.IsValid() || c.facts.Handling != call.Plain || c.outer != nil || c.begun && !r.Name.IsZero() ||
		c.refusal != nil || c.facts.Denied {
		return decide.Decision{}, false
	}
	st := c.s.settings.Load()
	o := decide.Opening{OtherProtocol: r.OtherProtocol()}
	o.Hosts, o.Certain = r.Hosts()
	d = st.decide.Redirected(c.facts, o)
	if d.Action == decide.Relay && !c.begun {
		c.dialOnwards(st, d, cmp.Or(r.Name, d.Host))
		c.front.Unread(w.Unread())
		return d, true
	}
	facts := *c.facts
	facts.DefaultHost = d.DefaultHost
	c.facts = &facts
	return d, false
}

// relaySilent relays a redirected connection on which neither side has spoken, unless
// the decision is to wait for the caller's first bytes. It reports whether it
// relayed.
func (c *conn) relaySilent() bool {
	st := c.s.settings.Load()
	d := st.decide.Silent(c.facts)
	if d.Action != decide.Relay {
		return false
	}
	c.dialOnwards(st, d, d.Host)
	c.relayOnwards()
	return true
}

// dialOnwards turns a redirected connection into a tunnel and dials its original
// destination. host is for the log.
func (c *conn) dialOnwards(st *settings, d decide.Decision, host host.Name) {
	facts := *c.facts
	facts.Ingress = call.Transparent
	c.facts = &facts
	t := c.newTunnel(st)
	t.decision = d
	t.out.Decision, t.out.Host, t.out.Label = d.Action.String(), host.String(), call.LabelOther
	if !t.dial(st.foreign(d)) {
		t.out.Ending = call.EndHandshake
	}
}

// relayOnwards relays the tunnel that dialOnwards made.
func (c *conn) relayOnwards() {
	c.http, c.url = nil, nil // an idle tunnel holds nothing of the request
	if t := c.tunnel; t.far == nil {
		t.refused(call.Observation{}) // the dial failed, and there is nothing to answer
	} else {
		t.relay(call.Tunnelled, nil)
	}
}
