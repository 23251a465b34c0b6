//go:build !unix

package front

import (
	"syscall"

	"tlslift/proxy/call"
)

// peekStanding is unknown on this platform: a caller is there until writing to
// it fails.
func peekStanding(syscall.RawConn) call.PeerState { return call.PeerState{} }

// socketHasBytes is unknown on this platform: Close lingers only after Linger,
// or while bytes are buffered.
func socketHasBytes(syscall.RawConn) bool { return false }
