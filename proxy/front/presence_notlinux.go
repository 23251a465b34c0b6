//go:build !linux

package front

import (
	"syscall"

	"tlslift/proxy/call"
)

// standing looks at one byte, and leaves it where it is.
func standing(raw syscall.RawConn) call.PeerState { return peekStanding(raw) }

// acknowledged is unknown on this platform.
func acknowledged(syscall.RawConn) (taken, lost, known bool) { return false, false, false }
