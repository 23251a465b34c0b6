//go:build !unix

package http1

// waiter waits for a connection's next byte. It reads only one, because a larger
// buffer would be held for as long as it waits.
type waiter struct{ one [1]byte }

func (w *waiter) read(c *Conn) error { return w.readOne(c) }

// poll does nothing: it cannot read without waiting here.
func (w *waiter) poll(*Conn) bool { return false }
