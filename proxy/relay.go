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

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/hello"
)

// relayBuffer is the size of the pooled relay buffers, in bytes: a full TLS record
// and its header.
const relayBuffer = 16<<10 + 512

var relayBuffers = sync.Pool{New: func() any { return new([relayBuffer]byte) }}

// relayed is how many bytes a relay carried.
type relayed struct {
	up, down int64 // to the far side, and back
}

// pair is two connections between which bytes are relayed unchanged.
type pair struct {
	near, far net.Conn
	first     []byte // read from the near side before the relay began
	idle      time.Duration
	last      atomic.Int64 // time of the last byte in either direction, Unix nanoseconds
	lastDown  atomic.Bool  // the far side sent the last bytes
	draining  atomic.Bool

	looking atomic.Bool // turns is still followed: TLS may be spoken, and its beginning is not over
	mu      sync.Mutex
	turns   hello.Turns // guarded by mu
	// onTurn is called at every change, under mu; nil = not called. It should leave
	// expensive work to calls with down set: then only one of the stacks of an idle
	// pair is large.
	onTurn func(turns *hello.Turns, down bool)
	// onRenewal is called when bytes from the far side pass after the beginning of
	// TLS, at most once per renewal; nil = not called.
	onRenewal func()
	againAt   atomic.Int64 // earliest time of the next onRenewal, Unix nanoseconds

	ending    sync.Mutex // guards the fields below
	end       call.End
	ended     [2]bool // near or far has ended its stream
	nearFirst bool    // the near side ended first, cleanly or not
}

func newPair(near, far net.Conn, first []byte, idle time.Duration) *pair {
	p := &pair{near: near, far: far, first: first, idle: idle}
	p.last.Store(time.Now().UnixNano())
	p.looking.Store(true)
	p.againAt.Store(time.Now().Add(renewal).UnixNano())
	return p
}

// near and far index the sides of a pair; none is neither.
const none, near, far = -1, 0, 1

// note records how the pair ends. An error on a side that has ended, or after the
// pair has failed, is a consequence and changes nothing.
func (p *pair) note(end call.End, side int) {
	p.ending.Lock()
	defer p.ending.Unlock()
	if p.end == call.EndNone {
		p.nearFirst = side == near
	}
	if end == call.EndResetByClient && p.ended[far] {
		end = call.EndClosed // the near side had nothing more to receive
	}
	switch {
	case end == call.EndClosed && p.end == call.EndNone:
		p.end = end
	case end != call.EndClosed && p.end <= call.EndClosed && (side < 0 || !p.ended[side]):
		p.end = end
	}
	if end == call.EndClosed {
		p.ended[side] = true
	}
}

// failed records an error on a side.
func (p *pair) failed(side int, err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		p.note(call.EndIdle, none)
	case side == near:
		p.note(call.EndResetByClient, near)
	default:
		p.note(call.EndResetByUpstream, far)
	}
}

