package front

import (
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/nonblock"
)

// unknownLate is the value of Late where the platform cannot say when a caller
// ended its side.
const unknownLate = -1

// PeerState inspects the socket without reading. It costs a system call.
func (c *Conn) PeerState() call.PeerState {
	if c.lost.Load() {
		return call.PeerState{Reset: true}
	}
	raw := nonblock.Socket(c.Conn)
	if raw == nil {
		return call.PeerState{}
	}
	s := standing(raw)
	if s.Reset {
		// Some kernels report a reset only once.
		c.lost.Store(true)
	}
	return s
}

// WithoutWaiting makes reads during f return what the kernel holds, or else
// os.ErrDeadlineExceeded at once. Nothing else may read at the time.
func (c *Conn) WithoutWaiting(f func()) {
	c.instant = true
	defer func() { c.instant = false }()
	f()
}

// unread reports whether the socket holds unread bytes.
func (c *Conn) unread() bool {
	raw := nonblock.Socket(c.Conn)
	return raw != nil && socketHasBytes(raw)
}

// Delivered reports whether the caller's side acknowledged everything that was
// written. It waits for at most timeout. known is false if the platform cannot say;
// delivered is then true. Use it for a caller that had ended its side before its
// answer was written. If the caller only half-closed, it acknowledges the answer;
// if it is gone, it resets the connection.
func (c *Conn) Delivered(timeout time.Duration) (delivered, known bool) {
	if c.lost.Load() {
		return false, true
	}
	raw := nonblock.Socket(c.Conn)
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
