// Package rawio reads and writes TCP sockets without telling Go's scheduler of
// each system call.
//
// The scheduler has to be told of a call that may take long, so that another
// thread can go on meanwhile. Calls on a non-blocking socket never do, yet
// telling of them is not free: the first one after a pause wakes the runtime's
// monitor thread, which then looks on every 20 microseconds until the process
// is idle again. For a proxy that is woken by every request this was a fifth of
// its CPU. Waiting is left to the runtime's poller in any case, with the
// connection's deadlines.
//
// It is done on Linux. Elsewhere, and under the race detector, which learns
// from ordinary calls what happened before what, the same code makes ordinary
// calls; where sockets cannot be had at all (Windows), the connection's own
// methods are used.
package rawio

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Socket is the socket of one connection. One goroutine at a time may read,
// one may write.
type Socket struct {
	nc        net.Conn
	raw       syscall.RawConn // nil = only nc's own methods
	in        call
	out       call
	try       call
	onRead    func(fd uintptr) bool
	onWrite   func(fd uintptr) bool
	onTryRead func(fd uintptr)
}

// call is the arguments and results of a system call. They and the functions
// above are kept, since every request makes several.
type call struct {
	p   []byte
	n   int
	err error
}

// New returns the socket of nc, if nc is a TCP connection itself and not a layer
// above one. Otherwise Read and Write are those of nc, and TryRead does not work.
func New(nc net.Conn) *Socket {
	s := &Socket{nc: nc}
	tc, ok := nc.(*net.TCPConn)
	if !ok || !supported {
		return s
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return s
	}
	s.raw = raw
	s.onRead, s.onWrite, s.onTryRead = s.read, s.write, s.tryRead
	return s
}

// Read is net.Conn's: errors are *net.OpError, the end is io.EOF.
func (s *Socket) Read(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.nc.Read(p)
	}
	s.in = call{p: p}
	err := s.raw.Read(s.onRead)
	done := s.in
	s.in = call{}
	switch {
	case err != nil:
		return 0, named(err, "read")
	case done.err != nil:
		return 0, s.opError("read", done.err)
	case done.n == 0:
		return 0, io.EOF
	}
	return done.n, nil
}

// Write is net.Conn's: it returns when everything is written or failed, with
// the number of bytes that the kernel took.
func (s *Socket) Write(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.nc.Write(p)
	}
	s.out = call{p: p}
	err := s.raw.Write(s.onWrite)
	done := s.out
	s.out = call{}
	switch {
	case err != nil:
		return done.n, named(err, "write")
	case done.err != nil:
		return done.n, s.opError("write", done.err)
	}
	return done.n, nil
}

// CanTry reports whether TryRead works here.
func (s *Socket) CanTry() bool { return s.raw != nil }

// TryRead reads what the kernel has, and never waits: syscall.EAGAIN says that
// there is nothing. Deadlines do not matter.
func (s *Socket) TryRead(p []byte) (int, error) {
	if s.raw == nil {
		return 0, errors.ErrUnsupported
	}
	s.try = call{p: p}
	err := s.raw.Control(s.onTryRead)
	done := s.try
	s.try = call{}
	switch {
	case err != nil:
		return 0, err
	case done.err != nil:
		return 0, done.err
	case done.n == 0:
		return 0, io.EOF
	}
	return done.n, nil
}

// read is one attempt; false asks to wait until there is something to read.
func (s *Socket) read(fd uintptr) bool {
	s.in.n, s.in.err = again(sysRead, fd, s.in.p)
	return s.in.err != syscall.EAGAIN //nolint:errorlint // a bare errno, per request
}

func (s *Socket) tryRead(fd uintptr) { s.try.n, s.try.err = again(sysRead, fd, s.try.p) }

// write writes until all is taken; false asks to wait until there is room.
func (s *Socket) write(fd uintptr) bool {
	for s.out.n < len(s.out.p) {
		n, err := again(sysWrite, fd, s.out.p[s.out.n:])
		if err == syscall.EAGAIN { //nolint:errorlint // a bare errno, per request
			return false
		}
		if err == nil && n <= 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			s.out.err = err
			return true
		}
		s.out.n += n
	}
	return true
}

// again repeats a call that a signal interrupted.
func again(f func(int, []byte) (int, error), fd uintptr, p []byte) (int, error) {
	for {
		n, err := f(int(fd), p)
		if err != syscall.EINTR { //nolint:errorlint // a bare errno, per request
			return n, err
		}
	}
}

func (s *Socket) opError(op string, err error) error {
	return &net.OpError{
		Op: op, Net: "tcp", Source: s.nc.LocalAddr(), Addr: s.nc.RemoteAddr(), Err: os.NewSyscallError(op, err),
	}
}

// named makes an error of syscall.RawConn read like one of net.Conn.
func named(err error, op string) error {
	var e *net.OpError
	if errors.As(err, &e) {
		e.Op = op
	}
	return err
}
