//go:build !unix

package http1

// waiter waits for a connection's next bytes: one of them, since a larger
// buffer would be held as long as the wait.
type waiter struct{ one [1]byte }

func (w *waiter) read(c *Conn) error { return w.readOne(c) }

// poll cannot look without waiting here.
func (w *waiter) poll(*Conn) bool { return false }
