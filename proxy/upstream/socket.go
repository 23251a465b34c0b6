package upstream

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"tlslift/proxy/rawio"
)

// readMode says what a socket does when asked for bytes.
type readMode uint8

const (
	readBlock readMode = iota // wait for them, as every net.Conn
	readPoll                  // take what the kernel has, never wait
	readDry                   // do not even ask the kernel
)

// wouldBlock is what a read returns that would have had to wait. crypto/tls
// treats a temporary net.Error as "ask again": nothing it has buffered is
// lost, so a TLS connection can be read without blocking.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no bytes yet" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock net.Error = wouldBlock{}

// socket is an outbound TCP connection, at the bottom of every stack of
// layers. It counts the bytes the kernel accepted, which decides between
// not_sent and unknown, sees a ClientHello go by, and can read without waiting.
//
// mode, eof and sniff belong to whoever owns the connection.
type socket struct {
	net.Conn
	t    *Transport
	ends ends
	raw  *rawio.Socket
	// look reads what the kernel has, see rawio.Socket.TryRead. Where that
	// cannot be done it is nil: idle connections are read in the background.
	look func([]byte) (int, error)

	sent    atomic.Int64 // bytes the kernel accepted
	closed  atomic.Bool
	mode    readMode
	eof     bool // the stream ended (FIN)
	sniff   bool // the next write starts with a ClientHello
	early   [1]byte
	peeked  bool             // early was read, and is the next byte
	way     *sight[ends]     // of the connection
	hello   *sight[[32]byte] // of that hello; nil = none
	greeted bool             // it is not under way any more
}

// newSocket registers the connection as one of ours, before its first byte.
func newSocket(t *Transport, c net.Conn) *socket {
	s := &socket{Conn: c, t: t, ends: ends{addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())}, raw: rawio.New(c)}
	if s.raw.CanTry() && !t.watchAll {
		s.look = s.raw.TryRead
	}
	s.way = t.sockets.add(s.ends)
	return s
}

func (s *socket) Read(p []byte) (n int, err error) {
	switch {
	case s.mode == readDry:
		return 0, errWouldBlock
	case s.peeked && len(p) > 0:
		s.peeked = false
		p[0] = s.early[0]
		return 1, nil
	case s.mode == readPoll:
		n, err = s.tryRead(p)
	default:
		n, err = s.raw.Read(p)
	}
	if errors.Is(err, io.EOF) {
		s.eof = true
	}
	return n, err
}

// tryRead returns errWouldBlock when there is nothing, or when it cannot look.
func (s *socket) tryRead(p []byte) (int, error) {
	if s.look == nil {
		return 0, errWouldBlock
	}
	n, err := s.look(p)
	if errors.Is(err, syscall.EAGAIN) {
		err = errWouldBlock
	}
	return n, err
}

// peek returns errWouldBlock when there is nothing to read, nil when there is,
// or why there will be nothing any more.
func (s *socket) peek() error {
	if s.peeked {
		return nil
	}
	n, err := s.tryRead(s.early[:])
	s.peeked = n > 0
	return err
}

func (s *socket) Write(p []byte) (int, error) {
	if s.sniff {
		s.sniff = false
		if random, ok := helloRandom(p); ok {
			s.hello, s.greeted = s.t.hellos.add(random), false
		}
	}
	n, err := s.raw.Write(p)
	s.sent.Add(int64(n))
	return n, err
}

// helloDone forgets the ClientHello that went by.
func (s *socket) helloDone() {
	if s.hello != nil && !s.greeted {
		s.greeted = true
		s.t.hellos.drop(s.hello)
	}
}

// cameBack reports whether the connection, or the hello that it carried, was
// met by tlslift itself.
func (s *socket) cameBack() bool {
	return s.way.back.Load() || s.hello != nil && s.hello.back.Load()
}

// Close closes the connection; every call after the first does nothing.
func (s *socket) Close() error {
	if !s.closed.CompareAndSwap(false, true) {
		return net.ErrClosed
	}
	s.t.sockets.drop(s.way)
	return s.Conn.Close()
}

// CloseWrite ends our half of the connection.
func (s *socket) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// ReadFrom lets io.Copy splice from another socket.
func (s *socket) ReadFrom(r io.Reader) (int64, error) {
	if rf, ok := s.Conn.(io.ReaderFrom); ok {
		n, err := rf.ReadFrom(r)
		s.sent.Add(n)
		return n, err
	}
	return io.Copy(struct{ io.Writer }{s}, r)
}

// NetConn returns the connection below, for copying without a buffer.
func (s *socket) NetConn() net.Conn { return s.Conn }
