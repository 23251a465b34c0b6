package legacy

import (
	"crypto/tls"
	"sync/atomic"

	"tlslift/proxy/call"
)

// Watched is a served connection that watches its first read.
type Watched struct {
	*tls.Conn
	failed func(*Error)
	begun  atomic.Bool
}

// Watch watches conn until the client's first byte. Many clients verify our
// certificate only when the handshake is complete (programs with GnuTLS, NSS,
// Node.js 0.12). They then send an alert, or just leave, which is
// call.HandshakeNoCall. If that happens before any byte, failed is called once, in
// the reading goroutine.
func Watch(conn *tls.Conn, failed func(*Error)) *Watched {
	return &Watched{Conn: conn, failed: failed}
}

// Read implements net.Conn.
func (w *Watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if len(p) > 0 && (n > 0 || err != nil) && !w.begun.Swap(true) && n == 0 {
		if e := newError(err); e.Failure != call.HandshakeTimeout {
			e.Presented = true
			if e.Failure == call.HandshakeEOF {
				e.Failure = call.HandshakeNoCall
			}
			w.failed(e)
		}
	}
	return n, err
}
