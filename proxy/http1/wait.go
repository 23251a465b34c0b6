package http1

import "io"

// readOne waits for one byte, in memory of the waiter's own. What came with it
// is read by the next read, which does not wait.
func (w *waiter) readOne(c *Conn) error {
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
