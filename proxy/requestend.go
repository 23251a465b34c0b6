package proxy

import (
	"errors"
	"net"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// finish completes the request's outcome and records it, after the answer has been
// sent.
func (q *request) finish() {
	c, o := q.c, &q.out
	_ = q.w.FlushError()
	o.End = c.s.now()
	if o.Method == call.LabelOther && q.decision.Action != decide.Pass {
		o.Path = "" // like the method, it may be part of a message
		if q.r.Form == http1.AbsoluteForm && (q.r.Blanks || q.r.Refusal != nil) {
			o.Host = "" // the real request line may come after it
		}
	}
	o.Status = q.w.Status()
	if q.r.Refusal != nil && q.r.Refusal.Silent {
		o.Kind, o.Client = call.Dropped, c.client
		c.s.finish(o)
		return
	}
	o.RequestBytes, o.ResponseBytes = q.r.BodyBytes(), q.w.Written()
	o.UpstreamVersion, o.UpstreamReused = q.ex.TLSVersion, q.ex.Reused
	o.UserAgent, o.Partial, o.Caller = first(q.r.Header, "User-Agent"), q.r.Partial, callerID(q.r.Header)
	if o.Ours && o.Insecure() {
		o.Exposed = redact.Exposed(q.query, first(q.r.Header, "Authorization"), first(q.r.Header, "Content-Type"), q.held.prefix())
	}
	if o.FromUpstream && o.Reason == problem.None {
		q.streamed()
	}
	o.Misnamed = o.Ours && q.route == nil && !q.named()
	q.presence()
	if c.by == nil {
		c.identifyConnection(q.st)
		o.Client = c.client
	}
	o.Offer = c.evidence.offer
	switch v := q.observation(); {
	case o.Host == host.SelfTest: // the next request may be a call
		c.evidence.tested = true
	case v.Ours && !v.NoCall:
		o.Observation = c.observe(c.client, v)
	default:
		c.evidence.await(c.client, v)
	}
	if t := c.tunnel; t != nil {
		t.out.RequestBytes += o.RequestBytes
		t.out.ResponseBytes += o.ResponseBytes
	}
	c.s.finish(o)
}

// streamed sets the delivery of an answer that may have been streamed. If one of our
// upstreams' answers was not passed on to its end, its delivery is unknown: the
// caller left, and the rest was too long to await. An event stream ends only when its
// caller leaves, and an answer from another host is not about a message.
func (q *request) streamed() {
	o := &q.out
	if o.Delivery = q.ex.Delivery; o.Delivery != problem.Unknown {
		return
	}
	if q.events || !o.Ours {
		o.Delivery = problem.Answered
		return
	}
	o.Reason, o.Detail = problem.Reset, "the answer was not passed on to its end"
}

// observation returns what the request shows about its connection's client. A request
// that was refused, or was for a foreign host, is not an insecure call of the API.
// The ingress is that of the connection's first request.
func (q *request) observation() call.Observation {
	o := &q.out
	v := call.Observation{Ingress: o.Ingress, Handling: q.c.facts.Handling, Ours: o.Ours && o.Host != host.SelfTest}
	switch {
	case q.c.facts.Handling != call.Plain:
		v.Ingress = q.c.facts.Ingress
	case (o.Reason.Denied() && o.Reason != problem.ClientGone || q.opening.Reason != problem.None) && (q.closes || !o.Ours):
		v.Handling, v.NoCall = call.Refused, true
	case o.Label == call.LabelOther && q.route != nil:
		v.Handling, v.NoCall = call.Tunnelled, true
	}
	v.Ingress = q.c.evidence.wayIn(v.Ingress)
	return v
}

// presence records whether the caller had left. It costs a system call, so it asks
// only when the caller may have given up.
func (q *request) presence() {
	o, err := &q.out, q.w.Err()
	switch {
	case errors.Is(err, net.ErrClosed): // by us, at the drain deadline
		return
	case err != nil, o.Reason == problem.ClientGone:
		o.ClientGone = true
		return
	}
	if o.Duration() < presenceCheckAfter && o.Reason == problem.None {
		return
	}
	switch s := q.c.front.PeerState(); {
	case s.Reset:
		o.ClientGone = true
	case s.HalfClosed:
		delivered, known := q.c.front.Delivered(time.Second)
		o.ClientGone = known && !delivered
	}
}

// Gone implements upstream.Caller. It costs a system call, so it asks only when the
// caller may have given up.
func (q *request) Gone() bool {
	c := q.c
	if !decide.AskCaller(q.first, c.s.now().Sub(q.out.Start)) {
		return false
	}
	s := c.front.PeerState()
	if c.facts.Handling == call.Terminated && !s.Reset && !s.HalfClosed {
		c.front.WithoutWaiting(func() { s.HalfClosed = c.http.Ended() })
	}
	return decide.GaveUp(c.facts.Handling, s)
}

// presenceCheckAfter is how long a request may take before its caller's presence is
// checked. No caller hangs up sooner, and no real API answers that fast.
const presenceCheckAfter = 10 * time.Millisecond
