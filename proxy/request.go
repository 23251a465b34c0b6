package proxy

import (
	"net/http"
	"strings"

	"github.com/elazarl/goproxy"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// request is one request while it is served. Requests are pooled, so an idle
// connection holds none.
type request struct {
	c  *conn
	st *settings // read once
	w  *http1.Response
	r  *http1.Request

	out      call.Outcome
	decision decide.Decision
	opening  decide.Decision // about its connection, if redirected
	place    decide.Place
	first    bool   // the first on its connection, or it waited behind another one
	target   string // path and query as sent upstream
	query    string // of target; never logged

	route     *upstream.Route
	ex        upstream.Exchange
	held      *heldBody // the beginning of the body; nil without one
	answer    watchedBody
	closes    bool          // our own answer ends the connection
	streaming bool          // the answer is streamed: each write is flushed
	events    bool          // the answer is an event stream, which has no end of its own
	connected bool          // it is a CONNECT that was answered with 200
	behind    problem.Cause // the cause behind an error answer of our own
	memory    upstream.Memory
}

// ServeHTTP1 implements http1.Handler. It takes one request from decision to outcome.
func (c *conn) ServeHTTP1(w *http1.Response, r *http1.Request) {
	c.renewRules()
	opening, relayed := c.openRedirected(w, r)
	if relayed {
		return
	}
	q, ok := c.s.requests.Get().(*request)
	if !ok {
		q = new(request)
	}
	q.c, q.st, q.w, q.r, q.opening = c, c.s.settings.Load(), w, r, opening
	c.req = q
	q.first, c.begun = !c.begun || r.Queued, true
	word, _ := call.Method(r.Method)
	q.out = call.Outcome{
		Conn: c.facts, ID: c.s.ids.next(), Start: c.s.now(), Method: word, Label: call.LabelDenied,
		Version: c.facts.Version, Cipher: c.facts.Cipher, JA4: c.facts.JA4, Handling: c.facts.Handling,
	}
	if r.Refusal != nil {
		q.out.Start = q.out.Start.Add(-r.Refusal.Waited)
	}
	c.s.active.Add(1)
	served := false
	defer func() {
		c.s.active.Add(-1)
		if !served {
			c.s.logPanic(recover(), "panic while serving a request", q.out.ID)
			q.out.Reason, q.out.Delivery = problem.Protocol, problem.Unknown
			w.Abort()
		}
		if !q.connected { // else the connection is a tunnel now, with its own outcome
			q.finish()
		}
		c.req = nil
		q.release()
	}()
	q.serve()
	served = true
}

// release returns the request to the pool, emptied, so any later use fails.
func (q *request) release() {
	q.held.release()
	q.memory.Reset()
	s := q.c.s
	*q = request{memory: q.memory}
	s.requests.Put(q)
}

// serve decides, then acts.
func (q *request) serve() {
	if q.r.Method == http.MethodConnect {
		q.connect()
		return
	}
	c, r := q.c, q.r
	place, found := q.st.decide.Find(c.facts, decide.Target{
		Absolute: r.Form == http1.AbsoluteForm, Scheme: r.Scheme, Host: r.Name, Port: r.Port, Path: r.Target,
	})
	if q.opening.Reason != problem.None { // the host is not known, and could be one of ours
		place.Host, found = q.opening.Host, q.opening
		if route, ours := q.st.upstream.Route(place.Host); ours {
			q.out.Label = route.Label
		}
	}
	q.place, q.target = place, below(r.Target, place.Prefix)
	_, q.query, _ = strings.Cut(q.target, "?")
	q.out.Ingress, q.out.Host, q.out.Path = place.Ingress, place.Host.String(), redact.Path(q.target)
	q.out.APIType = redact.APIType(q.query)
	var bodyErr error
	if r.Refusal == nil && c.refusal == nil && !c.facts.Denied {
		bodyErr = q.readBody()
	}
	unadmitted := q.identify()
	q.out.Client = c.client
	if q.refusedEarly(bodyErr) {
		return
	}
	q.decision = q.st.decide.Request(c.facts, place, found, decide.Head{
		Method: r.Method, Blanks: r.Blanks, Upgrade: upgradeAsked(r.Header), OwnVia: rewrite.HasVia(r.Header, c.s.viaName), Unadmitted: unadmitted,
	})
	q.out.Decision, q.out.Ours, q.out.FallsBack, q.out.Setting = q.decision.Action.String(), q.decision.Ours, q.fallsBack(), q.setting()
	switch q.decision.Action {
	case decide.Upgrade:
		q.route, _ = q.st.upstream.Route(q.decision.Host)
		r.Method = q.out.Method
	case decide.Pass:
		q.route = q.st.foreign(q.decision)
	case decide.SelfTest:
		q.selfTest()
		return
	default:
		q.behind = q.decision.Cause
		q.refuse(q.decision.Reason, 0, q.decision.Detail)
		return
	}
	q.out.Label, q.ex.Target = q.route.Label, q.target
	r.URL = c.goproxyURL(q.decision.Host)
	c.s.pipeline.ServeHTTP(q.w, &r.Request)
}

// named reports whether the request itself names one of our upstreams, and its tunnel
// is not for another one.
func (q *request) named() bool {
	_, ours := q.st.upstream.Route(q.place.Host)
	return ours && q.out.Reason != problem.Misdirected
}

// below returns a target without the prefix of a base URL.
func below(target, prefix string) string {
	switch {
	case prefix == "":
		return target
	case strings.HasPrefix(target[len(prefix):], "/"):
		return target[len(prefix):]
	default:
		return "/" + target[len(prefix):]
	}
}

// fallsBack reports whether the caller uses an http URL of the host itself. A caller
// that names no host may have such a URL, and is assumed to.
func (q *request) fallsBack() bool {
	return q.place.SeesHTTP && q.out.Version == call.VersionNone && !q.ownURL()
}

// ownURL reports whether the caller's URL contains our own address.
func (q *request) ownURL() bool {
	return q.place.Base && (q.place.Prefix != "" || !q.r.Name.IsZero())
}

// setting returns the client's setting that leads it here.
func (q *request) setting() call.Setting {
	if q.ownURL() {
		return call.SettingURL
	}
	return call.SettingOf(q.place.Ingress, !q.r.Name.IsZero())
}

// view returns how the caller sees the upstreams.
func (q *request) view() rewrite.View {
	v := rewrite.View{Upgraded: q.st.upgraded, Host: q.route.Host, HTTP: q.place.SeesHTTP}
	v.Target, v.Port = q.route.Given()
	if q.place.Base {
		path, _, _ := strings.Cut(q.target, "?")
		v.Base = &rewrite.Base{Authority: q.r.Host, Prefix: q.place.Prefix, Path: path}
	}
	return v
}

// refusedEarly answers a request that cannot be decided about: the caller may not
// connect, the head is malformed, or the body did not arrive. It reports whether it
// did.
func (q *request) refusedEarly(bodyErr error) bool {
	switch {
	case q.c.refusal != nil:
		q.w.CloseAfter()
		q.behind = q.c.refusal.Cause
		q.refuse(q.c.refusal.Reason, 0, q.c.refusal.Detail)
	case q.r.Refusal != nil && q.r.Refusal.Reason == problem.ClientTimeout && q.c.s.baseCtx.Err() != nil:
		q.refuse(problem.Draining, 0, "shutting down while the caller's head was on its way")
	case q.r.Refusal != nil:
		q.behind = q.r.Refusal.Cause
		q.refuse(q.r.Refusal.Reason, q.r.Refusal.Status, q.r.Refusal.Detail)
	case bodyErr != nil && !q.c.facts.Denied:
		reason, detail := q.explain(bodyErr)
		q.refuse(reason, 0, detail)
	default:
		return false
	}
	q.out.Decision = decide.Refuse.String()
	q.out.Ours = q.place.Ours && q.c.refusal == nil && !q.c.facts.Denied
	return true
}

// readBody holds the beginning of the request's body, so a caller that does not
// finish it has sent nothing upstream. It also looks there for the API type.
func (q *request) readBody() error {
	timeout := memoryTimeout
	if limit := q.st.Limits.BodyTimeout; limit > 0 {
		timeout = min(timeout, limit)
	}
	held, err := hold(&q.r.Request, &q.c.s.buffers, &q.c.http.Share, timeout)
	if err != nil || held == nil {
		return err
	}
	q.held = held
	contentType := first(q.r.Header, "Content-Type")
	if q.out.APIType == "" {
		q.out.APIType = redact.APITypeForm(held.prefix(), contentType)
	}
	if q.out.APIType == "" && q.out.Method == http.MethodPost {
		q.out.APIType = redact.SOAPOperation(first(q.r.Header, "Soapaction"), contentType, held.prefix())
	}
	return nil
}

// identify names the caller according to the current settings. The error says why its
// proxy credentials were rejected.
func (q *request) identify() (err error) {
	c, st, authorization := q.c, q.st, first(q.r.Header, "Authorization")
	renewed := c.by != st.Resolver
	if c.outer != nil {
		if proxied := c.outer.Source == call.SourceProxyAuth || c.outer.Source == call.SourceProxyUser; renewed && !proxied {
			c.identifyConnection(st)
			*c.outer = c.client
		}
		// The CONNECT was named already; only the account can name it better.
		c.client, c.by = st.Resolver.Within(*c.outer, authorization, q.query, q.held.prefix), st.Resolver
		return nil
	}
	if renewed {
		c.identifyConnection(st)
	}
	if !c.final {
		facts := *c.facts
		facts.Ingress = q.out.Ingress
		c.client, err = st.Resolver.Request(&facts, first(q.r.Header, "Proxy-Authorization"), authorization, q.query, q.held.prefix)
	}
	return err
}

// upgradeAsked reports whether a client asks for a protocol upgrade that it needs.
// h2c is only an offer (RFC 7540 section 3.2), which Java's HttpClient makes with
// every plain request. It is dropped with the other hop-by-hop fields.
func upgradeAsked(h http.Header) bool {
	for _, v := range h["Upgrade"] {
		if !strings.EqualFold(strings.TrimSpace(v), "h2c") {
			return true
		}
	}
	return false
}

// onRequest is goproxy's request filter. It changes what must change on the way up.
func (s *Server) onRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	ctx.UserData, ctx.RoundTripper = connOf(r.Context()), s
	rewrite.HopByHop(r.Header)
	rewrite.Via(r.Header, s.via[min(r.ProtoMinor, 1)])
	return r, nil
}

