//go:build !unix

package front

import (
	"syscall"

	"tlslift/proxy/call"
)

// peekStanding cannot look on this platform: a caller is there until writing to it
// fails.
func peekStanding(syscall.RawConn) call.PeerState { return call.PeerState{} }

// socketHasBytes cannot look on this platform: Close lingers only after Linger, or
// if bytes are buffered.
func socketHasBytes(syscall.RawConn) bool { return false }
