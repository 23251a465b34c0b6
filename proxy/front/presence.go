package front

import (
	"syscall"
	"time"

	"tlslift/proxy/call"
)

// unknownLate is the Late of a platform that cannot say when a caller ended its
// side.
const unknownLate = -1

// PeerState looks at the socket without reading from it. It costs a system call.
func (c *Conn) PeerState() call.PeerState {
	if c.lost.Load() {
		return call.PeerState{Reset: true}
	}
	raw := c.socket()
	if raw == nil {
		return call.PeerState{}
	}
	s := standing(raw)
	if s.Reset {
		// Some kernels report a reset once.
		c.lost.Store(true)
	}
	return s
}

// WithoutWaiting makes reads during f return what the kernel holds, or else
// os.ErrDeadlineExceeded at once. Nothing else may read meanwhile.
func (c *Conn) WithoutWaiting(f func()) {
	c.instant = true
	defer func() { c.instant = false }()
	f()
}

// unread reports whether the socket holds bytes that were not read.
func (c *Conn) unread() bool {
	raw := c.socket()
	return raw != nil && socketHasBytes(raw)
}

// Delivered reports whether the caller's side took everything that was
// written, waiting for at most the timeout. known is false where the platform
// cannot say; the answer must then be taken as delivered. It is for
// callers that had ended their side when their answer was written: a caller that
// merely ended its sending acknowledges the answer, one that is gone resets.
func (c *Conn) Delivered(timeout time.Duration) (delivered, known bool) {
	if c.lost.Load() {
		return false, true
	}
	raw := c.socket()
	if raw == nil {
		return true, false
	}
	end := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause *= 2 {
		taken, lost, known := acknowledged(raw)
		switch {
		case !known:
			return true, false
		case taken || lost:
			return taken, true
		}
		left := time.Until(end)
		if left <= 0 {
			return false, true
		}
		time.Sleep(min(pause, left))
	}
}

// socket is the socket beneath c, or nil.
func (c *Conn) socket() syscall.RawConn {
	sc, ok := c.nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
