package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"math"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxResponseHead bounds the answer's head, interim answers included.
	maxResponseHead = 256 << 10
	readBuffer      = 4 << 10
	// abandonAfter bounds what a connection that is given up may still wait for.
	abandonAfter = 500 * time.Millisecond
)

// past is a deadline that makes whatever waits return.
var past = time.Unix(1, 0)

// conn is one pooled connection. It is used by its owner alone; mu guards what
// the end of a context touches from aside.
type conn struct {
	pool   *pool
	sock   *socket
	rw     net.Conn  // the top of the layers
	tls    *tls.Conn // nil without TLS
	br     *bufio.Reader
	remote netip.AddrPort
	facts  facts

	version, cipher uint16

	used      bool      // has served a request
	idleSince time.Time // when it was put into the pool
	lastAlive time.Time // when it was last seen open while idle
	retireAt  time.Time // of a warm one: replace it then
	watch     *watch    // reads it in the background

	// Reading.
	headLeft int64         // bytes the head may still have
	stall    time.Duration // > 0: a read may take this long (body)
	readErr  error         // what reading failed with, as opposed to parsing
	one      [1]byte

	mu        sync.Mutex
	done      <-chan struct{} // of the context that is watched
	unwatch   func() bool
	busy      bool
	cancelled bool
	deadline  time.Time // in force; zero = none, or not known
	lost      bool      // do not use again
}

func newConn(p *pool, top net.Conn, s *socket, tc *tls.Conn, f facts) *conn {
	c := &conn{pool: p, sock: s, rw: top, tls: tc, facts: f, remote: addrPort(s.RemoteAddr())}
	c.br = bufio.NewReaderSize(c, readBuffer)
	if tc != nil {
		cs := tc.ConnectionState()
		c.version, c.cipher = cs.Version, cs.CipherSuite
	}
	return c
}

// Read feeds c.br. It bounds the head and times a stalling body, at the only
// moments when bytes are really waited for.
func (c *conn) Read(p []byte) (int, error) {
	if c.headLeft <= 0 {
		c.readErr = errHeadSize
		return 0, errHeadSize
	}
	if int64(len(p)) > c.headLeft {
		p = p[:c.headLeft]
	}
	if c.stall > 0 {
		c.extend(c.pool.t.now(), c.stall)
	}
	n, err := c.rw.Read(p)
	c.headLeft -= int64(n)
	if err != nil {
		c.readErr = err
	}
	return n, err
}

// expectHead and expectBody say what is read next.
func (c *conn) expectHead() { c.headLeft, c.stall, c.readErr = maxResponseHead, 0, nil }

func (c *conn) expectBody(stall time.Duration) { c.headLeft, c.stall = math.MaxInt64, stall }

// begin makes the connection end with ctx. It reports false if ctx has ended.
// The context is that of the server: it is watched once, not per request.
func (c *conn) begin(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if done := ctx.Done(); done != c.done {
		if c.unwatch != nil {
			c.unwatch()
		}
		c.done, c.unwatch = done, nil
		if done != nil {
			c.unwatch = context.AfterFunc(ctx, func() { c.cancel(done) })
		}
	}
	c.busy, c.cancelled = true, ctx.Err() != nil
	return !c.cancelled
}

// cancel ends the exchange under way, if it is one under the context of done.
func (c *conn) cancel(done <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy && c.done == done {
		c.cancelled = true
		_ = c.sock.SetDeadline(past)
	}
}

// end says that no exchange is under way any more, and whether it was cancelled.
func (c *conn) end() (cancelled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	return c.cancelled
}

func (c *conn) isCancelled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cancelled
}

// extend lets reads and writes take d from now, or up to a sixteenth longer:
// a deadline that lies in that range is left as it is, since setting one for
// each request costs more than it is worth.
func (c *conn) extend(now time.Time, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := d + d/16
	if left := c.deadline.Sub(now); left >= d && left <= most || c.cancelled {
		return
	}
	c.deadline = now.Add(most)
	_ = c.sock.SetDeadline(c.deadline)
}

// limit sets the deadlines of reads and writes apart; the zero time is none,
// past interrupts.
func (c *conn) limit(set func(time.Time) error, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = time.Time{}
	if !c.cancelled {
		_ = set(at)
	}
}

// lose keeps the connection from being used again.
func (c *conn) lose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
}

func (c *conn) isLost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost
}

// poll reads the idle connection without waiting, so that session tickets are
// taken. It reports whether it is still good: nothing else may have come.
func (c *conn) poll(mode readMode) bool {
	if c.br.Buffered() > 0 {
		return false
	}
	c.sock.mode = mode
	_, err := c.rw.Read(c.one[:])
	c.sock.mode = readBlock
	return errors.Is(err, errWouldBlock)
}

// alive asks the kernel before it asks the layers: when no byte has come since
// the last request left all layers clean, there is nothing to look at.
func (c *conn) alive() bool {
	if c.used {
		switch err := c.sock.peek(); {
		case errors.Is(err, errWouldBlock):
			return c.br.Buffered() == 0
		case err != nil:
			return false
		}
	}
	return c.poll(readPoll)
}

// clean reports whether nothing is left of the last exchange, in any layer.
// No system call is made.
func (c *conn) clean() bool {
	return c.br.Buffered() == 0 && (c.tls == nil && !c.layered() || c.poll(readDry))
}

// layered reports whether something between c and its socket holds bytes back.
func (c *conn) layered() bool { return c.rw != net.Conn(c.sock) }

// ready takes the connection out of the idle state. It reports whether it can
// be used.
func (c *conn) ready() bool {
	if c.watch != nil {
		return c.stopWatch()
	}
	return c.alive()
}

// open reports whether the idle connection is still open. If it is watched,
// watching goes on.
func (c *conn) open() bool {
	if c.watch != nil {
		return !c.watch.over()
	}
	return c.alive()
}

// polling is how the connection can be looked at without waiting: by asking
// the kernel, where that is possible.
func (c *conn) polling() readMode {
	if c.sock.look != nil {
		return readPoll
	}
	return readDry
}

// truncated reports whether the end of the stream that was just read may have
// been made by somebody else than the peer: TLS without close_notify.
func (c *conn) truncated() bool { return c.tls != nil && c.sock.eof }

// close closes the connection, with a close_notify if that cannot block.
func (c *conn) close(abruptly bool) {
	c.mu.Lock()
	if c.unwatch != nil {
		c.unwatch()
		c.unwatch, c.done = nil, nil
	}
	c.mu.Unlock()
	if abruptly {
		_ = c.sock.Close()
		return
	}
	_ = c.rw.Close()
	_ = c.sock.Close()
}
