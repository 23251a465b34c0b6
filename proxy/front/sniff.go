package front

import (
	"errors"
	"io"
	"os"
	"time"
)

// Kind is what the first bytes of a connection look like.
type Kind uint8

// The kinds.
const (
	KindHTTP  Kind = iota // anything that is nothing else; what is not HTTP is refused by its head
	KindTLS               // a TLS record of a handshake (RFC 8446 5.1)
	KindSSLv2             // an SSLv2-framed ClientHello (RFC 5246 appendix E.2)
	KindEOF               // the caller ended the connection without a byte
)

func (k Kind) String() string {
	switch k {
	case KindHTTP:
		return "http"
	case KindTLS:
		return "tls"
	case KindSSLv2:
		return "sslv2"
	default:
		return "eof"
	}
}

// Sniff waits for the first bytes of c and says what they look like. They are
// not consumed. The error is os.ErrDeadlineExceeded when nothing arrived by
// the deadline (zero for none), or that of the connection.
func Sniff(c *Conn, deadline time.Time) (Kind, error) {
	first, err := c.Peek(1, deadline)
	switch {
	case len(first) == 0 && errors.Is(err, io.EOF):
		return KindEOF, nil
	case len(first) == 0:
		return KindEOF, err
	case first[0] == 0x16:
		return KindTLS, nil
	case first[0]&0x80 == 0:
		return KindHTTP, nil
	}
	// Two bytes of length, the first bit set, then client_hello (1).
	head, err := c.Peek(3, deadline)
	if len(head) < 3 && errors.Is(err, os.ErrDeadlineExceeded) {
		return KindEOF, err
	}
	if len(head) >= 3 && head[2] == 1 {
		return KindSSLv2, nil
	}
	return KindHTTP, nil
}

// Peek waits until n bytes have arrived and returns all that did, without
// consuming them; they are valid until the Conn is next used. It returns
// fewer with an error: io.EOF, os.ErrDeadlineExceeded, or the connection's.
// It must not be called once net/http reads from the Conn.
func (c *Conn) Peek(n int, deadline time.Time) ([]byte, error) {
	l := limit{}
	if !deadline.IsZero() {
		l.due = max(int64(deadline.Sub(c.shared.epoch)), 1)
		l.late = l.due
	}
	for c.buffered() < n {
		if c.in == nil {
			c.in = c.shared.buffers.get()
		}
		var got int
		var err error
		if room := c.in.space(); c.buffered() == 0 {
			got, err = c.await(room, l)
		} else {
			got, err = c.readWithin(room, l)
		}
		c.in.w += got
		if err != nil && c.buffered() < n {
			seen := c.seen()
			c.consume(0)
			return seen, asTimeout(err)
		}
	}
	return c.seen(), nil
}

// seen is what has arrived and was not used.
func (c *Conn) seen() []byte {
	if c.in == nil {
		return nil
	}
	return c.in.unread()
}

func (c *Conn) buffered() int {
	if c.in == nil {
		return 0
	}
	return c.in.w - c.in.r
}

// consume drops the first n bytes of what has arrived, and the buffer with
// the last of them.
func (c *Conn) consume(n int) {
	if c.in == nil {
		return
	}
	c.in.r += n
	if c.in.r == c.in.w {
		c.shared.buffers.put(c.in)
		c.in = nil
	}
}

// asTimeout makes every timeout the same error.
func asTimeout(err error) error {
	if isTimeout(err) {
		return os.ErrDeadlineExceeded
	}
	return err
}
