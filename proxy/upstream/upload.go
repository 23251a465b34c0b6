package upstream

import (
	"io"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/contain"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
)

const (
	// uploadBlock is how much of a large body is read and written at a time, in
	// bytes.
	uploadBlock = 32 << 10
	// uploadGrace is how long after an answer the upload may take to end by itself.
	// If it does, the body was sent completely.
	uploadGrace = 50 * time.Millisecond
)

// upload writes a large request in its own goroutine, while the caller's goroutine
// reads. Otherwise, if a server answers early and stops reading, the request would
// block until the timeout.
type upload struct {
	trip
	m     message
	fault atomic.Int32  // who was at fault first; 0 = nobody
	done  chan struct{} // closed at the end; then the fields below may be read

	ended   time.Time
	err     error // from the socket
	bodyErr error // from reading the caller's body

	mu      sync.Mutex
	stopped bool // the upload must leave the connection alone
}

// Who is at fault for a failed upload. The first one counts: later errors may be
// consequences of ending the upload.
const (
	callersFault = 1 + iota
	upstreamsFault
)

// exchangeLarge writes a request while its body is still being read, and reads
// the head of the answer at the same time.
func (x *trip) exchangeLarge(m *message, method string) error {
	u := &upload{trip: *x, m: *m, done: make(chan struct{})}
	x.c.SetDeadline(time.Time{}) // the upload sets them
	if !x.s.background.Go(u.run) {
		return errDraining
	}
	m.buf = nil // it belongs to the upload now
	first, err := x.readHead(method)
	if err != nil {
		u.fault.CompareAndSwap(0, upstreamsFault)
	}
	u.settle(err == nil) // from here on Sent is final
	m.buf = u.m.buf      // to be written to another connection, if none of it was written
	if x.c.Sent() > 0 {
		x.ex.Delivery = problem.Unknown
	}
	switch {
	case err == nil && u.err == nil && u.bodyErr == nil:
		x.observe(first.Sub(u.ended))
		return nil
	case err == nil: // the answer came early
		x.keep = false
		return nil
	case u.fault.Load() == callersFault:
		return &BodyError{Delivery: x.ex.Delivery, Err: u.bodyErr}
	case timedOut(u.err) && !timedOut(err) && x.ex.Delivery == problem.NotSent: // it was halted
		return x.notWritten(err)
	case u.err != nil && x.ex.Delivery == problem.NotSent:
		return x.notWritten(u.err)
	case u.err != nil && !brokenAnswer(err):
		return x.failure(u.err)
	default:
		return x.failure(err)
	}
}

// settle ends the upload once an answer came or reading failed.
func (u *upload) settle(answered bool) {
	if u.fault.Load() != callersFault { // otherwise run is about to end
		grace := time.NewTimer(uploadGrace)
		defer grace.Stop()
		select {
		case <-u.done:
			return
		case <-grace.C:
		}
		u.halt(!answered)
		u.ex.AbortBody()
	}
	<-u.done
}

// halt makes writes fail from now on.
func (u *upload) halt(abort bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	u.c.SetWriteDeadline(time.Unix(1, 0))
	if abort {
		u.c.Abort()
	}
}

// limit sets a deadline unless the upload was halted.
func (u *upload) limit(set func(time.Time), at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.stopped {
		set(at)
	}
}

// run writes everything, then starts the timeout for the answer.
func (u *upload) run() {
	defer close(u.done)
	if err := contain.Do(u.s.opts.Logger, "send a request's body", u.send); err != nil {
		u.err = err
		u.c.Abort()
	}
	u.ended = u.s.now()
	wait := u.s.opts.ResponseTimeout
	switch {
	case u.bodyErr != nil: // an unfinished request must not look finished
		wait = 0
	case u.err != nil && u.c.Sent() == 0: // there will be no answer
		wait = 0
	case u.err != nil:
		wait = abandonAfter
	}
	u.limit(u.c.SetReadDeadline, time.Now().Add(wait))
}

// send writes the head and the body. It always returns nil: errors are in err and
// bodyErr.
func (u *upload) send() error {
	u.write(u.m.buf)
	if u.err == nil || u.c.Sent() > 0 {
		u.m.release() // else it is needed again
	}
	if u.err == nil {
		u.copy()
	}
	return nil
}

// copy writes the rest of the body.
func (u *upload) copy() {
	block := make([]byte, uploadBlock)
	var chunk []byte
	for left := u.m.left; left != 0 && u.err == nil; {
		want := int64(uploadBlock)
		if left > 0 {
			want = min(want, left)
		}
		n, err := u.m.rest.Read(block[:want])
		switch {
		case n > 0 && left > 0:
			u.write(block[:n])
			left -= int64(n)
		case n > 0:
			chunk = http1.AppendChunk(chunk[:0], block[:n])
			u.write(chunk)
		}
		switch {
		case err == nil || left == 0:
		case err == io.EOF && left < 0:
			if u.err == nil {
				u.write([]byte(http1.LastChunk))
			}
			return
		default:
			u.fault.CompareAndSwap(0, callersFault)
			u.bodyErr = short(err)
			return
		}
	}
}

func (u *upload) write(b []byte) {
	u.limit(u.c.SetWriteDeadline, time.Now().Add(u.s.opts.BodyTimeout))
	_, u.err = u.c.Write(b)
}
