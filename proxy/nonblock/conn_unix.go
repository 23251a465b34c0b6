//go:build unix

package nonblock

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Conn is a TCP connection that is read and written as the package comment
// describes. Otherwise it behaves like its net.TCPConn, and returns the same
// errors.
type Conn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Wrap returns a *Conn if c is a TCP connection, else c.
func Wrap(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	return &Conn{tcp, raw}
}

// NetConn returns the underlying net.TCPConn, which may be used in place of c.
func (c *Conn) NetConn() net.Conn { return c.TCPConn }

// SyscallConn returns the raw connection of the net.TCPConn without allocating.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.raw, nil }

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t := begin(p)
	ended := c.raw.Read(t.takeOrWait)
	return c.got(t, ended)
}

// TryRead reads what the kernel has without waiting, whatever the deadlines.
// If there is nothing, the error is syscall.EAGAIN itself.
func (c *Conn) TryRead(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	t := begin(p)
	ended := c.raw.Control(t.take)
	return c.got(t, ended)
}

// got returns the result of the read t. ended is the error of syscall.RawConn, or
// nil.
func (c *Conn) got(t *transfer, ended error) (int, error) {
	n, err := t.end()
	switch {
	case ended != nil:
		return 0, named("read", ended)
	case errors.Is(err, syscall.EAGAIN):
		return 0, err
	case err != nil:
		return 0, c.failed("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn. It returns how many bytes the kernel accepted,
// whatever the error.
func (c *Conn) Write(p []byte) (int, error) {
	t := begin(p)
	ended := c.raw.Write(t.putOrWait)
	n, err := t.end()
	switch {
	case ended != nil:
		return n, named("write", ended)
	case err != nil:
		return n, c.failed("write", err)
	}
	return n, nil
}

// failed returns the error that net.TCPConn returns for a failed system call.
func (c *Conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}

// named sets the operation of an error from syscall.RawConn.
func named(op string, err error) error {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		e.Op = op
	}
	return err
}
