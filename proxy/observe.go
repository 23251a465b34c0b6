package proxy

import (
	"errors"
	"net/http"
	"time"

	"tlslift/metrics"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// upstreamObserver passes what the upstream room tells on to the metrics.
type upstreamObserver struct{ m *metrics.Metrics }

func (o upstreamObserver) Phase(label string, p upstream.Phase, d time.Duration) {
	o.m.UpstreamPhase(label, p.String(), d)
}

func (o upstreamObserver) Handshake(label string, version, cipher uint16, resumed bool) {
	o.m.UpstreamHandshake(label, version, cipher, resumed)
}

func (o upstreamObserver) Certificate(label string, notAfter time.Time) {
	o.m.UpstreamCertificate(label, notAfter)
}

func (o upstreamObserver) Failure(label string, r problem.Reason, d problem.Delivery) {
	o.m.UpstreamFailure(label, r, d)
}

func (o upstreamObserver) Pool(label string, idle, busy int) { o.m.UpstreamPool(label, idle, busy) }

func (o upstreamObserver) Fallback(string) {}

func (s *Server) countRewrite(k rewrite.Kind) { s.metrics.Rewrite(k.String()) }

// client is who the session's identity is to the ledger.
func (sess *session) client() ledger.Client {
	return ledger.Client{Name: sess.ident.Name, Source: sess.ident.Rung.String(), Configured: sess.ident.Configured}
}

// identifyConnection names the caller by what is known without a request.
func (s *Server) identifyConnection(sess *session) {
	id, final := s.settings.Load().ladder.Connection(sess.arr)
	s.setIdentity(sess, id)
	sess.identified = final
}

func (s *Server) setIdentity(sess *session, id call.Identity) {
	if sess.counts != nil && sess.ident.Name == id.Name && sess.ident.Rung == id.Rung {
		return
	}
	sess.ident = id
	sess.counts = s.metrics.Client(id.Name, id.Rung.String())
}

// identify climbs the ladder for one request. Its only error is a 407.
func (s *Server) identify(rec *record, r *http.Request, query string) error {
	sess := rec.sess
	ladder := s.settings.Load().ladder
	if sess.counts == nil {
		// A name that the request can still better takes no place in the metrics.
		if id, final := ladder.Connection(sess.arr); final {
			s.setIdentity(sess, id)
			sess.identified = true
		}
	}
	if sess.identified {
		rec.clientName = sess.ident.Name
		return nil
	}
	authorization := first(r.Header, "Authorization")
	form := func() []byte { return rec.held.prefix() }
	if sess.tunnelled {
		// A CONNECT was named already; only the account can name it better.
		s.setIdentity(sess, ladder.Within(sess.outer, authorization, query, form))
		rec.clientName = sess.ident.Name
		return nil
	}
	arr := *sess.arr
	arr.Ingress = rec.ingress
	id, err := ladder.Request(&arr, first(r.Header, "Proxy-Authorization"), authorization, query, form)
	s.setIdentity(sess, id)
	rec.clientName = sess.ident.Name
	return err
}

func first(h http.Header, key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// countConnection counts a connection once: with its first request, or when it
// is known what becomes of its TLS.
func (s *Server) countConnection(sess *session) {
	if sess.counted {
		return
	}
	sess.counted = true
	arr := sess.arr
	fallback := sess.hello != nil && sess.hello.FallbackSCSV // it can do better than it says
	if !sess.ours || fallback && arr.Handling == call.Refused {
		sess.failed = true
	}
	if sess.failed {
		sess.counts.Attempt(arr.Ingress, arr.Version, arr.Handling)
	} else {
		sess.counts.Connection(arr.Ingress, arr.Version, arr.Handling)
	}
	s.ledger.Connection(sess.client(), ledger.ConnectionObs{
		Ours: sess.ours, Ingress: arr.Ingress, Version: arr.Version, Handling: arr.Handling, Host: arr.Authority, Failed: sess.failed,
	})
}

// countPlain counts a connection in clear by its first request: one that was
// refused, or was for somebody else, is no insecure call of the API.
func (s *Server) countPlain(sess *session, rec *record) {
	handling := sess.arr.Handling
	switch {
	case rec.status != 0 && rec.reason.Denied() && (rec.reason.Closes() || !rec.ours):
		sess.arr.Handling = call.Refused
	case rec.label == labelOther && rec.route != nil && !rec.ours:
		sess.arr.Handling = call.Tunnelled
	}
	s.countConnection(sess)
	sess.arr.Handling = handling
}

// observe counts a finished request.
func (s *Server) observe(rec *record, r *http.Request) {
	sess := rec.sess
	if sess.counts == nil {
		s.identifyConnection(sess)
	}
	sess.ours = sess.ours || rec.ours && rec.host != SelfTestHost
	if !sess.counted {
		if sess.arr.Ingress == call.Unknown {
			sess.arr.Ingress = rec.ingress
		}
		s.countPlain(sess, rec)
	}
	m := s.metrics
	m.Response(rec.label, rec.status, rec.origin.String())
	if rec.reason.Denied() {
		m.Denied(rec.reason)
	}
	if r.Method == http.MethodConnect {
		return // requests are what comes through the tunnel
	}
	m.RequestDuration(rec.label, rec.ingress, rec.duration.Seconds(), rec.id)
	sess.counts.Request(rec.label, rec.version, rec.insecure, rec.id)
	sess.counts.Policy(rec.decision, true)
	exposed := s.exposed(rec, r)
	s.ledger.Request(sess.client(), ledger.RequestObs{
		Ours: rec.ours, Ingress: rec.ingress, Version: rec.version, Handling: sess.arr.Handling,
		Host: rec.host, UserAgent: first(r.Header, "User-Agent"), Exposed: exposed,
	})
	s.describe(sess)
}

// exposed counts the secrets of a request that everybody between the caller
// and tlslift could read.
func (s *Server) exposed(rec *record, r *http.Request) redact.Kinds {
	if !rec.ours || !rec.insecure {
		return 0
	}
	kinds := redact.Exposed(rec.query, first(r.Header, "Authorization"), first(r.Header, "Content-Type"), rec.held.prefix())
	for _, k := range redact.AllKinds {
		if kinds.Has(k) {
			rec.sess.counts.Credentials(k.String())
		}
	}
	return kinds
}

// describe keeps the verdict and library series in step with the ledger. It is
// looked up once a second for each client at most.
func (s *Server) describe(sess *session) {
	now := s.now().Unix()
	if sess.described == now {
		return
	}
	sess.described = now
	if st, ok := s.ledger.Standing(sess.ident.Name); ok {
		sess.counts.Verdict(st.Verdict.String())
		sess.counts.Library(st.Library, sess.ident.Rung.String())
		// The ledger knows more than the series: what was before a restart,
		// and handshakes that were refused.
		sess.counts.FirstSeen(st.FirstSeen)
		sess.counts.LastInsecure(st.LastInsecure)
		sess.counts.LastSecure(st.LastSecure)
	}
}

// observeHello counts what a ClientHello says.
func (s *Server) observeHello(sess *session, h *hello.ClientHello, ours bool) {
	offered := call.VersionOf(h.MaxVersion)
	sess.counts.Hello(offered, h.Framing.String(), h.SNI())
	s.ledger.Hello(sess.client(), ledger.HelloObs{
		Ours: ours, Offered: offered, SSLv2Framed: h.Framing == hello.SSLv2,
		Fallback: h.FallbackSCSV, Library: libraryOf(h), JA4: sess.ja4,
	})
}

// libraryOf is the guessed library and era of a hello, "" when there is no
// guess.
func libraryOf(h *hello.ClientHello) string {
	lib := h.Library()
	if lib.Name == "" {
		return ""
	}
	return lib.String()
}

// observeRefused counts a handshake that failed between the client and the
// upstream, or at a hello.
func (s *Server) observeRefused(sess *session, reason metrics.HandshakeReason, atUpstream bool) {
	s.observeFailure(sess, reason, ledger.FailureObs{Upstream: atUpstream})
}

// observeFailed counts a handshake with us that failed.
func (s *Server) observeFailed(sess *session, err error) {
	var e *legacy.Error
	shown := errors.As(err, &e) && e.Presented
	s.observeFailure(sess, metrics.HandshakeReasonOf(legacy.Classify(err).String()), ledger.FailureObs{Shown: shown})
}

func (s *Server) observeFailure(sess *session, reason metrics.HandshakeReason, o ledger.FailureObs) {
	sess.counts.HandshakeFailure(reason)
	o.Ours, o.Reason = sess.ours, reason.String()
	if sess.hello != nil {
		o.Offered, o.Fallback = call.VersionOf(sess.hello.MaxVersion), sess.hello.FallbackSCSV
	}
	s.ledger.HandshakeFailure(sess.client(), o)
	sess.described = 0
	s.describe(sess)
}
