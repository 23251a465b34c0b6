package front

import (
	"net/http"
	"time"
)

// Limits bound what a client may cost. A zero field means no limit.
type Limits struct {
	HeaderBytes          int           // one request head, request line included
	BodyBytes            int64         // one request body, decoded
	Connections          int           // open client connections
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // a head, from its first byte; the first byte of a new connection
	BodyTimeout          time.Duration // a body or an answer, without progress
	IdleTimeout          time.Duration // between requests
}

// headTooLong reports whether a head of n bytes is over the limit.
func (l *Limits) headTooLong(n int) bool { return l.HeaderBytes > 0 && n > l.HeaderBytes }

// serverHeaderBytes keeps net/http's own head limit out of the way: a head is
// bounded by Limits.HeaderBytes before net/http sees it, and a repaired one
// may be up to three times as long (%20 for a space).
const serverHeaderBytes = 1 << 30

// Configure sets on srv what serving Conns relies on: no timeouts (a Conn has
// its own, and ignores net/http's), no head limit of its own, no answer to
// "OPTIONS *" before the handler, HTTP/1 only. It must be called before Serve.
func Configure(srv *http.Server) {
	srv.ReadTimeout, srv.ReadHeaderTimeout, srv.WriteTimeout, srv.IdleTimeout = 0, 0, 0, 0
	srv.MaxHeaderBytes = serverHeaderBytes
	srv.DisableGeneralOptionsHandler = true
	srv.Protocols = new(http.Protocols)
	srv.Protocols.SetHTTP1(true)
}
