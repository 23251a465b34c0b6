package proxy

import (
	"cmp"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// tunnel is a connection that is more than plain HTTP: what follows a CONNECT,
// or a ClientHello straight away. It is carried by one goroutine, which splices
// it, ends its TLS, hands it to the inner server, or refuses it.
type tunnel struct {
	s    *Server
	sess *session
	rec  *record
	near net.Conn // the client, once its bytes are taken as they are
	host string   // where the TLS is meant for; "" = only the inner Host knows
	ours bool

	release func() // forgets the random of a spliced hello; may be nil
}

// newTunnel takes what a CONNECT decided from its record: the request is over
// before the tunnel is.
func (s *Server) newTunnel(sess *session) *tunnel {
	rec := newRecord(sess, s.now(), s.ids.next())
	if c := sess.rec; c != nil {
		rec.id, rec.start = c.id, c.start
		rec.route, rec.label, rec.ours, rec.host = c.route, c.label, c.ours, c.host
		rec.clientName, rec.ex = c.clientName, c.ex
	}
	rec.method, rec.decision = "CONNECT", "allow"
	return &tunnel{s: s, sess: sess, rec: rec, host: sess.arr.Authority, ours: rec.ours}
}

// run carries the tunnel of a CONNECT that was answered with 200.
func (t *tunnel) run() {
	defer t.s.caught(t.sess)
	t.rec.ingress = call.Connect
	if !t.ours {
		t.relay(call.Tunnelled, nil)
		return
	}
	switch kind, _ := front.Sniff(t.sess.conn, time.Now().Add(t.s.settings.Load().cfg.Limits.HeaderTimeout)); kind {
	case front.KindHTTP:
		t.sess.arr.Handling = call.Plain
		t.enter()
	case front.KindTLS, front.KindSSLv2:
		t.secure()
	default:
		t.silent()
	}
}

// direct carries a connection that began with a ClientHello.
func (s *Server) direct(conn *front.Conn) {
	sess := newSession(conn)
	defer s.caught(sess)
	s.straight(sess).secure()
}

// straight is the tunnel of a ClientHello that no CONNECT came before.
func (s *Server) straight(sess *session) *tunnel {
	sess.arr.Ingress = call.TLS
	if sess.arr.OriginalDst.IsValid() {
		sess.arr.Ingress = call.Transparent
	}
	s.identifyConnection(sess)
	t := s.newTunnel(sess)
	t.rec.ingress, t.rec.method = sess.arr.Ingress, ""
	t.rec.label = labelDenied
	return t
}

// turnAway refuses a connection that the front does not let in.
func (s *Server) turnAway(conn *front.Conn, refusal front.Refusal) {
	sess := newSession(conn)
	defer s.caught(sess)
	t := s.straight(sess)
	t.near = sess.conn.HandOver()
	t.near.SetReadDeadline(time.Now().Add(quiet))
	if h, _, err := hello.Read(t.near, hello.MaxSize); err == nil {
		sess.hello, sess.ja4 = h, h.JA4()
		t.rec.ja4, t.rec.host = sess.ja4, logHost(h.ServerName)
		sess.arr.Version = call.VersionOf(h.MaxVersion)
	}
	t.refuse(refusal.Reason, legacy.AlertInternalError, refusal.Detail)
}

// secure reads the ClientHello and decides by it (design, section 1).
func (t *tunnel) secure() {
	s, sess := t.s, t.sess
	cfg := s.settings.Load().cfg
	t.near = sess.conn.HandOver()
	defer s.greetings.add(t.near)()
	t.near.SetReadDeadline(time.Now().Add(cfg.LegacyTLS.HandshakeTimeout))
	h, raw, err := hello.Read(t.near, hello.MaxSize)
	t.near.SetReadDeadline(time.Time{})
	if err != nil {
		t.failed(err)
		return
	}
	sess.hello, sess.ja4 = h, h.JA4()
	t.rec.ja4 = sess.ja4
	sess.arr.Version = call.VersionOf(h.MaxVersion)
	if s.transport.OwnHello(h.Random) {
		if t.rec.host == "" {
			t.rec.host = logHost(h.ServerName)
		}
		t.refuse(problem.Loop, legacy.AlertInternalError, "this hello is one that tlslift itself is sending")
		return
	}
	if sess.arr.Authority == "" && !t.aim(h) {
		return
	}
	sess.ours = t.ours && t.host != SelfTestHost // the self-test shows nothing of the API's callers
	s.observeHello(sess, h)
	switch {
	case t.host == SelfTestHost && s.settings.Load().legacy == nil:
		t.refuse(problem.Host, legacy.AlertProtocolVersion, "the self-test over TLS needs a CA: see legacy_tls.ca")
	case t.host == SelfTestHost:
		t.terminate(h, raw)
	case !t.ours && t.rec.route != nil:
		t.spliceWith(raw, call.Tunnelled)
	case h.Modern() && !s.settings.Load().terminates(sess.ident.Name):
		t.splice(h, raw)
	default:
		t.terminate(h, raw)
	}
}

// aim finds out whom a direct ClientHello is meant for: SNI, else the original
// destination, else the inner Host, which needs the TLS to end here.
func (t *tunnel) aim(h *hello.ClientHello) bool {
	s, arr := t.s, t.sess.arr
	if arr.Barred {
		t.rec.host = logHost(h.ServerName)
		t.turnDown(h, problem.ACL, legacy.AlertAccessDenied, detailBarred)
		return false
	}
	if !accepted(arr.Listener, arr.Ingress) {
		t.turnDown(h, problem.ACL, legacy.AlertHandshakeFailure, "this listener does not accept TLS")
		return false
	}
	name := h.ServerName
	t.rec.host = logHost(name)
	if name == SelfTestHost {
		t.host, t.ours = name, true
		arr.Authority = name
		return true
	}
	if name != "" {
		if route, verdict := s.route(name, 0); verdict == upstream.Ours {
			t.target(name, route)
			return true
		}
	}
	if arr.OriginalDst.IsValid() {
		return t.aimTransparent(h)
	}
	if t.host, _, _ = splitAuthority(arr.Listener.DefaultUpstream); t.host != "" && name == "" {
		if route, verdict := s.route(t.host, 0); verdict == upstream.Ours {
			t.guess(t.host, route)
			return true
		}
	}
	t.host = ""
	if h.Modern() && !s.settings.Load().terminates(t.sess.ident.Name) {
		detail := "a modern client names a host that is no upstream"
		if name == "" {
			detail = "a modern client names no host (no SNI), and the listener has no default_upstream"
		}
		t.turnDown(h, problem.Host, legacy.AlertUnrecognizedName, detail)
		return false
	}
	t.ours = true
	t.rec.label = labelOther
	return true
}

// target aims the tunnel at one of our hosts.
func (t *tunnel) target(host string, route *upstream.Route) {
	t.host, t.ours = host, true
	t.rec.route, t.rec.label, t.rec.host = route, route.Label, logHost(host)
	t.sess.arr.Authority = host
}

// guess aims the tunnel of a caller that named nobody at the host it may mean:
// a spliced connection goes there. A terminated one gets the leaf with all
// names, and its inner Host decides.
func (t *tunnel) guess(host string, route *upstream.Route) {
	t.target(host, route)
	t.host, t.sess.arr.Authority, t.sess.arr.Guess = "", "", host
}

// aimTransparent decides about a redirected connection whose SNI is not ours:
// an address that our hosts resolve to is ours, all else goes where it was
// going.
func (t *tunnel) aimTransparent(h *hello.ClientHello) bool {
	s, dst := t.s, t.sess.arr.OriginalDst
	if h.ServerName == "" {
		if host, ok := s.transport.KnownHost(dst.Addr()); ok {
			if route, verdict := s.transport.Route(host, 0); verdict == upstream.Ours {
				t.guess(host.String(), route)
				return true
			}
		}
	}
	if s.Own(dst) {
		t.turnDown(h, problem.Loop, legacy.AlertInternalError, "the original destination is tlslift itself")
		return false
	}
	t.host, t.ours = dst.Addr().String(), false
	t.rec.route, t.rec.label = s.foreign(t.host, dst.Port(), false), labelOther
	if t.rec.host == "" {
		t.rec.host = t.host
	}
	return true
}

// splice keeps a modern client's connection end to end, and watches only what
// version the two agree on.
func (t *tunnel) splice(h *hello.ClientHello, raw []byte) {
	t.release = t.s.transport.RegisterHello(h.Random)
	h.Detach()
	t.spliceWith(raw, call.Spliced)
}

func (t *tunnel) spliceWith(raw []byte, handling call.Handling) {
	if t.sess.far == nil {
		far, err := t.s.transport.DialTunnel(t.s.work, t.rec.route, &t.rec.ex)
		if err != nil {
			t.forget()
			ref := t.s.explain(t.rec, err)
			t.refuse(ref.reason, legacy.AlertInternalError, ref.detail)
			return
		}
		t.sess.far = far
	}
	t.relay(handling, raw)
}

// forget lets the hello's random go: it is under way no longer.
func (t *tunnel) forget() {
	if t.release != nil {
		t.release()
	}
}

// relay lets two goroutines carry the bytes and returns: they begin with small
// stacks, and an idle tunnel costs little more than those. first is what was
// already read from the client.
func (t *tunnel) relay(handling call.Handling, first []byte) {
	s := t.s
	t.sess.arr.Handling = handling
	if t.near == nil {
		t.near = t.sess.conn.HandOver()
	}
	if handling != call.Spliced {
		s.countConnection(t.sess)
	}
	t.sess.conn.Show(handling)
	p := newPair(t.near, t.sess.far, first, s.settings.Load().cfg.Limits.TunnelIdleTimeout)
	s.relays.add(p)
	s.tunnels.Go(func() { t.carry(p) })
}

// carry relays until the tunnel ends, and then writes its line.
func (t *tunnel) carry(p *pair) {
	s, handling := t.s, t.sess.arr.Handling
	defer s.caught(t.sess)
	defer t.forget()
	defer s.relays.remove(p)
	var up watcher
	var obs *splice
	if handling == call.Spliced {
		obs = &splice{t: t}
		up, p.turned = obs.up, obs.turned
	}
	res := p.relay(up)
	if obs != nil {
		obs.end(p.accepted())
	}
	t.rec.requestBytes, t.rec.responseBytes = res.up, res.down
	t.answered(originUpstream)
}

// enter hands what comes out of the tunnel to the inner server.
func (t *tunnel) enter() {
	t.sess.tunnel = t
	if !t.s.handoff.push(served{t.sess.conn, t.sess}) {
		t.sess.conn.Close()
		t.sess.tunnelEnded()
	}
}

// answered writes the line of a tunnel that was carried to its end.
func (t *tunnel) answered(from origin) {
	t.rec.status = http.StatusOK
	t.rec.delivery, t.rec.origin = problem.Answered, from
	t.line("")
}

// terminate ends the client's TLS here and hands what comes out of it to the
// inner server.
func (t *tunnel) terminate(h *hello.ClientHello, raw []byte) {
	s, sess := t.s, t.sess
	server := s.settings.Load().legacy
	if server == nil {
		t.noCA()
		return
	}
	sess.conn.Arrival().Handling = call.Terminated
	name, _ := host.Parse(t.host) // "" is none
	conn, res, err := server.Handshake(s.work, &replayed{Conn: t.near, early: raw}, h, name)
	if err != nil {
		t.failed(err)
		return
	}
	h.Detach()
	arr := sess.arr
	arr.Version, arr.Cipher = call.VersionOf(res.Version), res.CipherSuite
	sess.conn = front.NewConn(legacy.Watch(conn, func(e *legacy.Error) { s.judgedLate(sess, e) }), arr, s.shared)
	t.enter()
}

// replayed is a connection whose first bytes were read already.
type replayed struct {
	net.Conn
	early []byte
}

func (r *replayed) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		r.early = r.early[n:]
		return n, nil
	}
	return r.Conn.Read(p)
}

