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

// wouldBlock is the error of a read that would have had to wait. crypto/tls takes a
// temporary net.Error to mean "try again" and loses nothing that it has buffered, so
// a TLS connection can be read without waiting.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no bytes yet" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock net.Error = wouldBlock{}

// readMode is how a socket reads.
type readMode uint8

const (
	modeWait readMode = iota // wait for bytes, as any net.Conn does
	modePoll                 // take what the kernel has
	modeDry                  // do not ask the kernel
)

// pollWait is how long a read that should not wait may take if the system offers no
// other way (Windows).
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

// tryReader reads what the kernel has without waiting, whatever the deadlines. The
// error is syscall.EAGAIN if there is nothing.
type tryReader interface {
	TryRead(p []byte) (int, error)
}

// newSocket registers the connection as ours, before its first byte.
func newSocket(c net.Conn, loops *Loops) *socket {
	way := loops.sockets.add(ends{host.OfSocket(c.LocalAddr()), host.OfSocket(c.RemoteAddr())})
	c = nonblock.Wrap(c)
	try, _ := c.(tryReader)
	return &socket{Conn: c, try: try, loops: loops, route: way}
}

func (s *socket) Read(p []byte) (n int, err error) {
	switch {
	case s.mode == modeDry:
		return 0, errWouldBlock
	case s.mode == modeWait:
		n, err = s.Conn.Read(p)
	case s.try != nil:
		if n, err = s.try.TryRead(p); errors.Is(err, syscall.EAGAIN) {
			err = errWouldBlock
		}
	default:
		_ = s.SetReadDeadline(time.Now().Add(pollWait))
		if n, err = s.Conn.Read(p); timedOut(err) {
			err = errWouldBlock
		}
	}
	if errors.Is(err, io.EOF) {
		s.eof = true
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

// Close closes the connection. Later calls only return net.ErrClosed.
func (s *socket) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	s.loops.sockets.drop(s.route)
	return s.Conn.Close()
}

// CloseWrite half-closes the connection.
func (s *socket) CloseWrite() error { return closeWrite(s.Conn) }

func closeWrite(c net.Conn) error {
	if cw, ok := c.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

// NetConn returns the underlying connection, which may be read directly.
func (s *socket) NetConn() net.Conn { return s.Conn }

// Buffered is always 0: see nonblock.Socket.
func (s *socket) Buffered() int { return 0 }
