//go:build unix

package nonblock

import (
	"errors"
	"syscall"
)

// maxCall is the most bytes that one call moves.
const maxCall = 64 << 10

// Read reads what the kernel has for a non-blocking socket, at most 64 KiB.
// The error is a syscall.Errno: EAGAIN if there is nothing yet. At the end of the
// stream, Read returns 0 and no error.
func Read(fd uintptr, p []byte) (int, error) {
	for {
		n, err := read(int(fd), p[:min(len(p), maxCall)])
		if !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}

// Write writes what the kernel accepts for a non-blocking socket, at most 64 KiB.
// The error is a syscall.Errno: EAGAIN if it accepts nothing yet.
func Write(fd uintptr, p []byte) (int, error) {
	for {
		n, err := write(int(fd), p[:min(len(p), maxCall)])
		if !errors.Is(err, syscall.EINTR) {
			return max(n, 0), err
		}
	}
}
