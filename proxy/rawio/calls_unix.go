//go:build unix && (!linux || race)

package rawio

import "syscall"

const supported = true

func sysRead(fd int, p []byte) (int, error) { return syscall.Read(fd, p) }

func sysWrite(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }
