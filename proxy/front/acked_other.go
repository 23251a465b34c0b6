//go:build !linux

package front

import "syscall"

// acknowledged cannot tell here.
func acknowledged(syscall.RawConn) (taken, lost, known bool) { return false, false, false }
