//go:build linux && !race

package rawio

import (
	"syscall"
	"unsafe"
)

const supported = true

// sysRead and sysWrite take at least one byte.
func sysRead(fd int, p []byte) (int, error) { return bare(syscall.SYS_READ, fd, p) }

func sysWrite(fd int, p []byte) (int, error) { return bare(syscall.SYS_WRITE, fd, p) }

func bare(number uintptr, fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(number, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
