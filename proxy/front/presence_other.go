//go:build !unix

package front

import "syscall"

// peekPresence cannot tell here.
func peekPresence(syscall.RawConn) Presence { return PresenceUnknown }

// socketHasBytes cannot tell here; lingering then depends on what is known
// without asking.
func socketHasBytes(syscall.RawConn) bool { return false }
