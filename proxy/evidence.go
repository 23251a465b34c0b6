package proxy

import (
	"cmp"
	"sync"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// callTime is how long a connection may take to make its first call before its hello
// is reported without one.
const callTime = 10 * time.Second

// evidence is what a connection shows about its client, and how much of that has been
// reported.
type evidence struct {
	reported    bool             // the observation was reported
	tested      bool             // a self-test came on it, which shows nothing
	observation call.Observation // the one that was reported
	offer       *call.Offer      // from the hello; nil without one
	pending     *pending         // reported at the end unless a call to one of our hosts comes first; nil = nothing

	mu    sync.Mutex  // guards the fields below: a timer may report the hello
	timer *time.Timer // reports the hello
	over  bool        // the timer may no longer report
	under string      // the name that the hello was reported under; "" = not reported
}

// pending is what requests that were refused, or were for other hosts, show: the
// latest one, with the ingress of the first.
type pending struct {
	call.Observation
	client call.Identity
}

// await keeps what a request shows until a call to one of our hosts comes. A request
// that was passed on takes precedence over one that was refused.
func (e *evidence) await(client call.Identity, v call.Observation) {
	switch {
	case e.reported:
	case e.pending == nil:
		e.pending = &pending{v, client}
	case v.Handling != call.Refused || e.pending.Handling == call.Refused:
		*e.pending = pending{v, client}
	}
}

// offered records what the connection's ClientHello offers.
func (c *conn) offered() {
	h := c.facts.Hello
	c.evidence.offer = &call.Offer{
		Max: c.facts.Offered(), SSLv2: h.Framing == hello.SSLv2, SNI: h.SNI(), Fallback: h.FallbackSCSV,
		Library: libraryOf(h), JA4: c.facts.JA4, WrongName: wrongName(c.facts), ShutOut: shutOut(h),
	}
}

// awaitCall starts a timer that reports the hello if no call comes in time. host is
// the connection's destination, and ours reports whether that is one of our
// upstreams.
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

// hello stops the timer and returns the client's hello if it is still to be reported
// under name, else nil. was is the other name that it was reported under before, if
// any.
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

// observe returns what the connection shows about its client, once: at its first
// call, or at its end. After that it returns nil.
func (c *conn) observe(client call.Identity, v call.Observation) *call.Observation {
	e := &c.evidence
	if e.reported {
		return nil
	}
	e.reported = true
	passed := e.pending != nil && e.pending.Handling == call.Tunnelled
	if v.NoCall && v.Handling != call.Refused && passed {
		v.Handling = call.Tunnelled // like the requests before it
	}
	v.Hello, v.FormerName = e.hello(client.Name)
	v.Version = cmp.Or(c.facts.Version, c.facts.Offered())
	if c.tunnel != nil { // its line names the client that the connection counts under
		c.tunnel.out.Client = client
	}
	e.observation = v
	return &e.observation
}

// wayIn returns the ingress of the connection's first request if one is pending, else
// in.
func (e *evidence) wayIn(in call.Ingress) call.Ingress {
	if e.pending != nil {
		return e.pending.Ingress
	}
	return in
}

// reportPending reports what the connection shows if no call to one of our hosts came
// on it.
func (c *conn) reportPending() {
	e := &c.evidence
	if e.reported || e.pending == nil {
		return
	}
	v := c.observe(e.pending.client, e.pending.Observation)
	c.s.finish(&call.Outcome{Kind: call.Observed, Conn: c.facts, Client: e.pending.client, End: c.s.now(), Ingress: v.Ingress, Observation: v})
}

// renewEvidence reports what is pending, then begins the evidence of a tunnel that
// shows its client anew: calls came before its CONNECT, or it is for a self-test,
// which shows nothing. Its timer cannot run yet.
func (c *conn) renewEvidence() {
	c.reportPending()
	c.evidence = evidence{}
}

// libraryOf returns the library and era guessed from a hello, or "" without a hello
// or a guess.
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
