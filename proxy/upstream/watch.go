package upstream

import "time"

// watch reads an idle connection in the background: session tickets are taken,
// and its end is noticed when it comes.
type watch struct {
	done chan struct{}
	n    int
	err  error
}

// startWatch begins reading c, which must be idle. It reports false when the
// Transport was closed.
func (c *conn) startWatch() bool {
	c.limit(c.sock.SetDeadline, time.Time{})
	w := &watch{done: make(chan struct{})}
	c.watch = w
	return c.pool.t.spawn(func() {
		w.n, w.err = c.rw.Read(c.one[:])
		close(w.done)
		if w.n > 0 || !timedOut(w.err) { // else it was stopWatch
			c.pool.ended(c)
		}
	})
}

// stopWatch interrupts the reading. Bytes of an unfinished record stay with
// the TLS layer. It reports whether the connection is good.
func (c *conn) stopWatch() bool {
	w := c.watch
	c.limit(c.sock.SetReadDeadline, past)
	<-w.done
	c.watch = nil
	return w.n == 0 && timedOut(w.err)
}

// over reports whether the watched connection has ended.
func (w *watch) over() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}
