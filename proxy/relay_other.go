//go:build !unix

package proxy

import "net"

// idleReader reads into a buffer of its own, where a socket cannot be awaited without
// one.
type idleReader struct {
	conn net.Conn
	buf  [4 << 10]byte
}

func newIdleReader(c net.Conn) *idleReader { return &idleReader{conn: c} }

func (r *idleReader) read() ([]byte, int, error) {
	n, err := r.conn.Read(r.buf[:])
	return r.buf[:], n, err
}

func (r *idleReader) release() {}
