//go:build unix

package front

import (
	"errors"
	"fmt"
	"syscall"
)

// TooFewDescriptors says that this process may have fewer file descriptors than so
// many connections need; "" = it may have enough, or that is not known.
func TooFewDescriptors(connections int) string {
	var limit syscall.Rlimit
	need := 2 * connections // one for the caller, one for the upstream
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	if err != nil || uint64(limit.Cur) >= uint64(need) { //nolint:unconvert // it is signed on FreeBSD
		return ""
	}
	return fmt.Sprintf("limits.connections %d needs about %d file descriptors, and this process may have %d: raise LimitNOFILE (systemd) or ulimit -n, or lower limits.connections",
		connections, need, limit.Cur)
}

// outOfDescriptors reports whether the process has no file descriptor left.
func outOfDescriptors(err error) bool { return errors.Is(err, syscall.EMFILE) }

// isShortage reports whether the kernel ran out of something.
func isShortage(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
