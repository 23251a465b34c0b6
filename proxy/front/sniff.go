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
	KindHTTP   Kind = iota // anything that is nothing else; what is not HTTP is refused by its head
	KindTLS                // a TLS record of a handshake (RFC 8446 5.1)
	KindSSLv2              // an SSLv2-framed ClientHello (RFC 5246 appendix E.2)
	KindEOF                // the caller ended the connection without a byte
	KindSilent             // too little came in time: of a redirected caller within a second; of a refused one, which gets an answer nevertheless
)

func (k Kind) String() string {
	switch k {
	case KindHTTP:
		return "http"
	case KindTLS:
		return "tls"
	case KindSSLv2:
		return "sslv2"
	case KindSilent:
		return "silent"
	default:
		return "eof"
	}
}

// Sniff waits for the first bytes of c and says what they look like. They are
// not consumed. The error is os.ErrDeadlineExceeded when nothing arrived by
// the deadline (zero for none), or that of the connection.
func Sniff(c *Conn, deadline time.Time) (Kind, error) {
	c.Await(deadline)
	first, err := c.Peek(1)
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
	head, err := c.Peek(3)
	if len(head) < 3 && errors.Is(err, os.ErrDeadlineExceeded) {
		return KindEOF, err
	}
	if len(head) >= 3 && head[2] == 1 {
		return KindSSLv2, nil
	}
	return KindHTTP, nil
}

// Await begins a wait for first bytes, which ends at the deadline (zero for
// none), within Grace of a drain's beginning, and at once when the connection
// is cut. It sets the deadline of reads, once: a caller that sends a byte now and
// then does not prolong it.
func (c *Conn) Await(deadline time.Time) {
	_ = c.nc.SetReadDeadline(deadline) // of a closed connection, reading says so
	c.Carry(awaiting{c})
}

// Grace is how long a connection may still bring a request that was on its way
// when a drain began.
const Grace = 50 * time.Millisecond

// awaiting carries a connection whose first bytes are awaited.
type awaiting struct{ c *Conn }

// Retire implements Carrier.
func (awaiting) Retire() {}

// Drain implements Carrier.
func (a awaiting) Drain() { _ = a.c.nc.SetReadDeadline(time.Now().Add(Grace)) }

// Abort implements Carrier.
func (a awaiting) Abort() { _ = a.c.nc.SetReadDeadline(time.Unix(1, 0)) }

// Peek waits until n bytes have arrived and returns all that did, without
// consuming them; they are valid until the Conn is next read. It returns fewer
// with an error: io.EOF, os.ErrDeadlineExceeded (see Await), or the
// connection's.
func (c *Conn) Peek(n int) ([]byte, error) {
	for len(c.early) < n {
		early := c.early
		if cap(early)-len(early) < peekBuffer/8 {
			early = make([]byte, len(c.early), max(2*cap(c.early), peekBuffer, n))
			copy(early, c.early)
		}
		got, err := c.nc.Read(early[len(early):cap(early)])
		c.keep(early[:len(early)+got])
		if err != nil && len(c.early) < n {
			return c.early, asTimeout(err)
		}
	}
	return c.early, nil
}

// peekBuffer is how much is read at a time, in bytes: nearly every request head
// and ClientHello fits.
const peekBuffer = 2 << 10

// consume drops the first n bytes of what has arrived.
func (c *Conn) consume(n int) { c.keep(c.early[n:]) }

// asTimeout makes every timeout the same error.
func asTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}
