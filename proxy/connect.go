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
	"tlslift/proxy/rewrite"
)

// connect decides a CONNECT (RFC 9110 section 9.3.6). What is refused is
// answered here and the connection stays; what is allowed goes through
// goproxy's dispatch to hijack.
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
	case decide.Relay: // dialled now, while the answer to a failure can still be HTTP
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

// onConnect is goproxy's CONNECT filter: always our own hijack.
func (s *Server) onConnect(authority string, _ *goproxy.ProxyCtx) (*goproxy.ConnectAction, string) {
	return &goproxy.ConnectAction{Action: goproxy.ConnectHijack, Hijack: hijack}, authority
}

// hijack answers the CONNECT. The tunnel is carried once http1's loop has
// returned.
func hijack(r *http.Request, client net.Conn, _ *goproxy.ProxyCtx) {
	q := connOf(r.Context()).req
	q.connected = true
	version := "1.1"
	if r.ProtoMinor == 0 {
		version = "1.0"
	}
	if b, ok := client.(interface{ Buffered() int }); ok && b.Buffered() > 0 {
		early := make([]byte, b.Buffered()) // came together with the CONNECT
		n, _ := client.Read(early)
		q.c.front.Unread(early[:n])
	}
	_, q.c.tunnel.broken = client.Write([]byte("HTTP/" + version + " 200 Connection established\r\n\r\n"))
}

// connected carries the tunnel of a CONNECT that was answered with 200.
func (c *conn) connected() {
	t := c.tunnel
	facts := *c.facts
	facts.Ingress, facts.Authority, facts.Port = call.Connect, t.decision.Host, t.decision.Port
	c.facts = &facts
	outer := c.client
	c.outer = &outer
	c.http, c.url = nil, nil // an idle tunnel holds nothing of the CONNECT
	c.evidence.tested = false
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
