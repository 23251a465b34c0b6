package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/elazarl/goproxy"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// noDial stands in for the transport goproxy would dial with, if a request
// ever reached it: every decision is made before.
func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("goproxy's own transport is not used")
}

// serveConnect decides a CONNECT (RFC 9110 9.3.6). What is refused is answered
// here and the connection stays; what is allowed goes through goproxy's
// dispatch and comes back in hijack.
func (s *Server) serveConnect(out *responseWriter, r *http.Request, rec *record) {
	arr := rec.sess.arr
	host, port, ok := splitAuthority(r.RequestURI)
	rec.ingress, rec.host = call.Connect, logHost(host)
	if ref := rec.sess.conn.Refusal(); ref != nil {
		_ = s.identify(rec, r, "")
		s.refuse(out, r, rec, &refusal{reason: ref.Reason, status: ref.Status, detail: ref.Detail})
		return
	}
	if err := s.identify(rec, r, ""); err != nil && !arr.Barred {
		s.refuse(out, r, rec, &refusal{reason: problem.ProxyAuth, detail: "proxy credentials are missing or wrong"})
		return
	}
	switch {
	case arr.Barred:
		s.refuse(out, r, rec, &refusal{reason: problem.ACL, detail: detailBarred})
		return
	case !ok || host == "":
		s.refuse(out, r, rec, &refusal{reason: problem.Malformed, detail: "the CONNECT authority cannot be read"})
		return
	case arr.Authority != "" || arr.Handling == call.Terminated:
		s.refuse(out, r, rec, &refusal{reason: problem.Method, detail: "CONNECT within a tunnel"})
		return
	case !arr.Listener.Connect:
		s.refuse(out, r, rec, &refusal{reason: problem.ACL, detail: "this listener does not accept CONNECT"})
		return
	case rewrite.HasVia(r.Header, s.viaName):
		s.refuse(out, r, rec, &refusal{reason: problem.Loop, detail: "the request has passed through this tlslift before"})
		return
	}
	ref := s.decideConnect(rec, target{ingress: call.Connect, scheme: "https", host: host, port: port})
	if ref != nil {
		s.refuse(out, r, rec, ref)
		return
	}
	arr.Authority, arr.Port, arr.Ingress = host, port, call.Connect
	s.pipeline.ServeHTTP(out, r)
}

// decideConnect applies design.md section 1 to a tunnel's authority. For a
// foreign host it dials, so that a failure can still be told in HTTP.
func (s *Server) decideConnect(rec *record, t target) *refusal {
	arr := rec.sess.arr
	if t.port == 0 {
		t.port = 443
	}
	if t.host == SelfTestHost {
		rec.ours, rec.label = true, labelOther
		return nil
	}
	route, verdict := s.route(t.host, t.port)
	switch {
	case verdict == upstream.Ours && route.AllowsConnect(t.port):
		rec.route, rec.label, rec.ours = route, route.Label, true
		return nil
	case verdict != upstream.ForeignHost:
		return &refusal{reason: problem.Port, detail: "CONNECT is for port 443 of our hosts, or the upstream's own port"}
	case s.isSelf(arr, t):
		return &refusal{reason: problem.Loop, detail: "the target is tlslift itself"}
	case s.settings.Load().others(arr.Listener) == othersRefuse:
		return &refusal{reason: problem.Host, detail: "the host is not one of the upstreams"}
	}
	route = s.foreign(t.host, t.port, s.guards(arr))
	if route == nil {
		return &refusal{reason: problem.Malformed, detail: "the host is no host name"}
	}
	rec.route, rec.label = route, labelOther
	conn, err := s.transport.DialTunnel(s.work, rec.route, &rec.ex)
	if err != nil {
		return s.explain(rec, err)
	}
	rec.sess.far = conn
	return nil
}

// onConnect is goproxy's CONNECT filter: always our own hijack.
func (s *Server) onConnect(host string, ctx *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: s.hijack}, host
}

// hijack answers the CONNECT and lets a goroutine of its own carry the tunnel,
// so that net/http's goes home with its buffers.
func (s *Server) hijack(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	sess := sessionOf(r.Context())
	t := s.newTunnel(sess)
	sess.tunnelled, sess.outer, sess.rec = true, sess.ident, nil
	if _, err := client.Write([]byte("HTTP/" + protoOf(r) + " 200 Connection established\r\n\r\n")); err != nil {
		t.silent()
		return
	}
	s.tunnels.Go(func() { t.run() })
}
