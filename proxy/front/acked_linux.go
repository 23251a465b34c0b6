package front

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// tcpClose is TCP_CLOSE of the kernel's list of states: after a reset.
const tcpClose = 7

// acknowledged reports whether the peer has acknowledged all that was written
// (nothing is left in the send queue), or the connection was reset.
func acknowledged(raw syscall.RawConn) (taken, lost, known bool) {
	ctl := raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		queued, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		if err != nil {
			return
		}
		lost = info.State == tcpClose
		taken, known = !lost && queued == 0, true
	})
	if ctl != nil {
		return false, true, true // closed
	}
	return taken, lost, known
}
