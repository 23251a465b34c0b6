package upstream

import (
	"container/list"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/problem"
)

// errGone says that the pool was forgotten meanwhile: get another.
var errGone = errors.New("the pool is gone")

// pool holds the connections to one host.
type pool struct {
	h     *hostState
	t     *Transport
	route *Route // one of those that share the pool
	// oneShot pools are not kept: every connection is closed after use.
	oneShot bool
	gone    atomic.Bool // forgotten; set under mu

	mu      sync.Mutex
	used    []*conn // idle after a request, the latest last
	warm    []*conn // idle, never used, the newest last
	all     map[*conn]struct{}
	waiters list.List // of *waiter, first come first served
	open    int       // connections, and dials under way
	lastUse time.Time
	retired bool

	life  idleLife // of used connections
	fresh idleLife // of never-used ones
	warmer
	hellos hellos
}

// waiter is a request that waits for a connection.
type waiter struct {
	ch      chan grant // buffered: granting never blocks
	elem    *list.Element
	dialing bool // a dial was started for it
}

type grant struct {
	c   *conn
	err error
}

func newPool(h *hostState, r *Route) *pool {
	return &pool{h: h, t: h.t, route: r, all: make(map[*conn]struct{})}
}

// get returns a connection that is good as far as can be told (take), else
// whichever comes first of a new one and one that is given back. The error is an
// *Error, or errGone.
func (p *pool) get(ctx context.Context, now time.Time, ex *Exchange) (*conn, error) {
	o := &p.t.state.Load().opts
	for {
		p.mu.Lock()
		if p.gone.Load() {
			p.mu.Unlock()
			return nil, errGone
		}
		p.lastUse = now
		c := p.take(now, o)
		if c == nil {
			w := p.queue(o)
			p.mu.Unlock()
			c, err := p.wait(ctx, w, ex)
			now = p.t.now()
			if c != nil {
				p.keepWarm(now, o)
			}
			if c != nil || err != nil {
				return c, err
			}
			continue
		}
		wanted := p.wantsWarm(now, o)
		p.mu.Unlock()
		if wanted {
			p.startWarming()
		}
		if c.ready() {
			return c, nil
		}
		p.discard(c, now, true)
	}
}

// hot is how long after a request its connection is used again before a warm
// one: who calls again at once finds the server listening still.
const hot = 250 * time.Millisecond

// take removes the best idle connection from the pool; nil if there is none:
// one that was used just now, else one that was never used and is not due to be
// replaced, else the one used last if it may be trusted still, else any that was
// never used.
func (p *pool) take(now time.Time, o *Options) *conn {
	list := &p.warm
	if n := len(p.used); n > 0 {
		age, w := now.Sub(p.used[n-1].idleSince), len(p.warm)
		if age <= hot || age <= p.life.window(o.IdleTimeout) && (w == 0 || !now.Before(p.warm[w-1].retireAt)) {
			list = &p.used
		}
	}
	n := len(*list)
	if n == 0 {
		return nil
	}
	c := (*list)[n-1]
	(*list)[n-1] = nil
	*list = (*list)[:n-1]
	p.h.idle.Add(-1)
	p.h.busy.Add(1)
	return c
}

// queue makes the caller wait, and dials for it if there may be one more
// connection.
func (p *pool) queue(o *Options) *waiter {
	w := &waiter{ch: make(chan grant, 1)}
	w.elem = p.waiters.PushBack(w)
	if p.open >= o.MaxConns && len(p.used) > 0 { // stale, or take had found it
		c := p.used[0]
		p.used = slices.Delete(p.used, 0, 1)
		p.h.idle.Add(-1)
		p.forget(c)
		p.t.spawn(func() { c.close(false) })
	}
	p.promote(o)
	return w
}

// promote dials for the waiters, in their order, as far as MaxConns allows.
func (p *pool) promote(o *Options) {
	for e := p.waiters.Front(); e != nil && p.open < o.MaxConns; e = e.Next() {
		w := e.Value.(*waiter)
		if w.dialing {
			continue
		}
		w.dialing = true
		p.open++
		if !p.t.spawn(func() { p.dialFor(w) }) {
			p.open--
			p.answer(w, grant{err: notSent(problem.Draining, errClosed)})
			return
		}
	}
}

// answer gives a waiter what it waits for. It reports false if it has gone.
func (p *pool) answer(w *waiter, g grant) bool {
	if w.elem == nil {
		return false
	}
	p.waiters.Remove(w.elem)
	w.elem = nil
	w.ch <- g
	return true
}

// first gives c to the waiter that came first. It reports false if nobody waits.
func (p *pool) first(c *conn) bool {
	if e := p.waiters.Front(); e != nil {
		p.h.busy.Add(1)
		return p.answer(e.Value.(*waiter), grant{c: c})
	}
	return false
}

