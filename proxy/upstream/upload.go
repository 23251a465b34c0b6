package upstream

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"tlslift/proxy/problem"
)

const (
	// uploadBlock is how much of a large body is read and written at a time.
	uploadBlock = 32 << 10
	// chunkRoom is left before a block for the chunk's size: hexadecimal and
	// a line end.
	chunkRoom = 10
	// uploadGrace is how long after an answer the body may take to turn out
	// to have been sent whole.
	uploadGrace = 50 * time.Millisecond
)

// upload writes a large request in a goroutine of its own, while the caller's
// goroutine reads: a server that answers early and reads no further would
// otherwise be waited for for ever.
type upload struct {
	c     *conn
	m     *message
	o     *Options
	fault atomic.Int32  // a fault: whose came first
	done  chan struct{} // closed at the end; what follows may be read then

	out     atomic.Int64 // body bytes written
	ended   time.Time
	err     error // the socket's
	bodyErr error // the body's, read from the caller

	stopped bool // under c.mu: leave the connection alone
}

// Whose fault it is that an upload failed. The first one counts: what follows
// may be the consequence of ending the upload.
const (
	callersFault = 1 + iota
	upstreamsFault
)

// exchangeLarge writes a request of which the body is in part still to be
// read, and reads the head of the answer at the same time.
func (c *conn) exchangeLarge(m *message, req *http.Request, ex *Exchange, o *Options) (*http.Response, error) {
	u := &upload{c: c, m: m, o: o, done: make(chan struct{})}
	c.limit(c.sock.SetDeadline, time.Time{}) // the upload sets them
	go u.run()
	resp, first, err := c.readHead(req, ex)
	if err != nil {
		u.fault.CompareAndSwap(0, upstreamsFault)
	}
	done := u.settle(err == nil, ex) // from here on sent is final, or it does not matter
	ex.BytesOut = u.out.Load()
	if c.sock.sent.Load() > 0 || !done {
		ex.Delivery = problem.Unknown
	}
	switch {
	case err == nil && done && u.err == nil && u.bodyErr == nil:
		ex.FirstByte = max(first.Sub(u.ended), 0)
		return resp, nil
	case err == nil:
		ex.EarlyAnswer = true
		c.lose()
		return resp, nil
	case u.fault.Load() == callersFault:
		return nil, &BodyError{Delivery: ex.Delivery, Err: u.bodyErr}
	case done && u.err != nil && ex.Delivery == problem.NotSent:
		return nil, c.notWritten(u.err)
	case done && u.err != nil:
		return nil, c.failure(u.err)
	default:
		return nil, c.failure(err)
	}
}

// settle ends the upload once an answer came or reading failed. It reports
// whether the upload has ended. If it has not, it touches neither the
// connection's deadlines nor, if it can be helped, the body any more.
func (u *upload) settle(answered bool, ex *Exchange) (done bool) {
	if u.fault.Load() == callersFault { // run is about to end
		<-u.done
		return true
	}
	grace := time.NewTimer(uploadGrace)
	defer grace.Stop()
	select {
	case <-u.done:
		return true
	case <-grace.C:
	}
	u.halt(!answered)
	if ex.AbortBody != nil {
		ex.AbortBody()
		<-u.done
		return true
	}
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// halt makes writing fail from now on.
func (u *upload) halt(abort bool) {
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	u.stopped = true
	_ = u.c.sock.SetWriteDeadline(past)
	if abort {
		_ = u.c.sock.Close()
	}
}

// limit sets a deadline unless the upload was halted or the exchange
// cancelled.
func (u *upload) limit(set func(time.Time) error, at time.Time) {
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	if !u.stopped && !u.c.cancelled {
		_ = set(at)
	}
}

// run writes everything, then starts the clock of the answer.
func (u *upload) run() {
	defer close(u.done)
	u.write(*u.m.buf, u.m.inBuf)
	if u.err == nil || u.c.sock.sent.Load() > 0 {
		defer u.c.pool.t.buffers.put(u.m.buf) // else it is needed again
	}
	if u.err == nil {
		u.copy()
	}
	u.ended = u.c.pool.t.now()
	wait := u.o.ResponseTimeout
	switch {
	case u.bodyErr != nil: // an unfinished request must not look finished
		u.limit(u.c.sock.SetReadDeadline, past)
		return
	case u.err != nil:
		wait = abandonAfter
	}
	u.limit(u.c.sock.SetReadDeadline, time.Now().Add(wait))
}

// copy writes the rest of the body.
func (u *upload) copy() {
	block := make([]byte, chunkRoom+uploadBlock+2)
	for left := u.m.left; left != 0 && u.err == nil; {
		want := int64(uploadBlock)
		if left > 0 {
			want = min(want, left)
		}
		n, err := u.m.rest.Read(block[chunkRoom : chunkRoom+want])
		if n > 0 {
			u.write(u.frame(block, n), int64(n))
		}
		if left > 0 {
			left -= int64(n)
		}
		switch {
		case err == nil || left == 0:
		case err == io.EOF && left < 0:
			if u.err == nil {
				u.write([]byte("0\r\n\r\n"), 0)
			}
			return
		default:
			u.fault.CompareAndSwap(0, callersFault)
			u.bodyErr = short(err)
			return
		}
	}
}

// frame returns the n bytes of the block, as a chunk if the length of the body
// is unknown.
func (u *upload) frame(block []byte, n int) []byte {
	if u.m.left >= 0 {
		return block[chunkRoom : chunkRoom+n]
	}
	size := strconv.AppendInt(make([]byte, 0, chunkRoom), int64(n), 16)
	size = append(size, "\r\n"...)
	start := chunkRoom - len(size)
	copy(block[start:], size)
	end := chunkRoom + n
	return append(block[start:end], "\r\n"...)
}

// write writes b, which holds n bytes of body.
func (u *upload) write(b []byte, n int64) {
	u.limit(u.c.sock.SetWriteDeadline, time.Now().Add(u.o.BodyTimeout))
	if _, u.err = u.c.rw.Write(b); u.err == nil {
		u.out.Add(n)
	}
}
