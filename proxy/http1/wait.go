package http1

import "io"

// readOne waits for one byte, in the waiter's own memory. The next read gets the
// bytes that arrived with it. If the connection has buffered bytes, readOne reads
// those.
func (w *waiter) readOne(c *Conn) error {
	if front, ok := c.nc.(interface{ Buffered() int }); ok && front.Buffered() > 0 {
		return c.fill()
	}
	n, err := c.nc.Read(w.one[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return err
	}
	c.w += copy(c.space(), w.one[:])
	return nil
}
