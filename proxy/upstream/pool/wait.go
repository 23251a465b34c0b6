package pool

import (
	"context"
	"slices"
	"time"
)

// waiter is a request that waits for a connection.
type waiter struct {
	got     chan grant // buffered
	dialing bool       // a dial was started for it
}

// grant is what a waiter gets: one of the two.
type grant struct {
	c   *Conn
	err error
}

// queue makes the caller wait, before all others if it had its turn, and dials if
// there may be one more connection.
func (p *Pool) queue(first bool) *waiter {
	w := &waiter{got: make(chan grant, 1)}
	at := len(p.waiters)
	if first {
		at = 0
	}
	p.waiters = slices.Insert(p.waiters, at, w)
	if p.open() >= p.opts.Most && len(p.used) > 0 { // too old to be used: take found it
		old := p.used[0]
		p.used = slices.Delete(p.used, 0, 1)
		p.close(old)
	}
	p.grow()
	return w
}

// open is how many connections there are, or may be in a moment.
func (p *Pool) open() int { return len(p.all) + p.dials }

// grow dials for the waiters, in their order, as far as Most allows.
func (p *Pool) grow() {
	for _, w := range slices.Clone(p.waiters) {
		if w.dialing {
			continue
		}
		if p.open() >= p.opts.Most {
			return
		}
		w.dialing = true
		p.dials++
		if !p.Go(func() { p.dial(w) }) {
			p.dials--
			p.answer(w, grant{err: errDraining})
		}
	}
}

// dial makes one connection for w, or for no waiter (nil). If w has another one
// by then, the new one is for the next waiter, or is kept.
func (p *Pool) dial(w *waiter) {
	p.mu.Lock()
	dial := p.opts.Dial
	p.mu.Unlock()
	made, err := dial(p.Context)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials--
	now := p.Now()
	if err != nil {
		p.failed(now)
		p.answer(w, grant{err: err})
		p.grow()
		return
	}
	c := &Conn{Conn: made, since: now, alive: now, replace: now.Add(p.lifetime())}
	p.all[c] = struct{}{}
	if !p.answer(w, grant{c: c}) {
		p.give(c)
	}
	p.startMaintenance(now)
	p.count()
}

// answer ends w's waiting with g. It reports false if w no longer waits.
func (p *Pool) answer(w *waiter, g grant) bool {
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	w.got <- g
	return true
}

// wait waits for w to be answered. The timeout is for a connection that others
// give back, not for a dial, which ends by itself.
func (p *Pool) wait(ctx context.Context, w *waiter, timeout time.Duration) (*Conn, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case g := <-w.got:
			return g.c, g.err
		case <-ctx.Done():
			p.withdraw(w, true)
			return nil, errDraining
		case <-timer.C:
			if p.withdraw(w, false) {
				return nil, errFull
			}
		}
	}
}

// withdraw ends w's waiting, unless a dial is under way for it and must is not
// set. A connection that w was given already goes back.
func (p *Pool) withdraw(w *waiter, must bool) (done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.dialing && !must {
		return false
	}
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	} else if g := <-w.got; g.c != nil {
		p.give(g.c)
		p.count()
	}
	return true
}
