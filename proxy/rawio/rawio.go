// Package rawio reads and writes TCP sockets without telling Go's scheduler of
// each system call.
//
// The scheduler has to be told of a call that may take long, so that another
// thread can go on meanwhile. Calls on a non-blocking socket do not wait for the
// other side, yet telling of them is not free: the first one after a pause wakes
// the runtime's monitor thread, which then looks on every 20 microseconds until
// the process is idle again. For a proxy that is woken by every request this was
// a fifth of its CPU. Waiting is left to the runtime's poller in any case, with
// the connection's deadlines.
//
// A monitor that sleeps does not interrupt a goroutine that never waits. So one
// that has read many times without waiting lets the others go first.
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
	"runtime"
	"sync"
	"syscall"
)

// yieldAfter is how many reads in a row that did not wait one goroutine may make
// before the others get their turn.
const yieldAfter = 64

// Socket is the socket of one connection. Its methods may be called from several
// goroutines, as those of a net.Conn; reads follow each other, and so do writes.
type Socket struct {
	nc        net.Conn
	raw       syscall.RawConn // nil = only nc's own methods
	in        call
	out       call
	try       call
	streak    int // reads in a row that did not wait; under in.mu
	onRead    func(fd uintptr) bool
	onWrite   func(fd uintptr) bool
	onTryRead func(fd uintptr)
}

// call is the arguments and results of a system call. They and the functions
// above are kept, since every request makes several.
type call struct {
	mu  sync.Mutex // of one call at a time
	p   []byte
	n   int
	err error
}

// done forgets the call and returns its results.
func (c *call) done() (int, error) {
	n, err := c.n, c.err
	c.p, c.n, c.err = nil, 0, nil
	return n, err
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
	s.in.mu.Lock()
	s.in.p = p
	s.streak++
	waitErr := s.raw.Read(s.onRead)
	n, err := s.in.done()
	yield := s.streak >= yieldAfter
	if yield {
		s.streak = 0
	}
	s.in.mu.Unlock()
	if yield {
		runtime.Gosched()
	}
	switch {
	case waitErr != nil:
		return 0, named(waitErr, "read")
	case err != nil:
		return 0, s.opError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write is net.Conn's: it returns when everything is written or failed, with
// the number of bytes that the kernel took.
func (s *Socket) Write(p []byte) (int, error) {
	if s.raw == nil || len(p) == 0 {
		return s.nc.Write(p)
	}
	s.out.mu.Lock()
	s.out.p = p
	waitErr := s.raw.Write(s.onWrite)
	n, err := s.out.done()
	s.out.mu.Unlock()
	switch {
	case waitErr != nil:
		return n, named(waitErr, "write")
	case err != nil:
		return n, s.opError("write", err)
	}
	return n, nil
}

// CanTry reports whether TryRead works here.
func (s *Socket) CanTry() bool { return s.raw != nil }

// TryRead reads what the kernel has, and never waits: syscall.EAGAIN says that
// there is nothing. Deadlines do not matter.
func (s *Socket) TryRead(p []byte) (int, error) {
	switch {
	case s.raw == nil:
		return 0, errors.ErrUnsupported
	case len(p) == 0:
		return 0, nil
	}
	s.try.mu.Lock()
	s.try.p = p
	closed := s.raw.Control(s.onTryRead)
	n, err := s.try.done()
	s.try.mu.Unlock()
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

// read is one attempt; false asks to wait until there is something to read.
func (s *Socket) read(fd uintptr) bool {
	s.in.n, s.in.err = again(sysRead, fd, s.in.p)
	if s.in.err == syscall.EAGAIN { //nolint:errorlint // a bare errno, per request
		s.in.err, s.streak = nil, 0
		return false
	}
	return true
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
		Op: op, Net: s.nc.LocalAddr().Network(), Source: s.nc.LocalAddr(), Addr: s.nc.RemoteAddr(), Err: os.NewSyscallError(op, err),
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
