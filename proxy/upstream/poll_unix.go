//go:build unix

package upstream

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// poller reads from a socket without waiting. Go's sockets are non-blocking,
// so a bare read system call does it; the closure and its arguments are kept
// because this happens once per request.
type poller struct {
	raw syscall.RawConn
	f   func(fd uintptr)
	p   []byte
	n   int
	err error
}

func (p *poller) init(c net.Conn) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.f = p.once
}

// able reports whether read works here.
func (p *poller) able() bool { return p.raw != nil }

func (p *poller) once(fd uintptr) {
	for {
		p.n, p.err = syscall.Read(int(fd), p.p)
		if !errors.Is(p.err, syscall.EINTR) {
			return
		}
	}
}

// read returns errWouldBlock when there is nothing.
func (p *poller) read(b []byte) (int, error) {
	p.p = b
	err := p.raw.Control(p.f)
	p.p = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(p.err, syscall.EAGAIN):
		return 0, errWouldBlock
	case p.err != nil:
		return 0, p.err
	case p.n == 0:
		return 0, io.EOF
	}
	return p.n, nil
}
