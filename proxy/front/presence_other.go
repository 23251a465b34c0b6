//go:build !unix

package front

import "syscall"

// peekPresence is unknown on this platform.
func peekPresence(syscall.RawConn) Presence { return PresenceUnknown }

// socketHasBytes is unknown on this platform: Close lingers only after Linger,
// or while bytes are buffered.
func socketHasBytes(syscall.RawConn) bool { return false }
