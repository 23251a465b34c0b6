package front

import (
	"errors"
	"io"
	"os"
	"time"
)

// Kind is what the first bytes of a connection look like.
type Kind uint8

// Kinds of connections.
const (
	KindHTTP   Kind = iota // anything else; if it is not HTTP, the head's parser refuses it
	KindTLS                // a TLS handshake record (RFC 8446 5.1)
	KindSSLv2              // an SSLv2-framed ClientHello (RFC 5246 appendix E.2)
	KindEOF                // the caller ended the connection without sending a byte
	KindSilent             // too little in time: from a redirected caller, within 1 s; from a refused one, which still gets an answer
)

// Sniff waits for the first bytes of c and returns what they look like. It does not
// consume them. The error is os.ErrDeadlineExceeded if too little arrived by the
// deadline (zero means none), or else the connection's.
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
	// Two bytes of length with the first bit set, then client_hello (1).
	head, err := c.Peek(3)
	if len(head) < 3 && errors.Is(err, os.ErrDeadlineExceeded) {
		return KindEOF, err
	}
	if len(head) >= 3 && head[2] == 1 {
		return KindSSLv2, nil
	}
	return KindHTTP, nil
}

// Await begins a wait for first bytes. It sets the read deadline (zero means none).
// A drain shortens the deadline to Grace from then, and Abort to now. Bytes that
// arrive do not extend the deadline, so a caller cannot prolong the wait by sending
// slowly.
func (c *Conn) Await(deadline time.Time) {
	_ = c.SetReadDeadline(deadline) // if the connection is closed, the read fails
	c.Carry(awaiting{c})
}

// Grace is how long after a drain began a connection may still deliver a request
// that was on its way.
const Grace = 50 * time.Millisecond

// awaiting is the Carrier of a connection that waits for its first bytes.
type awaiting struct{ c *Conn }

// Retire implements Carrier.
func (awaiting) Retire() {}

// Drain implements Carrier.
func (a awaiting) Drain() { _ = a.c.SetReadDeadline(time.Now().Add(Grace)) }

// Abort implements Carrier.
func (a awaiting) Abort() { _ = a.c.SetReadDeadline(time.Unix(1, 0)) }

// Peek waits until n bytes have arrived and returns all that did, without
// consuming them. They are valid until the next read. With fewer than n bytes, the
// error is io.EOF, os.ErrDeadlineExceeded (see Await), or the connection's.
func (c *Conn) Peek(n int) ([]byte, error) {
	for len(c.early) < n {
		early := c.early
		if cap(early)-len(early) < peekBuffer/8 {
			early = make([]byte, len(c.early), max(2*cap(c.early), peekBuffer, n))
			copy(early, c.early)
		}
		got, err := c.Conn.Read(early[len(early):cap(early)])
		c.keep(early[:len(early)+got])
		if err != nil && len(c.early) < n {
			return c.early, asTimeout(err)
		}
	}
	return c.early, nil
}

// peekBuffer is how many bytes are read at a time. Nearly every request head and
// ClientHello fits.
const peekBuffer = 2 << 10

// consume drops the first n of the bytes that have arrived.
func (c *Conn) consume(n int) { c.keep(c.early[n:]) }

// asTimeout unwraps os.ErrDeadlineExceeded.
func asTimeout(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}
