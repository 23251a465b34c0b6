package proxy

import (
	"net"
	"sync"

	"tlslift/proxy/front"
)

// served is a connection on its way into the inner server, with its session.
type served struct {
	*front.Conn
	sess *session
}

// handoff is the inner http.Server's listener: connections that the front or a
// tunnel has made ready for it.
type handoff struct {
	ready  chan net.Conn
	done   chan struct{}
	closed sync.Once
}

func newHandoff() *handoff {
	return &handoff{ready: make(chan net.Conn), done: make(chan struct{})}
}

// push reports whether the inner server has taken the connection.
func (h *handoff) push(c net.Conn) bool {
	select {
	case h.ready <- c:
		return true
	case <-h.done:
		return false
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.ready:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.closed.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return &net.TCPAddr{} }
