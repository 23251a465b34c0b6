//go:build unix

package upstream

import (
	"errors"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// readable reports whether a read of the socket would return at once.
func readable(t *testing.T, s *socket) bool {
	t.Helper()
	ready := false
	err := s.poller.raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		ready = err == nil && n > 0 || errors.Is(err, syscall.EBADF)
	})
	return ready || err != nil
}

// pollerStub makes c look alive whatever its socket says.
func pollerStub(c *conn) {
	c.sock.poller.f = func(uintptr) { c.sock.poller.err = syscall.EAGAIN }
}
