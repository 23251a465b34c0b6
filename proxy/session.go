package proxy

import (
	"context"
	"net"
	"net/http"
	"net/url"

	"tlslift/metrics"
	"tlslift/proxy/arrival"
	"tlslift/proxy/front"
	"tlslift/proxy/hello"
	"tlslift/proxy/identity"
)

// session is what package proxy keeps of one client connection beside its
// Arrival: who is calling, and the record of the request being served
// (HTTP/1.1 serves one at a time). It rides in the connection's context.
type session struct {
	conn       *front.Conn
	arr        *arrival.Arrival
	clientAddr string
	hello      *hello.ClientHello
	ja4        string

	ident      identity.Identity
	outer      identity.Identity // of the CONNECT, for what comes through it
	counts     *metrics.Client
	identified bool             // by the connection alone: requests cannot change it
	tunnelled  bool             // inside a CONNECT, whose credentials were looked at
	counted    bool             // in tlslift_client_connections_total
	ours       bool             // something on this connection was for one of our hosts
	shown      arrival.Handling // in the gauge of open connections
	described  int64            // when the verdict was last looked up, Unix seconds

	url *url.URL // see proxied
	far net.Conn // of a foreign tunnel, dialled before its CONNECT was answered
	rec *record
}

type sessionKey struct{}

// connContext is the inner http.Server's ConnContext.
func (s *Server) connContext(ctx context.Context, c net.Conn) context.Context {
	conn, ok := c.(served)
	if !ok {
		return ctx
	}
	return arrival.NewContext(context.WithValue(ctx, sessionKey{}, conn.sess), conn.sess.arr)
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

// connState is the inner http.Server's: it keeps the gauge of open connections.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	conn, ok := c.(served)
	if !ok {
		return
	}
	switch state {
	case http.StateNew:
		conn.sess.shown = conn.sess.arr.Handling
		s.metrics.OpenConnection(conn.sess.shown, 1)
	case http.StateClosed, http.StateHijacked:
		s.metrics.OpenConnection(conn.sess.shown, -1)
	}
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