// NetConn returns the connection beneath.
func (r *replayed) NetConn() net.Conn { return r.Conn }

// CloseWrite passes a half-close on.
func (r *replayed) CloseWrite() error { return closeWrite(r.Conn) }

// noCA refuses a client that would have to be terminated.
func (t *tunnel) noCA() {
	t.explain("handshake refused", call.HandshakeVersion.String(), adviceNoCA)
	t.sess.arr.Handling = call.Refused
	t.sess.conn.Show(call.Refused)
	t.s.observeRefused(t.sess, call.HandshakeVersion, false)
	t.s.countConnection(t.sess)
	legacy.Refuse(t.near, t.sess.hello, legacy.AlertProtocolVersion)
	t.line(call.HandshakeVersion.String())
}

// failed counts and explains a handshake that did not succeed; the connection
// is closed.
func (t *tunnel) failed(err error) {
	failure := legacy.Classify(err)
	t.sess.arr.Handling = call.Refused
	t.sess.conn.Show(call.Refused)
	t.s.observeFailed(t.sess, err)
	t.s.countConnection(t.sess)
	if t.sess.hello != nil {
		t.explain("handshake failed", failure.String(), adviceFor[failure], zap.Error(err))
	}
	if errors.Is(err, hello.ErrMalformed) || errors.Is(err, hello.ErrTooLarge) {
		legacy.Refuse(t.near, nil, legacy.AlertDecodeError)
	}
	t.near.Close()
	t.line(failure.String())
}

