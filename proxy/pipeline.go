package proxy

import (
	"errors"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/elazarl/goproxy"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// newPipeline makes goproxy the way docs/architecture.md explains: its filter
// chain and CONNECT dispatch, our own transport, never its MITM.
func (s *Server) newPipeline() *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Logger = goproxyLog{s.log}
	p.Verbose = false // prints whole URLs, passwords included
	p.KeepHeader = true
	p.KeepAcceptEncoding = true
	p.ConnectDial = nil                         // reads the environment's proxies
	p.Tr = &http.Transport{DialContext: noDial} // verifies nothing and replays GETs
	p.OnRequest().HandleConnectFunc(s.onConnect)
	p.OnRequest().DoFunc(s.onRequest)
	p.OnResponse().DoFunc(s.onResponse)
	return p
}

// ServeHTTP takes one request from the inner http.Server through the pipeline
// and writes its line. It answers every request it is given.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sess := sessionOf(r.Context())
	if sess == nil {
		http.Error(w, "tlslift: a connection that did not come through the front", http.StatusInternalServerError)
		return
	}
	rec := newRecord(sess, s.now(), s.ids.next())
	sess.rec = rec
	out := &rec.out
	*out = responseWriter{inner: w, rec: rec, draining: &s.draining}
	s.active.Add(1)
	defer s.active.Add(-1)
	s.begin(rec, r)

	done := false
	defer func() {
		// A panic (ours or a library's) stays in its connection; it is
		// logged, and the line is still written.
		if !done {
			s.crashed(rec, recover())
		}
		if out.hijacked {
			rec.release() // the connection is the tunnel's now, and so is its line
			return
		}
		s.finish(out, r)
		abort := rec.abort
		sess.rec = nil
		rec.held.release()
		rec.release()
		if abort {
			sess.conn.Reset()
			panic(http.ErrAbortHandler)
		}
	}()
	s.serve(out, r, rec)
	done = true
}

// open fills in what is known before any decision.
func (s *Server) begin(rec *record, r *http.Request) {
	arr := rec.sess.arr
	rec.method = r.Method
	rec.version, rec.cipher, rec.ja4 = arr.Version, arr.Cipher, rec.sess.ja4
	rec.insecure = arr.Version.Insecure()
	rec.label = labelDenied
	rec.decision = "allow"
}

func (s *Server) serve(out *responseWriter, r *http.Request, rec *record) {
	arr := rec.sess.arr
	ref := rec.sess.conn.Refusal()
	if r.Method == http.MethodConnect || ref != nil && ref.Connect {
		rec.method = http.MethodConnect
		s.serveConnect(out, r, rec)
		return
	}
	t, bad := targetOf(arr, r)
	rec.ingress, rec.host, rec.path = t.ingress, logHost(t.host), redact.Path(t.raw)
	rec.seesHTTP = t.scheme == "http"
	if arr.Ingress == call.Unknown {
		arr.Ingress = t.ingress
	}
	_, rec.query, _ = strings.Cut(t.raw, "?")
	rec.apiType = redact.APIType(rec.query)
	if ref != nil {
		_ = s.identify(rec, r, rec.query)
		s.refuse(out, r, rec, &refusal{reason: ref.Reason, status: ref.Status, detail: ref.Detail})
		return
	}
	if arr.Barred {
		_ = s.identify(rec, r, rec.query)
		s.refuse(out, r, rec, &refusal{reason: problem.ACL, detail: detailBarred})
		return
	}
	if err := s.readBody(rec, r); err != nil {
		_ = s.identify(rec, r, rec.query)
		s.refuse(out, r, rec, s.explain(rec, err))
		return
	}
	if err := s.identify(rec, r, rec.query); err != nil {
		s.refuse(out, r, rec, &refusal{reason: problem.ProxyAuth, detail: "proxy credentials are missing or wrong"})
		return
	}
	if bad == nil {
		bad = s.forbidden(rec, r)
	}
	if bad != nil {
		s.refuse(out, r, rec, bad)
		return
	}
	d := s.decide(arr, t)
	rec.ours = d.ours
	switch {
	case d.refusal != nil:
		s.refuse(out, r, rec, d.refusal)
		return
	case d.selfTest:
		s.selfTest(out, r, rec)
		return
	}
	rec.route, rec.label = d.route, d.route.Label
	rec.ex.Target = t.raw
	r.URL = rec.sess.proxied(t.host)
	s.pipeline.ServeHTTP(out, r)
}

