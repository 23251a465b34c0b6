//go:build unix

package front

import (
	"errors"
	"syscall"
)

// isShortage reports whether the kernel ran out of something.
func isShortage(err error) bool {
	for _, e := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