// RoundTrip implements goproxy.RoundTripper. It ignores the caller's context: once a
// byte went upstream, nothing that the caller does cancels it.
func (s *Server) RoundTrip(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Response, error) {
	q := ctx.UserData.(*conn).req
	q.ex.Caller, q.ex.AbortBody, q.ex.Memory, q.ex.Owned = q, q.c.http.AbortBody, &q.memory, &q.c.owned
	q.ex.Share = &q.c.http.Share
	began := s.now()
	resp, err := s.transport.Do(s.baseCtx, r, q.route, &q.ex)
	q.out.Upstream = s.now().Sub(began)
	q.out.Upgraded = q.out.Ours && q.ex.Delivery != problem.NotSent
	if err != nil {
		return nil, err
	}
	// Wrapped here and not in the response filter: goproxy drops the
	// Content-Length of a body that a filter has changed.
	q.answer = watchedBody{ReadCloser: resp.Body, q: q}
	resp.Body = &q.answer
	return resp, nil
}

// onResponse is goproxy's response filter. It adapts an upstream answer to the
// caller, and turns a failure into an answer of our own.
func (s *Server) onResponse(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
	q := ctx.UserData.(*conn).req
	if resp == nil {
		reason, detail := q.explain(ctx.Error)
		q.out.Reason, q.out.Detail = reason, detail
		resp = q.problem(0)
	} else {
		q.out.FromUpstream, q.out.Delivery = true, problem.Answered
		rewrite.HopByHop(resp.Header)
		rewrite.StripOwn(resp.Header)
		if v := q.view(); q.out.Ours && v.Changes() {
			rewrite.Response(resp.Header, q.st.Rewrite, v, s.metrics.Rewrite)
			q.document(resp, v)
		}
		q.events = upstream.EventStream(resp.Header)
		q.streaming = resp.ContentLength < 0 || q.events
	}
	q.w.SetHeader(resp.Header)
	resp.Header = nil // goproxy would copy every field
	return resp
}

func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}
