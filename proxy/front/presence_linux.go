package front

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// States of a TCP connection, from the kernel's include/net/tcp_states.h.
const (
	tcpTimeWait  = 6
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// socketPresence asks the kernel for the connection's state. Unlike a peek it
// sees an end behind unread bytes: a caller that leaves over TLS
// sends its close_notify first.
func socketPresence(raw syscall.RawConn) Presence {
	info, _, err := tcpInfo(raw)
	if err != nil {
		return peekPresence(raw)
	}
	switch info.State {
	case tcpClose:
		return Gone
	case tcpCloseWait, tcpLastAck, tcpClosing, tcpTimeWait:
		return HalfClosed
	default:
		return Present
	}
}

// acknowledged reports whether the peer has acknowledged all that was written
// (nothing is left in the send queue), or the connection was reset.
func acknowledged(raw syscall.RawConn) (taken, lost, known bool) {
	info, queued, err := tcpInfo(raw)
	if err != nil {
		return false, false, false
	}
	lost = info.State == tcpClose
	return !lost && queued == 0, lost, true
}

// tcpInfo returns the kernel's view of the connection and how many bytes are
// not acknowledged.
func tcpInfo(raw syscall.RawConn) (info *unix.TCPInfo, queued int, err error) {
	ctl := raw.Control(func(fd uintptr) {
		if info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			queued, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		}
	})
	if ctl != nil {
		return nil, 0, ctl
	}
	return info, queued, err
}
