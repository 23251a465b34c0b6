//go:build unix

package http1

import (
	"errors"
	"io"
	"os"
	"syscall"

	"tlslift/proxy/nonblock"
)

// waiter waits for a connection's next bytes. It waits on a socket without a
// buffer; on anything else it reads one byte first.
type waiter struct {
	one [1]byte
	raw syscall.RawConn // nil if not a socket, or not yet known
	try func(fd uintptr) bool
	err error
}

// read waits for bytes and reads them into c's buffer, which is borrowed only when
// they arrive.
func (w *waiter) read(c *Conn) error {
	if w.raw == nil && !w.find(c) {
		return w.readOne(c)
	}
	w.err = nil
	if err := w.raw.Read(w.try); err != nil {
		return err
	}
	return w.err
}

// poll reads what the socket holds, without waiting. It reports whether it read
// anything.
func (w *waiter) poll(c *Conn) bool {
	if w.raw == nil && !w.find(c) {
		return false
	}
	got := 0
	_ = w.raw.Control(func(fd uintptr) { got, _ = nonblock.Read(fd, c.space()) })
	c.w += got
	return got > 0
}

// find looks for the underlying socket, once no layer above it holds bytes.
func (w *waiter) find(c *Conn) bool {
	if w.raw = nonblock.Socket(c.nc); w.raw == nil {
		return false
	}
	w.try = func(fd uintptr) bool { return c.wait.readSocket(c, fd) }
	return true
}

// readSocket is called whenever the socket may be readable. It returns false to
// wait again.
func (w *waiter) readSocket(c *Conn, fd uintptr) bool {
	n, err := nonblock.Read(fd, c.space())
	switch {
	case errors.Is(err, syscall.EAGAIN):
		c.release()
		return false
	case err != nil:
		w.err = os.NewSyscallError("read", err)
	case n == 0:
		w.err = io.EOF
	default:
		c.w += n
	}
	return true
}
