//go:build unix

package http1

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"tlslift/proxy/nonblock"
)

// waiter waits for a connection's next bytes. A socket is waited for without a
// buffer; of anything else one byte is read first.
type waiter struct {
	one [1]byte
	raw syscall.RawConn // nil: not a socket, or not yet known
	try func(fd uintptr) bool
	err error
}

// read waits for bytes and reads them into c's buffer, which it takes only
// then.
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

// poll reads what the socket holds, without waiting. It reports whether there
// was anything.
func (w *waiter) poll(c *Conn) bool {
	if w.raw == nil && !w.find(c) {
		return false
	}
	got := 0
	_ = w.raw.Control(func(fd uintptr) { got, _ = nonblock.Read(fd, c.space()) })
	c.w += got
	return got > 0
}

// find looks for the socket beneath, once the layers above it hold no bytes.
func (w *waiter) find(c *Conn) bool {
	nc := c.nc
	for {
		if socket, ok := nc.(syscall.Conn); ok {
			raw, err := socket.SyscallConn()
			if err != nil {
				return false
			}
			w.raw, w.try = raw, func(fd uintptr) bool { return c.wait.readSocket(c, fd) }
			return true
		}
		above, ok := nc.(interface {
			NetConn() net.Conn
			Buffered() int
		})
		if !ok || above.Buffered() > 0 {
			return false
		}
		nc = above.NetConn()
	}
}

// readSocket is called whenever the socket may be readable; false asks to wait.
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
