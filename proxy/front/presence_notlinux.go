//go:build !linux

package front

import "syscall"

// socketPresence looks at one byte, and leaves it where it is.
func socketPresence(raw syscall.RawConn) Presence { return peekPresence(raw) }

// acknowledged is unknown on this platform.
func acknowledged(syscall.RawConn) (taken, lost, known bool) { return false, false, false }
