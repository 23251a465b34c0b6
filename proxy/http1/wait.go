package http1

import "io"

// readOne waits for one byte, in memory of the waiter's own. What came with it
// is read by the next read, which does not wait. Bytes in front of the
// connection are taken at once.
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
