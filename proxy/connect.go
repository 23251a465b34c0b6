package proxy

import (
	"errors"
	"net"
	"net/http"
	"os"

	"github.com/elazarl/goproxy"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
	"tlslift/proxy/rewrite"
)

// connect decides about a CONNECT request (RFC 9110 section 9.3.6). A refusal is
// answered here. An allowed request goes through goproxy's dispatch to hijack.
func (q *request) connect() {
	c, o := q.c, &q.out
	q.place = decide.Place{Ingress: call.Connect, Host: q.r.Name, Port: q.r.Port}
	o.Ingress, o.Host = call.Connect, q.r.Name.String()
	unadmitted := q.identify()
	o.Client = c.client
	if q.refusedEarly(nil) {
		return
	}
	d := q.st.decide.Connect(c.facts, q.r.Name, q.r.Port, decide.Head{
		Method: o.Method, OwnVia: rewrite.HasVia(q.r.Header, c.s.viaName), Unadmitted: unadmitted,
	})
	o.Decision, o.Ours = d.Action.String(), d.Ours
	t := &tunnel{c: c, st: q.st, decision: d}
	switch d.Action {
	case decide.Inspect:
		o.Label = call.LabelOther
		if route, ours := q.st.upstream.Route(d.Host); ours {
			o.Label = route.Label
		}
	case decide.Relay: // dialled now, while a failure can still be answered in HTTP
		o.Label, q.route = call.LabelOther, q.st.foreign(d)
		var err error
		if t.far, err = c.s.transport.DialTunnel(c.s.baseCtx, q.route, &q.ex); err != nil {
			reason, detail := q.explain(err)
			q.refuse(reason, 0, detail)
			return
		}
	default:
		q.refuse(d.Reason, 0, d.Detail)
		return
	}
	t.out = q.out
	t.out.Kind = call.Tunnel
	c.tunnel = t
	q.r.URL = c.goproxyURL(d.Host)
	c.s.pipeline.ServeHTTP(q.w, &q.r.Request)
}

// onConnect is goproxy's CONNECT handler. It always chooses our own hijack.
func (s *Server) onConnect(authority string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: hijack}, authority
}

// hijack answers the CONNECT with 200. The tunnel is served once http1's loop has
// returned.
func hijack(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	q := connOf(r.Context()).req
	q.connected = true
	version := "1.1"
	if r.ProtoMinor == 0 {
		version = "1.0"
	}
	q.c.front.Unread(q.w.Early())
	_, q.c.tunnel.broken = client.Write([]byte("HTTP/" + version + " 200 Connection established\r\n\r\n"))
}

// connected serves the tunnel of a CONNECT that was answered with 200.
func (c *conn) connected() {
	t := c.tunnel
	facts := *c.facts
	facts.Ingress, facts.Authority, facts.Port = call.Connect, t.decision.Host, t.decision.Port
	c.facts = &facts
	outer := c.client
	c.outer = &outer
	c.http, c.url = nil, nil // an idle tunnel keeps nothing of the CONNECT
	c.evidence.tested = false
	if c.evidence.reported || t.decision.Host.String() == host.SelfTest {
		c.renewEvidence()
	}
	switch {
	case t.broken != nil:
		t.out.Ending = call.EndResetByClient
		t.endUnused()
		return
	case t.decision.Action == decide.Relay:
		t.relay(call.Tunnelled, nil)
		return
	}
	switch kind, err := front.Sniff(c.front, c.s.deadline(t.st.Limits.HeaderTimeout)); kind {
	case front.KindHTTP:
		t.out.Decision = decide.Upgrade.String()
		c.serveHTTP(c.front)
		t.completed()
	case front.KindTLS, front.KindSSLv2:
		t.secure()
	default:
		t.out.Ending = call.EndClosed
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.out.Ending = call.EndIdle
		}
		t.endUnused()
	}
}
