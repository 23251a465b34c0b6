//go:build unix

package front

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"tlslift/proxy/call"
)

// peekStanding looks at one byte, and leaves it where it is, to find out whether
// the peer is there.
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

// readInstantly reads what the kernel holds, whatever the deadlines. With
// nothing there it returns os.ErrDeadlineExceeded, which crypto/tls does not take
// for the connection's end.
func readInstantly(nc net.Conn, p []byte) (n int, err error) {
	sc, ok := nc.(syscall.Conn)
	if !ok || len(p) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err
	}
	ctl := raw.Control(func(fd uintptr) {
		for n, err = unix.Read(int(fd), p); errors.Is(err, unix.EINTR); n, err = unix.Read(int(fd), p) {
		}
	})
	switch {
	case ctl != nil:
		return 0, ctl
	case errors.Is(err, unix.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
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