// detailBarred is what the log says of a caller that the listener's allow does
// not name.
const detailBarred = "the caller is not on the listener's allow list"

// forbidden holds the rules that do not depend on the target.
func (s *Server) forbidden(rec *record, r *http.Request) *refusal {
	switch {
	case r.Method == http.MethodTrace:
		return &refusal{reason: problem.Method, detail: "TRACE would show the caller its own secrets"}
	case upgradeAsked(r.Header):
		return &refusal{reason: problem.Method, detail: "protocol upgrades have no use with this API"}
	case rewrite.HasVia(r.Header, s.viaName):
		return &refusal{reason: problem.Loop, detail: "the request has passed through this tlslift before"}
	}
	return nil
}

// readBody holds the beginning of the request's body, so that a caller that
// does not finish it has sent nothing, and looks at it for what the log and
// the ledger say.
func (s *Server) readBody(rec *record, r *http.Request) error {
	held, err := hold(r)
	if err != nil {
		return err
	}
	rec.held = held
	if held == nil {
		return nil
	}
	contentType := first(r.Header, "Content-Type")
	if rec.apiType == "" {
		rec.apiType = redact.APITypeForm(held.prefix(), contentType)
	}
	if rec.apiType == "" && r.Method == http.MethodPost {
		rec.apiType = redact.SOAPOperation(first(r.Header, "Soapaction"), contentType, held.prefix())
	}
	return nil
}

// upgradeAsked reports a protocol upgrade that a client cannot do without.
// h2c is only an offer (RFC 7540 3.2), which Java's HttpClient makes with every
// plain request: it is dropped with the other hop-by-hop fields.
func upgradeAsked(h http.Header) bool {
	up := h["Upgrade"]
	if len(up) == 0 {
		return false
	}
	for _, v := range up {
		if !strings.EqualFold(strings.TrimSpace(v), "h2c") {
			return true
		}
	}
	return false
}

// onRequest is goproxy's request filter: what must change on the way up.
func (s *Server) onRequest(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Request, *http.Response) {
	rec := sessionOf(r.Context()).rec
	ctx.UserData = rec
	ctx.RoundTripper = s
	rewrite.HopByHop(r.Header)
	r.Header.Del("Expect") // answered by the inner server, RFC 9110 10.1.1
	rewrite.Via(r.Header, s.via[min(r.ProtoMinor, 1)])
	r.Close = false
	return r, nil
}

// RoundTrip implements goproxy.RoundTripper. The caller's context is left
// behind: once a byte went upstream, nothing the caller does cancels it.
func (s *Server) RoundTrip(r *http.Request, ctx *goproxy.ProxyCtx) (*http.Response, error) {
	rec := ctx.UserData.(*record)
	rec.ex.AbortBody = rec.sess.conn.AbortBody
	rec.ex.Memory = rec.memory
	began := s.now()
	resp, err := s.transport.Do(s.work, r, rec.route, &rec.ex)
	rec.upstream = s.now().Sub(began)
	if rec.ours && !neverSent(err) {
		rec.upgraded = true
	}
	if err != nil {
		return nil, err
	}
	// Wrapped here and not in the response filter: goproxy drops the
	// Content-Length of a body that a filter has changed.
	rec.body = watchedBody{ReadCloser: resp.Body, rec: rec}
	resp.Body = &rec.body
	return resp, nil
}

// neverSent reports whether err is of a request of which nothing went upstream.
func neverSent(err error) bool {
	var failure *upstream.Error
	var body *upstream.BodyError
	return errors.As(err, &failure) && failure.Delivery == problem.NotSent || errors.As(err, &body) && body.Delivery == problem.NotSent
}

// onResponse is goproxy's response filter: an answer of the upstream is made
// fit for the caller, a failure becomes an answer of our own.
func (s *Server) onResponse(resp *http.Response, ctx *goproxy.ProxyCtx) *http.Response {
	rec := ctx.UserData.(*record)
	if resp == nil {
		return s.failed(rec, ctx.Req, ctx.Error)
	}
	rec.origin, rec.delivery = originUpstream, problem.Answered
	rewrite.HopByHop(resp.Header)
	rewrite.StripOwn(resp.Header)
	resp.Trailer = nil
	if rec.ours && rec.seesHTTP {
		rewrite.Response(resp.Header, s.settings.Load().rewrite, s.upgraded, s.countRewrite)
	}
	completeHeader(resp)
	rec.streaming = resp.ContentLength < 0
	// goproxy would copy every field; the responseWriter moves them.
	rec.out.moved, resp.Header = resp.Header, noHeader
	return resp
}

