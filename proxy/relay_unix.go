//go:build unix

package proxy

import (
	"errors"
	"io"
	"net"
	"syscall"

	"tlslift/proxy/nonblock"
)

// idleReader waits for a socket without holding a buffer: thousands of tunnels
// are idle most of the time.
type idleReader struct {
	conn net.Conn
	raw  syscall.RawConn // nil: read through conn
	buf  *[relayBuffer]byte
	n    int
	err  error
}

func newIdleReader(c net.Conn) *idleReader { return &idleReader{conn: c} }

// read returns the bytes that arrived; they are valid until release.
func (r *idleReader) read() ([]byte, int, error) {
	if r.raw == nil {
		r.raw = nonblock.Socket(r.conn)
	}
	if r.raw == nil {
		r.take()
		n, err := r.conn.Read(r.buf[:])
		if n == 0 {
			r.release()
			return nil, 0, err
		}
		return r.buf[:], n, err
	}
	r.n, r.err = 0, nil
	err := r.raw.Read(r.try)
	if err == nil {
		err = r.err
	}
	if r.n == 0 {
		return nil, 0, err
	}
	return r.buf[:], r.n, err
}

// try is called whenever the socket may be readable.
func (r *idleReader) try(fd uintptr) bool {
	r.take()
	n, err := nonblock.Read(fd, r.buf[:])
	switch {
	case errors.Is(err, syscall.EAGAIN):
		r.release()
		return false
	case err != nil:
		r.release()
		r.err = &net.OpError{Op: "read", Net: "tcp", Addr: r.conn.RemoteAddr(), Err: err}
	case n == 0:
		r.release()
		r.err = io.EOF
	default:
		r.n = n
	}
	return true
}

func (r *idleReader) take() {
	if r.buf == nil {
		r.buf = relayBuffers.Get().(*[relayBuffer]byte)
	}
}

func (r *idleReader) release() {
	if r.buf != nil {
		relayBuffers.Put(r.buf)
		r.buf = nil
	}
}
