//go:build (amd64 || arm64) && !race && !msan && !asan

package nonblock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func read(fd int, p []byte) (int, error) { return call(unix.SYS_READ, fd, p) }

func write(fd int, p []byte) (int, error) { return call(unix.SYS_WRITE, fd, p) }

func call(number uintptr, fd int, p []byte) (int, error) {
	n, _, errno := unix.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno // Go does not allocate for an error value this small
	}
	return int(n), nil
}
