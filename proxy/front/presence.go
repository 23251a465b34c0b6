package front

import (
	"syscall"
	"time"
)

// Presence is what the socket says of a caller.
type Presence uint8

// What a caller can be.
const (
	PresenceUnknown Presence = iota // the platform or the connection cannot say
	Present                         // connected
	HalfClosed                      // ended its side: it may be reading still, or gone
	Gone                            // reset
)

func (p Presence) String() string {
	switch p {
	case Present:
		return "present"
	case HalfClosed:
		return "half_closed"
	case Gone:
		return "gone"
	default:
		return "unknown"
	}
}

// Gone looks at the socket without reading from it. It costs a system call or
// two; it is for requests that took long, or whose answer could not be written.
func (c *Conn) Gone() Presence {
	if c.lost.Load() {
		return Gone
	}
	raw := c.socket()
	if raw == nil {
		return PresenceUnknown
	}
	p := socketPresence(raw)
	if p == Gone {
		// Some kernels report a reset once.
		c.lost.Store(true)
	}
	return p
}

// unread reports whether the socket holds bytes that were not read.
func (c *Conn) unread() bool {
	raw := c.socket()
	return raw != nil && socketHasBytes(raw)
}

// Delivered reports whether the caller's side took everything that was
// written, waiting for at most the timeout. known is false where the platform
// cannot say; the answer must then be taken as delivered. It is for
// callers that were HalfClosed when their answer was written: a caller that
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
