//go:build unix

package front

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"tlslift/proxy/call"
)

// peekStanding peeks at one byte to find out whether the peer is there.
func peekStanding(raw syscall.RawConn) call.PeerState {
	n, err := peekByte(raw)
	switch {
	case err == nil && n == 0:
		return call.PeerState{HalfClosed: true, Late: unknownLate}
	case err == nil, errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return call.PeerState{}
	default:
		return call.PeerState{Reset: true}
	}
}

func socketHasBytes(raw syscall.RawConn) bool {
	n, err := peekByte(raw)
	return err == nil && n > 0
}

func peekByte(raw syscall.RawConn) (n int, err error) {
	var b [1]byte
	ctl := raw.Control(func(fd uintptr) {
		n, _, err = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	if ctl != nil {
		return 0, ctl
	}
	return n, err
}
