//go:build !linux

package front

import "syscall"

// socketPresence tells from one byte, looked at but left where it is.
func socketPresence(raw syscall.RawConn) Presence { return peekPresence(raw) }

// acknowledged cannot tell here.
func acknowledged(syscall.RawConn) (taken, lost, known bool) { return false, false, false }
