package pool

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// waiter is a request that is waiting for a connection.
type waiter struct {
	got     chan grant // buffered
	dialing bool       // a dial was started for it
}

// grant is what a waiter gets: a connection or an error.
type grant struct {
	c   *Conn
	err error
}

// queue makes the caller wait, in front of all others if it had its turn before. It
// dials if one more connection is allowed.
func (p *Pool) queue(first bool) *waiter {
	w := &waiter{got: make(chan grant, 1)}
	at := len(p.waiters)
	if first {
		at = 0
	}
	p.waiters = slices.Insert(p.waiters, at, w)
	if p.open() >= p.opts.Most && len(p.used) > 0 { // take found it too old to be used
		old := p.used[0]
		p.used = slices.Delete(p.used, 0, 1)
		p.close(old)
	}
	p.grow()
	return w
}

// open returns how many connections there are, dials in flight included.
func (p *Pool) open() int { return len(p.all) + p.dials }

// grow dials for the waiters, in order, as far as Most allows.
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

// dial makes one connection for w, or for no waiter (nil). If w was answered
// meanwhile, the connection goes to the next waiter, or is kept.
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
	// It is replaced after 50 to 90 % of Idle, at random, so not all are replaced at
	// once.
	life := time.Duration((0.5 + 0.4*rand.Float64()) * float64(p.opts.Idle))
	c := &Conn{Conn: made, since: now, alive: now, replace: now.Add(life)}
	p.all[c] = struct{}{}
	if !p.answer(w, grant{c: c}) {
		p.give(c)
	}
	p.startMaintenance(now)
	p.count()
}

// answer ends w's wait with g. It reports false if w no longer waits.
func (p *Pool) answer(w *waiter, g grant) bool {
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	w.got <- g
	return true
}

// wait waits for w to be answered. The timeout limits the wait for a connection that
// others give back. It does not limit a dial, which ends by itself.
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

// withdraw ends w's wait, unless a dial for it is in flight and must is not set. A
// connection that w was given already goes back.
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
