package dial

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/nonblock"
)

// wouldBlock is what a read returns that would have had to wait. crypto/tls
// takes a temporary net.Error for "ask again": nothing it has buffered is lost,
// so a TLS connection can be read without waiting.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no bytes yet" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock net.Error = wouldBlock{}

// readMode says what a socket does when it is asked for bytes.
type readMode uint8

const (
	modeWait readMode = iota // wait for them, as every net.Conn
	modePoll                 // take what the kernel has
	modeDry                  // do not ask the kernel
)

// pollWait is how long a read that should not wait may take where the system
// offers no other way (Windows).
const pollWait = time.Millisecond

// socket is an outbound TCP connection, at the bottom of every stack of layers.
// It counts the bytes that the kernel accepted, which decides between not_sent
// and unknown, and can read without waiting.
//
// mode and eof belong to the owner of the connection.
type socket struct {
	net.Conn
	try    tryReader // the same connection; nil = it cannot read without waiting
	loops  *Loops
	route  *inFlight[ends]
	sent   atomic.Int64
	closed atomic.Bool
	mode   readMode
	eof    bool // the stream ended (FIN)
}

// tryReader reads what the kernel has without waiting, whatever the deadlines
// (syscall.EAGAIN: nothing).
type tryReader interface {
	TryRead(p []byte) (int, error)
}

// newSocket registers the connection as one of ours, before its first byte.
func newSocket(c net.Conn, loops *Loops) *socket {
	way := loops.sockets.add(ends{host.OfSocket(c.LocalAddr()), host.OfSocket(c.RemoteAddr())})
	c = nonblock.Wrap(c)
	try, _ := c.(tryReader)
	return &socket{Conn: c, try: try, loops: loops, route: way}
}

func (s *socket) Read(p []byte) (n int, err error) {
	switch s.mode {
	case modeDry:
		return 0, errWouldBlock
	case modePoll:
		n, err = s.tryRead(p)
	default:
		n, err = s.Conn.Read(p)
	}
	if errors.Is(err, io.EOF) {
		s.eof = true
	}
	return n, err
}

// tryRead returns errWouldBlock when there is nothing.
func (s *socket) tryRead(p []byte) (int, error) {
	if s.try != nil {
		n, err := s.try.TryRead(p)
		if errors.Is(err, syscall.EAGAIN) {
			err = errWouldBlock
		}
		return n, err
	}
	_ = s.SetReadDeadline(time.Now().Add(pollWait))
	n, err := s.Conn.Read(p)
	if timedOut(err) {
		err = errWouldBlock
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

// Close closes the connection; every call after the first does nothing.
func (s *socket) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	s.loops.sockets.drop(s.route)
	return s.Conn.Close()
}

// CloseWrite ends our half of the connection.
func (s *socket) CloseWrite() error { return closeWrite(s.Conn) }

func closeWrite(c net.Conn) error {
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// NetConn returns the connection below. It may be read instead.
func (s *socket) NetConn() net.Conn { return s.Conn }
