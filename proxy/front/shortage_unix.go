//go:build unix

package front

import (
	"errors"
	"fmt"
	"syscall"
)

// TooFewDescriptors returns advice if this process may open fewer file descriptors
// than the connections need, or "" if the limit is high enough or unknown.
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

// outOfDescriptors reports whether err means that the process has no file
// descriptor left.
func outOfDescriptors(err error) bool { return errors.Is(err, syscall.EMFILE) }

// isShortage reports whether err means that file descriptors or memory ran out.
func isShortage(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}
