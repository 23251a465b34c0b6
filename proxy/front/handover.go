package front

import (
	"io"
	"net"
	"time"
)

// HandOver ends the judging of heads and returns the connection as it is:
// after http.Hijacker.Hijack for CONNECT, or after [Sniff] found no HTTP. (A
// hijacked Conn may also be sniffed, and served again when HTTP follows the
// CONNECT.)
// Bytes that arrived already, such as a ClientHello sent together with
// CONNECT, are read first. Deadlines are the caller's from now on, and none
// is set. Closing what is returned closes the Conn, which itself must be
// neither read nor written any more.
func (c *Conn) HandOver() net.Conn {
	c.phase = handedOut
	c.setLingers(false)
	_ = c.nc.SetDeadline(time.Time{})
	return &stream{c}
}

// stream is a Conn that was handed over. It is a type of its own because it
// may be an io.ReaderFrom and io.WriterTo, for splice(2), whereas under
// net/http that would cost a large buffer for every answer.
type stream struct{ c *Conn }

var (
	_ io.ReaderFrom = (*stream)(nil)
	_ io.WriterTo   = (*stream)(nil)
)

func (s *stream) Read(p []byte) (int, error) {
	if s.c.in != nil {
		n := copy(p, s.c.in.unread())
		s.c.consume(n)
		return n, nil
	}
	return s.c.raw.Read(p)
}

func (s *stream) Write(p []byte) (int, error) { return s.c.raw.Write(p) }

// WriteTo writes what arrived already to w, then copies from the connection.
func (s *stream) WriteTo(w io.Writer) (int64, error) {
	var early int64
	for s.c.in != nil {
		n, err := w.Write(s.c.in.unread())
		s.c.consume(n)
		early += int64(n)
		if err != nil {
			return early, err
		}
	}
	n, err := io.Copy(w, s.c.nc)
	return early + n, err
}

// ReadFrom copies from r to the connection.
func (s *stream) ReadFrom(r io.Reader) (int64, error) { return io.Copy(s.c.nc, r) }

func (s *stream) Close() error                       { return s.c.Close() }
func (s *stream) CloseWrite() error                  { return s.c.CloseWrite() }
func (s *stream) LocalAddr() net.Addr                { return s.c.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr               { return s.c.RemoteAddr() }
func (s *stream) SetDeadline(t time.Time) error      { return s.c.nc.SetDeadline(t) }
func (s *stream) SetReadDeadline(t time.Time) error  { return s.c.nc.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.c.nc.SetWriteDeadline(t) }

// Buffered is how many bytes arrived already and are read before those of the
// connection beneath: when it is 0, that one may be read instead.
func (s *stream) Buffered() int { return s.c.buffered() }

// NetConn returns the connection beneath.
func (s *stream) NetConn() net.Conn { return s.c.nc }

// outerOf finds the Conn that was handed over and now lies beneath nc.
func outerOf(nc net.Conn) *Conn {
	for {
		switch x := nc.(type) {
		case *stream:
			return x.c
		case interface{ NetConn() net.Conn }:
			nc = x.NetConn()
		default:
			return nil
		}
	}
}
