package front

import (
	"os"
	"time"
)

// Deadlines are lazy: moving one costs more than looking at the clock. A
// write's is set an eighth later than asked for, and stays where it is while it
// lies between the two. A read's may lie anywhere before: a timeout that comes
// before its time is recognised by the clock, and the read goes on. So a
// connection in use moves its deadlines once in many requests, although it
// waits now for a head, now for a body. (Drain makes use of it: it wakes
// waiting readers with a timeout.)

// limit is a time after which to give up: due at the earliest, late at the
// latest; now is when it was asked for. All are values of Shared.now. The zero
// limit is never.
type limit struct{ now, due, late int64 }

// within is the limit d from now on; 0 is never.
func (s *Shared) within(d time.Duration) limit {
	if d <= 0 {
		return limit{}
	}
	now := s.now()
	return limit{now: now, due: now + int64(d), late: now + int64(d+d/8)}
}

// unknown is a deadline that may be anything.
const unknown = -1

func (s *Shared) deadline(l limit) time.Time {
	if l.due == 0 {
		return time.Time{}
	}
	return s.epoch.Add(time.Duration(l.late))
}

// armRead moves the read deadline, unless it serves as it is. An error means
// a closed connection, and the read will say so.
func (c *Conn) armRead(l limit) {
	if serves := c.readBy > l.now && c.readBy <= l.late || l.due == 0 && c.readBy == 0; !serves {
		c.readBy = l.late
		_ = c.nc.SetReadDeadline(c.shared.deadline(l))
	}
}

// armWrite moves the write deadline, unless it serves as it is.
func (c *Conn) armWrite(l limit) {
	if serves := c.writeBy >= l.due && c.writeBy <= l.late; !serves {
		c.writeBy = l.late
		_ = c.nc.SetWriteDeadline(c.shared.deadline(l))
	}
}

// early reports whether err is a timeout that came before its time, and if so
// sets the deadline anew.
func (c *Conn) early(err error, l limit) bool {
	if !isTimeout(err) || l.due > 0 && c.shared.now() >= l.due || c.bodyAborted.Load() {
		return false
	}
	c.readBy = unknown
	c.armRead(l)
	return true
}

// readWithin reads from the connection until the limit, or until AbortBody.
func (c *Conn) readWithin(p []byte, l limit) (int, error) {
	c.armRead(l)
	for {
		// Looked at after each arming, as in await.
		if c.bodyAborted.Load() {
			return 0, os.ErrDeadlineExceeded
		}
		n, err := c.raw.Read(p)
		if n > 0 || !c.early(err, l) {
			return n, err
		}
	}
}

// await is readWithin for the first bytes of a head: Drain shortens it.
func (c *Conn) await(p []byte, l limit) (int, error) {
	c.waiting.Store(true)
	defer c.waiting.Store(false)
	c.armRead(l)
	graced := false
	for {
		// Looked at after arming: Drain sets the flag before it wakes, so
		// either the flag is seen here or the wake comes after the arming.
		if !graced && c.shared.draining.Load() {
			graced = true
			l = c.shared.within(time.Duration(max(c.shared.grace.Load(), 1)))
			c.readBy = unknown
			c.armRead(l)
		}
		n, err := c.raw.Read(p)
		if n > 0 || !c.early(err, l) {
			return n, err
		}
	}
}

// wake interrupts a read that is blocked.
func (c *Conn) wake() { _ = c.nc.SetReadDeadline(c.shared.epoch) }
