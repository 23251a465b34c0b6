package front

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rawio"
)

// phase is what the next bytes for net/http are.
type phase uint8

const (
	atHead    phase = iota // the next request's head
	inHead                 // the rest of a head that is passed on as it came
	inBody                 // a body with Content-Length
	inChunks               // a chunked body
	atEnd                  // nothing: the last request was refused
	handedOut              // nothing: HandOver was called
)

// Conn is a client connection as net/http gets to see it. One goroutine at a
// time may read, one may write; Close, Gone and the accessors may be called
// from any.
type Conn struct {
	nc      net.Conn      // TCP, a TLS connection, or what HandOver returned
	raw     *rawio.Socket // of nc
	shared  *Shared
	arrival *call.Conn
	secured bool  // nc is a TLS connection
	outer   *Conn // the one whose socket this is, when c lies inside a tunnel

	// The reader's state.
	phase     phase
	in        *buffer // raw bytes not yet used; nil = none
	out       *buffer // a repaired head, or chunks, on their way; nil = none
	passing   int     // raw bytes of the head still to be passed on
	afterHead phase   // what follows them
	left      int64   // bytes of the body not yet passed on
	chunks    chunkScanner
	failed    error // what every further read returns

	// The head being gathered.
	scanned   int   // where to go on looking for its end
	headBy    limit // when it must be complete; zero = not begun
	lineFine  bool  // its request line was judged
	blanks    int   // empty lines skipped before it
	firstHead bool  // it is the connection's first

	// Deadlines that the connection beneath has, 0 = none (deadline.go).
	readBy, writeBy int64

	// The current request, for the accessors.
	refusal   *Refusal
	headBytes int
	bodyRead  atomic.Int64
	bodyErr   atomic.Pointer[BodyError]

	forced  *Refusal // refuse whatever comes
	hurried bool     // under the short timeouts of a refused caller

	waiting atomic.Bool // for the first byte of a head
	closed  atomic.Bool
	ended   atomic.Bool // the caller ended its side
	lingers atomic.Bool // unread bytes must not turn the answer into a reset
	lost    atomic.Bool // a write failed, or the connection was seen to be reset

	bodyAborted atomic.Bool // AbortBody was called

	counted   bool          // in Shared.open, and in Shared.Gauge as shown
	shown     call.Handling // under Shared.mu
	slot      bool          // in Shared.refusing; under Shared.mu
	clientKey netip.Addr    // in Shared.clients; under Shared.mu
}

var _ net.Conn = (*Conn)(nil)

// NewConn wraps a connection that is about to speak HTTP, or of which that is
// to be found out with [Sniff]. nc is a TCP connection, a TLS connection (*tls.Conn or
// what embeds one) whose handshake is done, or what [Conn.HandOver] returned. Closing the Conn closes
// nc.
func NewConn(nc net.Conn, a *call.Conn, s *Shared) *Conn {
	return newConn(nc, a, s, false)
}

// newConn is NewConn; counted says that nc is in Shared.open.
func newConn(nc net.Conn, a *call.Conn, s *Shared, counted bool) *Conn {
	c := &Conn{nc: nc, raw: rawio.New(nc), shared: s, arrival: a, firstHead: true, counted: counted}
	_, c.secured = nc.(interface{ ConnectionState() tls.ConnectionState })
	c.outer = outerOf(nc)
	s.enter(c)
	return c
}

// Arrival returns what is known of the connection.
func (c *Conn) Arrival() *call.Conn { return c.arrival }

// Refusal says why the request being served was refused; nil when it was fine.
func (c *Conn) Refusal() *Refusal { return c.refusal }

// HeadBytes is the length of the current request's head as received.
func (c *Conn) HeadBytes() int { return c.headBytes }

// BodyRead is how many bytes of the current request's body were handed out so
// far, without chunk framing.
func (c *Conn) BodyRead() int64 { return c.bodyRead.Load() }

// BodyErr returns the *BodyError that reading the current request's body
// ended with, or nil.
func (c *Conn) BodyErr() error {
	if err := c.bodyErr.Load(); err != nil {
		return err
	}
	return nil
}

// NetConn returns the connection beneath, as tls.Conn.NetConn does.
func (c *Conn) NetConn() net.Conn { return c.nc }

// force makes the first request, whatever it is, a refused one, under short
// timeouts.
func (c *Conn) force(reason problem.Reason, detail string) {
	c.forced = &Refusal{Reason: reason, Status: reason.Status(), Detail: detail}
	c.hurried = true
}

// LocalAddr returns our end of the socket.
func (c *Conn) LocalAddr() net.Addr { return c.nc.LocalAddr() }

// RemoteAddr returns the caller's address, the PROXY protocol taken into
// account.
func (c *Conn) RemoteAddr() net.Addr {
	if c.arrival != nil && c.arrival.Client.IsValid() {
		return net.TCPAddrFromAddrPort(c.arrival.Client)
	}
	return c.nc.RemoteAddr()
}

// SetDeadline does nothing: deadlines are the Conn's own. net/http sets and
// clears some around every request and when it is hijacked.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing, see SetDeadline.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing, see SetDeadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite ends our side of the connection: FIN, after a close_notify on TLS.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.nc.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
