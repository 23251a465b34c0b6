package legacy

import (
	"crypto/tls"
	"sync/atomic"

	"tlslift/proxy/call"
)

// Watched is a served connection whose first read is looked at.
type Watched struct {
	*tls.Conn
	failed func(*Error)
	begun  atomic.Bool
}

// Watch looks on until the client's first byte. Many clients judge our
// certificate only when the handshake is complete (programs with GnuTLS, NSS,
// Node.js 0.12): they then send an alert, or simply leave, which is
// call.HandshakeNoCall. Either, before any byte, is given to failed, once, in the
// goroutine that reads.
func Watch(conn *tls.Conn, failed func(*Error)) *Watched {
	return &Watched{Conn: conn, failed: failed}
}

// Read reads from the client.
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
