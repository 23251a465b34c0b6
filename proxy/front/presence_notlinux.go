//go:build !linux

package front

import (
	"syscall"

	"tlslift/proxy/call"
)

// standing peeks at one byte.
func standing(raw syscall.RawConn) call.PeerState { return peekStanding(raw) }

// acknowledged cannot say on this platform.
func acknowledged(syscall.RawConn) (taken, lost, known bool) { return false, false, false }