// upgraded reports whether requests to the host are upgraded: links to it are
// to stay http for a caller that cannot follow https.
func (s *Server) upgraded(n host.Name) bool {
	_, verdict := s.transport.Route(n, 0)
	return verdict == upstream.Ours
}

// failed maps an error of the round trip to the answer.
func (s *Server) failed(rec *record, r *http.Request, err error) *http.Response {
	ref := s.explain(rec, err)
	rec.reason, rec.detail = ref.reason, ref.detail
	resp := s.problemResponse(rec, r, ref)
	// goproxy takes away the length of a body it does not know.
	rec.out.moved, resp.Header = resp.Header, http.Header{}
	return resp
}

// explain is the one place where an error of the upstream side, or of the
// caller's own body, becomes a reason and a delivery word.
func (s *Server) explain(rec *record, err error) *refusal {
	rec.delivery = rec.ex.Delivery
	if rec.delivery == problem.Answered {
		rec.delivery = problem.Unknown // the head came, the rest did not
	}
	var body *front.BodyError
	if errors.As(err, &body) {
		rec.clientGone = body.Gone()
		return s.explainBody(rec, body.Reason)
	}
	var short *upstream.BodyError
	if errors.As(err, &short) {
		rec.delivery = short.Delivery
		return &refusal{reason: problem.ClientTimeout, detail: "the caller's body ended before its announced length"}
	}
	var up *upstream.Error
	if errors.As(err, &up) {
		rec.delivery = up.Delivery
		return &refusal{reason: up.Reason, detail: up.Error()}
	}
	return &refusal{reason: problem.Protocol, detail: "the round trip failed"}
}

// explainBody is explain for a request's body that did not come as announced.
func (s *Server) explainBody(rec *record, reason problem.Reason) *refusal {
	switch {
	case s.work.Err() != nil: // cut at the drain deadline
		rec.clientGone = false
		if rec.delivery == problem.NotSent {
			return &refusal{reason: problem.Draining, detail: "shutting down while the caller's body was on its way"}
		}
		return &refusal{reason: problem.Timeout, detail: "shutting down while the caller's body was on its way"}
	case reason == problem.TooLarge:
		return &refusal{reason: reason, detail: "the chunked body is over its limit"}
	case reason == problem.Malformed:
		return &refusal{reason: reason, detail: "the body's chunk framing is malformed"}
	default:
		return &refusal{reason: reason, detail: "the caller's body did not arrive"}
	}
}

func protoOf(r *http.Request) string {
	if r.ProtoMinor == 0 {
		return "1.0"
	}
	return "1.1"
}

// finish writes what the request leaves behind: the canonical line, metrics,
// the ledger's row. It runs after the answer has left.
func (s *Server) finish(out *responseWriter, r *http.Request) {
	rec := out.rec
	// Writes that follow each other closely wake a sleeping caller once, and
	// to wake somebody is the dearest part of a write. So under load the other
	// requests are brought as far as this one first, and what is left to do for
	// this one waits until they have written.
	runtime.Gosched()
	out.flush()
	runtime.Gosched()
	now := s.now()
	rec.duration = now.Sub(rec.start)
	rec.requestBytes = rec.sess.conn.BodyRead()
	rec.sess.up += rec.requestBytes
	rec.sess.down += rec.responseBytes
	s.presence(out)
	s.observe(rec, r, now)
	s.writeLine(rec)
}

// presence finds out whether the caller was still there. It costs a system
// call, so it is asked only when somebody may have lost patience.
func (s *Server) presence(out *responseWriter) {
	rec := out.rec
	if out.writeErr != nil {
		rec.clientGone = true
		return
	}
	if rec.duration < patience && rec.reason == problem.None {
		return
	}
	switch rec.sess.conn.Gone() {
	case front.Gone:
		rec.clientGone = true
	case front.HalfClosed:
		delivered, known := rec.sess.conn.Delivered(time.Second)
		rec.clientGone = known && !delivered
	}
}

// patience is how long a request may take before it is asked whether its caller
// is still there: nobody hangs up sooner, and no real API answers so fast.
const patience = 10 * time.Millisecond
