package proxy

import (
	"cmp"
	"sync"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// callTime is how long a connection has for its first call before its hello is
// reported without one.
const callTime = 10 * time.Second

// evidence is what a connection shows of its client, and how much of it was
// reported.
type evidence struct {
	reported    bool             // all of it was
	tested      bool             // a self-test came on it, which shows nothing
	observation call.Observation // it
	offer       *call.Offer      // of the hello; nil without one
	pending     *pending         // what to report at the end, unless a call of ours comes first; nil = nothing

	mu    sync.Mutex  // of what follows: a timer may report the hello
	timer *time.Timer // that one
	over  bool        // the timer is too late
	under string      // the name that the hello was reported under; "" = it was not
}

// pending is what requests show that were refused, or for other hosts: the latest one,
// with the way in of the first.
type pending struct {
	call.Observation
	client call.Identity
}

// await keeps what a request shows until a call of ours comes. What was passed on
// outweighs what was refused.
func (e *evidence) await(client call.Identity, v call.Observation) {
	switch {
	case e.reported:
	case e.pending == nil:
		e.pending = &pending{v, client}
	case v.Handling != call.Refused || e.pending.Handling == call.Refused:
		*e.pending = pending{v, client}
	}
}

// offered takes the connection's hello.
func (c *conn) offered() {
	h := c.facts.Hello
	c.evidence.offer = &call.Offer{
		Max: c.facts.Offered(), SSLv2: h.Framing == hello.SSLv2, SNI: h.SNI(), Fallback: h.FallbackSCSV,
		Library: libraryOf(h), JA4: c.facts.JA4, WrongName: wrongName(c.facts), ShutOut: shutOut(h),
	}
}

// awaitCall reports the hello when no call came in time. host is the one that the
// connection is for, and ours says that it is one of our upstreams.
func (c *conn) awaitCall(host string, ours bool) {
	e := &c.evidence
	o := call.Outcome{Kind: call.Observed, Conn: c.facts, Client: c.client, Ingress: c.facts.Ingress, Host: host, Offer: e.offer}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer = time.AfterFunc(callTime, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.over {
			return
		}
		e.under = o.Client.Name
		o.End = c.s.now()
		o.Observation = &call.Observation{Ours: ours, Ingress: o.Ingress, Early: true, NoCall: true, Hello: o.Offer}
		c.s.finish(&o)
	})
}

// hello returns what is still to be reported of a client's hello under a name. was
// is the name that it was reported under before, if another.
func (e *evidence) hello(name string) (offer *call.Offer, was string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if e.under == name {
		return nil, ""
	}
	return e.offer, e.under
}

// observe is what the connection shows of its client, once: at its first call, or
// at its end. Later calls return nil.
func (c *conn) observe(client call.Identity, v call.Observation) *call.Observation {
	e := &c.evidence
	if e.reported {
		return nil
	}
	e.reported = true
	if v.NoCall && v.Handling != call.Refused && e.passed() {
		v.Handling = call.Tunnelled // as what came before
	}
	v.Hello, v.FormerName = e.hello(client.Name)
	v.Version = cmp.Or(c.facts.Version, c.facts.Offered())
	if c.tunnel != nil { // its line names whom the connection counts under
		c.tunnel.out.Client = client
	}
	e.observation = v
	return &e.observation
}

// wayIn is that of the connection's first request. in is that of a later one, or the
// connection's own.
func (e *evidence) wayIn(in call.Ingress) call.Ingress {
	if e.pending != nil {
		return e.pending.Ingress
	}
	return in
}

// passed reports whether calls for other hosts were passed on, and no call of ours
// came.
func (e *evidence) passed() bool { return e.pending != nil && e.pending.Handling == call.Tunnelled }

// ended reports what a plain connection shows on which no call of ours came.
func (c *conn) ended() {
	if c.tunnel == nil {
		c.reportPending()
	}
}

// reportPending reports what is pending, if nothing else was reported.
func (c *conn) reportPending() {
	e := &c.evidence
	if e.reported || e.pending == nil {
		return
	}
	v := c.observe(e.pending.client, e.pending.Observation)
	c.s.finish(&call.Outcome{Kind: call.Observed, Conn: c.facts, Client: e.pending.client, End: c.s.now(), Ingress: v.Ingress, Observation: v})
}

// libraryOf is the guessed library and era of a hello; "" when there is no
// hello or no guess.
func libraryOf(h *hello.ClientHello) string {
	if h == nil {
		return ""
	}
	lib := h.Library()
	if lib.Name == "" {
		return ""
	}
	return lib.String()
}
