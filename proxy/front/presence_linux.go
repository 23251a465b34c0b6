package front

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tlslift/proxy/call"
)

// States of a TCP connection, from the kernel's include/net/tcp_states.h.
const (
	tcpTimeWait  = 6
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// standing asks the kernel for the connection's state. Unlike a peek, it sees a FIN
// that follows unread bytes: a caller that leaves over TLS sends close_notify
// first.
//
// A FIN updates last_ack_recv but not last_data_recv, both in milliseconds ago
// (measured; linux/tcp.h does not say). So does a keep-alive acknowledgement, but
// keep-alive is off for accepted connections.
func standing(raw syscall.RawConn) call.PeerState {
	info, err := tcpInfo(raw)
	if err != nil {
		return peekStanding(raw)
	}
	switch info.State {
	case tcpClose:
		return call.PeerState{Reset: true}
	case tcpCloseWait, tcpLastAck, tcpClosing, tcpTimeWait:
		late := time.Duration(info.Last_data_recv) - time.Duration(info.Last_ack_recv)
		return call.PeerState{HalfClosed: true, Late: max(late, 0) * time.Millisecond}
	default:
		return call.PeerState{}
	}
}

// acknowledged reports whether the peer has acknowledged everything that was
// written, which leaves the send queue empty, or whether the connection was lost.
func acknowledged(raw syscall.RawConn) (taken, lost, known bool) {
	info, err := tcpInfo(raw)
	if err != nil {
		return false, false, false
	}
	queued, err := unacknowledged(raw)
	if err != nil {
		return false, false, false
	}
	lost = info.State == tcpClose
	return !lost && queued == 0, lost, true
}

// tcpInfo returns the kernel's view of the connection.
func tcpInfo(raw syscall.RawConn) (info *unix.TCPInfo, err error) {
	ctl := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if ctl != nil {
		return nil, ctl
	}
	return info, err
}

// unacknowledged returns how many bytes in the send queue the peer has not
// acknowledged.
func unacknowledged(raw syscall.RawConn) (queued int, err error) {
	ctl := raw.Control(func(fd uintptr) { queued, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if ctl != nil {
		return 0, ctl
	}
	return queued, err
}
