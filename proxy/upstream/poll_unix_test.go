//go:build unix

package upstream

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// readable reports whether a read of c would return at once, or has returned.
func readable(t *testing.T, c *conn) bool {
	t.Helper()
	if c.watch != nil {
		return c.watch.over()
	}
	ready := false
	raw, err := c.sock.Conn.(syscall.Conn).SyscallConn()
	check(t, err)
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		ready = err == nil && n > 0 || errors.Is(err, syscall.EBADF)
	})
	return ready || err != nil
}

// pollerStub makes c look alive whatever its socket says.
func pollerStub(_ *testing.T, c *conn) {
	c.sock.look = func([]byte) (int, error) { return 0, syscall.EAGAIN }
}
