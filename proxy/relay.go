package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/front"
	"tlslift/proxy/hello"
)

// relayBuffer is the size of the pooled buffers that bytes pass through, in
// bytes: a full TLS record and its header.
const relayBuffer = 16<<10 + 512

var relayBuffers = sync.Pool{New: func() any { return new([relayBuffer]byte) }}

// relayed says how a relay ended.
type relayed struct {
	up, down int64 // bytes towards the far side, and back
	idle     bool  // ended for want of traffic
	err      error // the first failure that was no end of stream
}

var errIdle = errors.New("nothing moved for too long")

// pair is two connections between which bytes are relayed, untouched.
type pair struct {
	near, far net.Conn
	first     []byte // read from the near side before
	idle      time.Duration
	last      atomic.Int64 // of the last byte in either direction, Unix nanoseconds
	lastDown  atomic.Bool  // the last bytes were the far side's
	draining  atomic.Bool

	looking atomic.Bool // at the turns: TLS may be spoken, and its beginning is not over
	mu      sync.Mutex
	turns   hello.Turns // under mu
	// turned is told of every change, under mu; nil = nobody. What is much to do
	// is done when the far side speaks: an idle pair has one large stack then.
	turned func(turns *hello.Turns, down bool)
	// up is shown what the near side says until it returns false; nil = nothing.
	up func([]byte) bool
}

func newPair(near, far net.Conn, first []byte, idle time.Duration) *pair {
	p := &pair{near: near, far: far, first: first, idle: idle}
	p.last.Store(time.Now().UnixNano())
	p.looking.Store(true)
	return p
}

// look follows whose turn it is.
func (p *pair) look(down bool, bytes []byte) {
	p.lastDown.Store(down)
	if !p.looking.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if down {
		p.turns.Down(bytes)
	} else {
		p.turns.Up(bytes)
	}
	if p.turned != nil {
		p.turned(&p.turns, down)
	}
	if p.turns.Settled() {
		p.looking.Store(false)
	}
}

// accepted reports whether the near side went on after the far side's
// certificate.
func (p *pair) accepted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.turns.Accepted()
}

// answered reports whether the near side is waiting for nothing.
func (p *pair) answered() bool {
	if !p.looking.Load() {
		return p.lastDown.Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.turns.Waiting()
}

// relay carries bytes both ways until both sides have ended or nothing has
// moved for too long. A half-close is passed on as one (RFC 9293 3.6). While
// nothing moves no buffer is held. A panic in either direction ends both, and
// goes on in the caller.
func (p *pair) relay() relayed {
	var res relayed
	var upErr, downErr error
	var panicked stack
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if recover() != nil { // the stack says enough; the value may hold what a caller sent
				panicked = debug.Stack()
				p.reset()
			}
		}()
		early := int64(len(p.first))
		if upErr = p.writeFirst(); upErr != nil {
			p.reset()
			return
		}
		res.up, upErr = p.carry(p.far, p.near, p.up, false)
		res.up += early
	})
	res.down, downErr = p.carry(p.near, p.far, nil, true)
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
	p.close()
	res.idle = errors.Is(upErr, errIdle) || errors.Is(downErr, errIdle)
	res.err = errors.Join(upErr, downErr)
	return res
}

// writeFirst passes on what was read before, and lets its memory go: the tunnel
// may live for days.
func (p *pair) writeFirst() error {
	if len(p.first) == 0 {
		return nil
	}
	p.look(false, p.first)
	p.far.SetWriteDeadline(time.Now().Add(p.idle))
	_, err := p.far.Write(p.first)
	p.first = nil
	return err
}

func (p *pair) close() {
	p.near.Close()
	p.far.Close()
}

// reset passes a failure on as one: a side that was cut off is not told that
// the other has ended well.
func (p *pair) reset() {
	front.Reset(p.near)
	front.Reset(p.far)
	p.close()
}

// Cut implements front.Carrier.
func (p *pair) Cut() { p.reset() }

// Retire implements front.Carrier: a relay ends when its two sides do.
func (*pair) Retire() {}

// Drain implements front.Carrier: the relay ends as soon as it looks idle, which
// is when the far side spoke last, as far as that can be told (hello.Turns), and
// nothing has been said since.
func (p *pair) Drain() {
	p.draining.Store(true)
	now := time.Now()
	p.near.SetReadDeadline(now)
	p.far.SetReadDeadline(now)
}

// left is how long the pair may stay still from now on.
func (p *pair) left() time.Duration {
	limit := p.idle
	if p.draining.Load() && p.answered() {
		limit = min(limit, settleTime)
	}
	return limit - time.Duration(time.Now().UnixNano()-p.last.Load())
}

// wait sets the reader's deadline. A drain that begins meanwhile is not
// overwritten: the flag is set before its deadlines are.
func (p *pair) wait(src net.Conn) {
	drained := p.draining.Load()
	src.SetReadDeadline(time.Now().Add(p.left()))
	if !drained && p.draining.Load() {
		src.SetReadDeadline(time.Now().Add(p.left()))
	}
}

// carry copies src to dst until src ends, then half-closes dst. A failure ends
// both connections, so that the other direction wakes up.
func (p *pair) carry(dst, src net.Conn, watch func([]byte) bool, down bool) (int64, error) {
	var total int64
	reader := newIdleReader(src)
	for {
		p.wait(src)
		buf, n, err := reader.read()
		if n > 0 {
			p.last.Store(time.Now().UnixNano())
			p.look(down, buf[:n])
			if watch != nil && !watch(buf[:n]) {
				watch = nil
			}
			dst.SetWriteDeadline(time.Now().Add(p.idle))
			m, werr := dst.Write(buf[:n])
			total += int64(m)
			reader.release()
			if werr != nil {
				p.reset()
				return total, werr
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return total, closeWrite(dst)
		case errors.Is(err, os.ErrDeadlineExceeded) && p.left() > 0:
			// The other direction moved meanwhile.
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.close()
			return total, errIdle
		default:
			p.reset()
			return total, err
		}
	}
}

func closeWrite(c net.Conn) error {
	if hc, ok := c.(interface{ CloseWrite() error }); ok {
		err := hc.CloseWrite()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		return err
	}
	return c.Close()
}