// judgedLate counts a client that finished the handshake and only then found
// that it does not trust us.
func (s *Server) judgedLate(sess *session, e *legacy.Error) {
	s.observeFailed(sess, e)
	sess.failed = true
	t := &tunnel{s: s, sess: sess, rec: &record{host: logHost(cmp.Or(sess.arr.Authority, sess.arr.Guess))}}
	t.explain("the client left after the handshake", e.Failure.String(), adviceFor[e.Failure])
}

// explain logs what a client's owner has to know.
func (t *tunnel) explain(what, reason, advice string, more ...zap.Field) {
	t.s.log.Warn(what, append([]zap.Field{
		zap.String("client", t.sess.ident.Name),
		zap.String("client_addr", t.sess.clientAddr),
		zap.String("host", t.rec.host),
		zap.String("ja4", t.sess.ja4),
		zap.String("library", t.sess.hello.Library().String()),
		zap.String("offered", call.VersionOf(t.sess.hello.MaxVersion).String()),
		zap.String("reason", reason),
		zap.String("advice", advice),
	}, more...)...)
}

// turnDown refuses a hello that is for nobody of ours.
func (t *tunnel) turnDown(h *hello.ClientHello, reason problem.Reason, alert legacy.Alert, detail string) {
	t.s.observeHello(t.sess, h)
	t.refuse(reason, alert, detail)
}

// refuse ends a TLS connection with an alert (RFC 8446 6.2).
func (t *tunnel) refuse(reason problem.Reason, alert legacy.Alert, detail string) {
	t.rec.reason, t.rec.detail = reason, detail
	t.s.metrics.Record(&call.Outcome{Kind: call.Tunnel, Label: t.rec.label, Reason: reason, Delivery: t.rec.delivery})
	t.sess.arr.Handling = call.Refused
	t.sess.conn.Show(call.Refused)
	t.s.countConnection(t.sess)
	legacy.Refuse(t.near, t.sess.hello, alert)
	t.line("")
}

// silent closes a tunnel in which nothing was said.
func (t *tunnel) silent() {
	t.s.countConnection(t.sess)
	t.sess.close()
	t.rec.status = http.StatusOK
	t.line("")
}

// line writes the tunnel's canonical line and gives the record back.
func (t *tunnel) line(handshake string) {
	rec := t.rec
	rec.clientName = t.sess.ident.Name
	rec.version, rec.cipher = t.sess.arr.Version, t.sess.arr.Cipher
	rec.duration = t.s.now().Sub(rec.start)
	t.s.writeTunnelLine(rec, t.sess.arr.Handling, handshake)
	rec.release()
}