// observe follows whose turn it is to speak.
func (p *pair) observe(down bool, bytes []byte) {
	p.lastDown.Store(down)
	if !p.looking.Load() {
		if at := p.againAt.Load(); down && p.onRenewal != nil && p.last.Load() > at && p.againAt.CompareAndSwap(at, p.last.Load()+int64(renewal)) {
			p.onRenewal()
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if down {
		p.turns.Down(bytes)
	} else {
		p.turns.Up(bytes)
	}
	if p.onTurn != nil {
		p.onTurn(&p.turns, down)
	}
	if p.turns.Over() || p.onTurn == nil && p.turns.Settled() {
		p.looking.Store(false)
	}
}

// answered reports whether the near side is not waiting for an answer.
func (p *pair) answered() bool {
	if !p.looking.Load() {
		return p.lastDown.Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turns.Settled() {
		return p.lastDown.Load()
	}
	return !p.turns.Waiting()
}

// relay copies bytes both ways until both sides have ended, or nothing has moved for
// the idle timeout. A half-close is passed on as one (RFC 9293 3.6). On Unix no
// buffer is held while nothing moves. A panic in either direction ends both, and goes
// on in the caller.
func (p *pair) relay() relayed {
	var res relayed
	var panicked stack
	var wg sync.WaitGroup
	wg.Go(func() {
		defer func() {
			if recover() != nil { // the stack is enough; the value may hold what a caller sent
				panicked = debug.Stack()
				p.reset()
			}
		}()
		early := int64(len(p.first))
		if err := p.writeFirst(); err != nil {
			p.failed(far, err)
			p.reset()
			return
		}
		res.up = p.carry(p.far, p.near, far, near) + early
	})
	res.down = p.carry(p.near, p.far, near, far)
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
	p.close()
	return res
}

// writeFirst passes on the bytes that were read before the relay began, and releases
// their memory: the tunnel may live for days.
func (p *pair) writeFirst() error {
	if len(p.first) == 0 {
		return nil
	}
	p.observe(false, p.first)
	p.far.SetWriteDeadline(time.Now().Add(p.idle))
	_, err := p.far.Write(p.first)
	p.first = nil
	return err
}

func (p *pair) close() {
	p.near.Close()
	p.far.Close()
}

// reset passes a failure on: when one side is cut off, the other must not see a clean
// end.
func (p *pair) reset() {
	front.Reset(p.near)
	front.Reset(p.far)
	p.close()
}

// Abort implements front.Carrier.
func (p *pair) Abort() {
	p.note(call.EndCut, none)
	p.reset()
}

// Retire implements front.Carrier. A relay ends when its two sides do.
func (*pair) Retire() {}

// Drain implements front.Carrier. The relay ends as soon as it looks idle: the far
// side spoke last, as far as hello.Turns shows, and nothing has moved for settleTime.
func (p *pair) Drain() {
	p.draining.Store(true)
	now := time.Now()
	p.near.SetReadDeadline(now)
	p.far.SetReadDeadline(now)
}

// left returns how much longer the pair may stay silent.
func (p *pair) left() time.Duration {
	limit := p.idle
	if p.draining.Load() && p.answered() {
		limit = min(limit, settleTime)
	}
	return limit - time.Duration(time.Now().UnixNano()-p.last.Load())
}

// wait sets the read deadline of src. It does not overwrite a drain that begins
// meanwhile: Drain sets the flag before the deadlines.
func (p *pair) wait(src net.Conn) {
	drained := p.draining.Load()
	src.SetReadDeadline(time.Now().Add(p.left()))
	if !drained && p.draining.Load() {
		src.SetReadDeadline(time.Now().Add(p.left()))
	}
}

// carry copies src to dst until src ends, then half-closes dst. A failure closes both
// connections, which wakes the other direction.
func (p *pair) carry(dst, src net.Conn, to, from int) (total int64) {
	reader := newIdleReader(src)
	for {
		p.wait(src)
		buf, n, err := reader.read()
		if n > 0 {
			p.last.Store(time.Now().UnixNano())
			p.observe(from == far, buf[:n])
			dst.SetWriteDeadline(time.Now().Add(p.idle))
			m, werr := dst.Write(buf[:n])
			total += int64(m)
			reader.release()
			if werr != nil {
				p.failed(to, werr)
				p.reset()
				return total
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			p.note(call.EndClosed, from)
			closeWrite(dst)
			return total
		case errors.Is(err, os.ErrDeadlineExceeded) && p.left() > 0:
			// The other direction moved in the meantime.
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.note(call.EndIdle, none)
			p.close()
			return total
		default:
			p.failed(from, err)
			p.reset()
			return total
		}
	}
}

func closeWrite(c net.Conn) {
	if hc, ok := c.(interface{ CloseWrite() error }); ok {
		_ = hc.CloseWrite()
		return
	}
	c.Close()
}
