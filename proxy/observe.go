package proxy

import (
	"errors"
	"net/http"
	"time"

	"tlslift/metrics"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/legacy"
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

func (o upstreamObserver) Pool(label string, idle, busy int) { o.m.UpstreamPool(label, idle, busy) }

func (o upstreamObserver) ClassicHello(label string) { o.m.UpstreamClassicHello(label) }

func (s *Server) countRewrite(k rewrite.Kind) { s.metrics.Rewrite(k) }

// identifyConnection names the caller by what is known without a request.
func (s *Server) identifyConnection(sess *session) {
	id, final := s.settings.Load().ladder.Connection(sess.arr)
	s.setIdentity(sess, id)
	sess.identified = final
}

func (s *Server) setIdentity(sess *session, id call.Identity) { sess.ident = id }

// identify climbs the ladder for one request. Its only error is a 407.
func (s *Server) identify(rec *record, r *http.Request, query string) error {
	sess := rec.sess
	ladder := s.settings.Load().ladder
	if sess.ident.Name == "" {
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

// countConnection hands over what the connection shows of its client, once:
// when it is known what becomes of its TLS, or with its first request.
func (s *Server) countConnection(sess *session) {
	if sighted := sess.sight(); sighted != nil {
		s.ledger.Record(&call.Outcome{Kind: call.Sighting, Conn: sess.arr, Client: sess.ident, End: s.now(), Sighted: sighted})
	}
}

// sight is what the connection shows of its client; nil after the first call.
func (sess *session) sight() *call.Sighted {
	if sess.counted {
		return nil
	}
	sess.counted = true
	arr, v := sess.arr, &sess.sighted
	v.Ours, v.Ingress, v.Handling, v.Version, v.Host = sess.ours, arr.Ingress, arr.Handling, arr.Version, arr.Authority
	v.Failed = sess.failed || !sess.ours
	return v
}

// sightPlain is sight by a first request: a connection in clear that was
// refused, or was for somebody else, is no insecure call of the API.
func (sess *session) sightPlain(rec *record) *call.Sighted {
	v := sess.sight()
	switch {
	case v == nil:
	case rec.status != 0 && rec.reason.Denied() && (rec.reason.Closes() || !rec.ours):
		v.Handling = call.Refused
	case rec.label == labelOther && rec.route != nil && !rec.ours:
		v.Handling = call.Tunnelled
	}
	return v
}

// observe counts a finished request.
func (s *Server) observe(rec *record, r *http.Request, now time.Time) {
	sess := rec.sess
	if sess.ident.Name == "" {
		s.identifyConnection(sess)
	}
	sess.ours = sess.ours || rec.ours && rec.host != SelfTestHost
	if !sess.counted && sess.arr.Ingress == call.Unknown {
		sess.arr.Ingress = rec.ingress
	}
	o := call.Outcome{
		Kind: call.Request, Conn: sess.arr, Client: sess.ident, ID: rec.id, Start: rec.start, End: now,
		Ingress: rec.ingress, Method: r.Method, Host: rec.host, Label: rec.label, Ours: rec.ours, Upgraded: rec.upgraded,
		Version: rec.version, Handling: sess.arr.Handling, Status: rec.status, FromUpstream: rec.origin == originUpstream,
		Reason: rec.reason, Delivery: rec.delivery, UserAgent: first(r.Header, "User-Agent"), Sighted: sess.sightPlain(rec),
	}
	if rec.ours && rec.insecure && r.Method != http.MethodConnect {
		o.Exposed = redact.Exposed(rec.query, first(r.Header, "Authorization"), first(r.Header, "Content-Type"), rec.held.prefix())
	}
	s.metrics.Record(&o)
	s.ledger.Record(&o)
}

// observeHello keeps what a ClientHello says for the connection's outcome.
func (s *Server) observeHello(sess *session, h *hello.ClientHello) {
	sess.sighted.Hello = &call.Offer{
		Max: call.VersionOf(h.MaxVersion), SSLv2: h.Framing == hello.SSLv2, SNI: h.SNI(),
		Fallback: h.FallbackSCSV, Library: libraryOf(h), JA4: sess.ja4,
	}
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

// observeRefused keeps, for the connection's outcome, that a handshake failed
// between the client and the upstream, or at a hello.
func (s *Server) observeRefused(sess *session, failure call.HandshakeFailure, atUpstream bool) {
	sess.sighted.Failure, sess.sighted.AtUpstream = failure, atUpstream
}

// observeFailed keeps that a handshake with us failed.
func (s *Server) observeFailed(sess *session, err error) {
	var e *legacy.Error
	sess.sighted.CertificateShown = errors.As(err, &e) && e.Presented
	sess.sighted.Failure, _ = call.ParseHandshakeFailure(legacy.Classify(err).String())
}
