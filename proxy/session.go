package proxy

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/hello"
)

// session is what package proxy keeps of one client connection beside its
// Arrival: who is calling, and the record of the request being served
// (HTTP/1.1 serves one at a time). It rides in the connection's context.
type session struct {
	conn       *front.Conn
	arr        *call.Conn
	clientAddr string
	hello      *hello.ClientHello
	ja4        string

	ident      call.Identity
	outer      call.Identity // of the CONNECT, for what comes through it
	identified bool          // by the connection alone: requests cannot change it
	tunnelled  bool          // inside a CONNECT, whose credentials were looked at
	counted    bool          // in tlslift_client_connections_total
	ours       bool          // something on this connection was for one of our hosts
	failed     bool          // and shows nothing of how the client stands
	sighted    call.Sighted  // what is known of it so far

	url *url.URL // see proxied
	far net.Conn // of a foreign tunnel, dialled before its CONNECT was answered
	rec *record

	tunnel   *tunnel // whose inside this is; its line is written at the end
	up, down int64   // bytes of the requests and answers so far
}

type sessionKey struct{}

// connContext is the inner http.Server's ConnContext.
func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	conn, ok := c.(served)
	if !ok {
		return ctx
	}
	return call.NewContext(context.WithValue(ctx, sessionKey{}, conn.sess), conn.sess.arr)
}

func sessionOf(ctx context.Context) *session {
	sess, _ := ctx.Value(sessionKey{}).(*session)
	return sess
}

// proxied is the URL that goproxy is shown: absolute, so that it takes the
// request for a proxy's, and with nothing else in it, since goproxy formats it
// for a log that nobody reads. What is sent is the record's own target.
func (sess *session) proxied(host string) *url.URL {
	if sess.url == nil || sess.url.Host != host {
		sess.url = &url.URL{Scheme: "http", Host: host}
	}
	return sess.url
}

// connState is the inner http.Server's: it keeps the gauge of open connections,
// and writes the line of a tunnel that requests came out of.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	conn, ok := c.(served)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		conn.sess.conn.Show(conn.sess.arr.Handling)
	case http.StateClosed:
		conn.sess.tunnelEnded()
	}
}

// tunnelEnded writes the line of the tunnel around a session, if there is one.
func (sess *session) tunnelEnded() {
	t := sess.tunnel
	if t == nil {
		return
	}
	sess.tunnel = nil
	t.s.countConnection(sess) // if no request has done so
	t.rec.requestBytes, t.rec.responseBytes = sess.up, sess.down
	t.answered(originTlslift)
}

// close closes the connection, and the far side's if there is one.
func (sess *session) close() {
	sess.conn.Close()
	if sess.far != nil {
		sess.far.Close()
	}
}

// newSession makes the session of a connection that has just arrived.
func newSession(conn *front.Conn) *session {
	arr := conn.Arrival()
	return &session{conn: conn, arr: arr, clientAddr: arr.Client.String()}
}
