//go:build unix

package dial

import (
	"io"
	"net"
	"syscall"
)

// attempt is a read of what the kernel has. Its arguments and results are kept,
// and so is the function that the runtime calls, since every request makes one.
type attempt struct {
	raw syscall.RawConn
	do  func(fd uintptr)
	p   []byte
	n   int
	err error
}

// tryReader returns the way to read from c what the kernel has without waiting
// (syscall.EAGAIN: nothing), whatever c's deadlines. It is nil where c is no TCP
// connection. One goroutine at a time may read.
func tryReader(c net.Conn) func([]byte) (int, error) {
	tc, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return nil
	}
	a := &attempt{raw: raw}
	a.do = a.read
	return a.tryRead
}

func (a *attempt) tryRead(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	a.p = p
	closed := a.raw.Control(a.do)
	n, err := a.n, a.err
	a.p, a.n, a.err = nil, 0, nil
	switch {
	case closed != nil:
		return 0, closed
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (a *attempt) read(fd uintptr) {
	for {
		a.n, a.err = syscall.Read(int(fd), a.p)
		if a.err != syscall.EINTR { //nolint:errorlint // a bare errno, per request
			return
		}
	}
}