// wait waits for w to be answered. Without connection or error it is to be
// tried again.
func (p *pool) wait(ctx context.Context, w *waiter, ex *Exchange) (*conn, error) {
	o := &p.t.state.Load().opts
	start := p.t.now()
	timer := time.NewTimer(o.DialTimeout)
	defer timer.Stop()
	for {
		select {
		case g := <-w.ch:
			now := p.t.now()
			ex.Wait += now.Sub(start)
			return p.granted(g, now, ex)
		case <-ctx.Done():
			p.withdraw(w)
			return nil, notSent(problem.Draining, errDraining)
		case <-timer.C:
			if p.capped(w) {
				p.withdraw(w)
				return nil, notSent(problem.Limit, errPoolFull)
			}
		}
	}
}

func (p *pool) granted(g grant, now time.Time, ex *Exchange) (*conn, error) {
	if g.err != nil {
		return nil, g.err
	}
	if !g.c.used {
		ex.DNS, ex.Connect, ex.TLS = g.c.facts.dns, g.c.facts.connect, g.c.facts.tls
	}
	if !g.c.poll(g.c.polling()) {
		p.discard(g.c, now, true)
		return nil, nil
	}
	return g.c, nil
}

// capped reports whether nothing is being dialled for w: it waits for others
// to give a connection back.
func (p *pool) capped(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !w.dialing
}

// withdraw ends w's waiting; a connection it was given meanwhile goes back.
func (p *pool) withdraw(w *waiter) {
	p.mu.Lock()
	if w.elem != nil {
		p.waiters.Remove(w.elem)
		w.elem = nil
	}
	p.mu.Unlock()
	select {
	case g := <-w.ch:
		if g.c != nil {
			p.put(g.c)
		}
	default:
	}
}

// put gives a connection back after a request.
func (p *pool) put(c *conn) {
	now := p.t.now()
	c.idleSince, c.lastAlive = now, now
	p.mu.Lock()
	p.h.busy.Add(-1)
	if p.retired || p.oneShot || p.gone.Load() {
		p.forget(c)
		p.mu.Unlock()
		c.close(false)
		return
	}
	if p.first(c) {
		p.mu.Unlock()
		return
	}
	p.idle(&p.used, c)
	p.mu.Unlock()
}

// idle adds c to a list of idle connections, reading it in the background if
// it cannot be polled, or is warm.
func (p *pool) idle(list *[]*conn, c *conn) {
	if list == &p.warm || c.polling() != readPoll {
		if !c.startWatch() {
			p.forget(c)
			c.close(true)
			return
		}
	}
	*list = append(*list, c)
	p.h.idle.Add(1)
}

// discard closes a connection that was taken. died says that it was found dead
// when it was to be used.
func (p *pool) discard(c *conn, now time.Time, died bool) {
	p.mu.Lock()
	p.h.busy.Add(-1)
	if died {
		p.learn(c, now)
		p.warmDied(c, now)
	}
	p.forget(c)
	p.mu.Unlock()
	c.close(died || c.isLost())
	p.h.report()
}

// learn notes that the server closed an idle connection, some time after it
// was last seen alive.
func (p *pool) learn(c *conn, now time.Time) {
	if c.used {
		p.life.closed(now, c.lastAlive.Sub(c.idleSince))
	} else {
		p.fresh.closed(now, now.Sub(c.idleSince))
	}
}

// forget takes c off the books, which makes room for somebody else.
func (p *pool) forget(c *conn) {
	if _, ok := p.all[c]; !ok {
		return
	}
	delete(p.all, c)
	p.open--
	p.promote(&p.t.state.Load().opts)
}

// ended is told that a watched connection has ended. If it was taken
// meanwhile, whoever took it finds out alone.
func (p *pool) ended(c *conn) {
	now := p.t.now()
	p.mu.Lock()
	mine := p.remove(&p.warm, c) || p.remove(&p.used, c)
	if mine {
		p.learn(c, now)
		p.warmDied(c, now)
		p.forget(c)
	}
	wanted := mine && p.wantsWarm(now, &p.t.state.Load().opts)
	p.mu.Unlock()
	if !mine {
		return
	}
	c.close(true)
	p.h.report()
	if wanted {
		p.startWarming()
	}
}

// remove takes c out of a list of idle connections, if it is there.
func (p *pool) remove(list *[]*conn, c *conn) bool {
	i := slices.Index(*list, c)
	if i < 0 {
		return false
	}
	*list = slices.Delete(*list, i, i+1)
	p.h.idle.Add(-1)
	return true
}

// closeIdle closes the idle connections.
func (p *pool) closeIdle() {
	p.mu.Lock()
	idle := append(p.used, p.warm...)
	p.used, p.warm = nil, nil
	p.h.idle.Add(-int64(len(idle)))
	for _, c := range idle {
		p.forget(c)
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.close(false)
	}
	p.h.report()
}

// retire makes the pool keep nothing from now on.
func (p *pool) retire() {
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
	p.closeIdle()
}

// abort closes the busy connections under whoever uses them.
func (p *pool) abort() {
	p.mu.Lock()
	all := make([]*conn, 0, len(p.all))
	for c := range p.all {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		_ = c.sock.Close()
	}
}
