// Package pool owns the connections to one target: those in use, idle ones for reuse,
// and a few that were never used and are kept ready, so a request does not wait for a
// handshake.
//
// A connection has exactly one owner: the request that uses it, its pool, the
// goroutine that dials it, or the client connection that signed in on it
// (Conn.Signed). To find out whether a connection is still open, the pool reads from
// it without waiting. That its socket is readable proves nothing: session tickets
// cause that just as a close_notify does.
//
// If a server closes a connection while a request is being written, the fate of the
// request is unknown. So a used connection is trusted for 5 s at first, then for up
// to half the shortest idle life seen from that server. If that life is less than a
// second, a connection is used once. A connection that was never used is preferred,
// unless another was used within the last 250 ms.
package pool

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/contain"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
)

// Options configures a Pool. Every field must be set; Warm may be 0.
type Options struct {
	Dial  func(ctx context.Context) (*dial.Conn, error) // the error is a *dial.Error
	Warm  int                                           // connections kept ready while the pool is in use
	Most  int                                           // connections at a time, at most
	Idle  time.Duration                                 // upper bound of an idle connection's life
	Wait  time.Duration                                 // limit for a free connection, once there are Most
	Count func(idle, busy int)                          // receives changes in the numbers of connections
	Sum   func() int                                    // connections in all pools that share Most
}

// Background is what the pools of a transport share. Every field must be set.
type Background struct {
	Context context.Context             // ends all pools
	Go      func(func()) (started bool) // runs a function in a goroutine, unless the transport has ended; a panic ends only that function
	Now     func() time.Time
	Logger  *zap.Logger
}

// Pool holds the connections to one target. It is safe for concurrent use.
type Pool struct {
	Background
	kick chan struct{} // wakes the maintenance loop; buffered

	mu      sync.Mutex
	opts    Options
	used    []*Conn // idle after a request, the latest last
	fresh   []*Conn // idle, never used, the newest last
	all     map[*Conn]struct{}
	dials   int       // in flight
	waiters []*waiter // first come, first served
	lastUse time.Time
	kept    bool // the maintenance loop runs
	retired bool // nothing is kept any more
	life    life
	fails   int       // consecutive failed dials and deaths of fresh connections
	after   time.Time // no fresh ones are made before this
	idle    int       // as last counted
	busy    int
}

// Conn is a pooled connection.
type Conn struct {
	*dial.Conn
	// Used means that a request was sent on it. The request sets this.
	Used bool
	// Signed means that a user signed in on the connection itself, or began to. The
	// request sets this. The pool never lends the connection again.
	Signed bool

	reserved bool      // by Reserve or Keep
	since    time.Time // idle since
	alive    time.Time // last seen alive while idle
	replace  time.Time // when a fresh one should be replaced
}

var (
	errFull     = &dial.Error{Reason: problem.Limit, Err: errors.New("every connection to this host is busy")}
	errDraining = &dial.Error{Reason: problem.Draining, Err: errors.New("shutting down")}
	// ErrEnded is the error for a connection that ended before it was used.
	ErrEnded = &dial.Error{Reason: problem.Reset, Err: errors.New("the connection ended before it was used")}
)

// New makes a Pool. It connects to nothing yet.
func New(b Background, o Options) *Pool {
	return &Pool{Background: b, opts: o, kick: make(chan struct{}, 1), all: make(map[*Conn]struct{})}
}

// Configure changes the options. Connections stay.
func (p *Pool) Configure(o Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opts = o
}

// Get returns an idle connection, else the first that becomes available: a new one,
// or one that is given back. The connection is open as far as can be seen. The error
// is a *dial.Error: problem.Draining if ctx or the pool has ended, problem.Limit if
// no connection came free in time, problem.Reset if a new connection ended at once,
// which is worth another try.
func (p *Pool) Get(ctx context.Context) (*Conn, error) {
	var dead *Conn
	for waited := false; ; {
		c, w, timeout := p.next(dead, waited)
		if w != nil {
			waited = true
			var err error
			if c, err = p.wait(ctx, w, timeout); err != nil {
				return nil, err
			}
		}
		if p.reusable(c) {
			return c, nil
		}
		if w != nil && !c.Used { // it was made just now
			p.died(c)
			return nil, ErrEnded
		}
		dead = c
	}
}

// next returns an idle connection, else a place in the queue and how long to wait
// there. dead is the previous connection, which had ended. waited means that the
// request was in the queue before.
func (p *Pool) next(dead *Conn, waited bool) (c *Conn, w *waiter, timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.Now()
	p.lastUse = now
	if dead != nil {
		p.learn(dead, now)
	}
	if c = p.take(now); c == nil {
		w = p.queue(waited)
	}
	if dead != nil {
		p.close(dead) // only now: its place is this request's
	}
	p.count()
	p.startMaintenance(now)
	return c, w, p.opts.Wait
}

// reusable is c.Reusable. A connection that cannot be examined has ended.
func (p *Pool) reusable(c *Conn) (quiet bool) {
	err := contain.Do(p.Logger, "look at an idle connection", func() error { quiet = c.Reusable(); return nil })
	return err == nil && quiet
}

// recentUse is how long after a request its connection is preferred to a fresh one.
const recentUse = 250 * time.Millisecond

// take removes the best idle connection, or returns nil. It prefers the trusted one
// used last if that was just now, then a fresh one that is not due to be replaced,
// then the trusted one used last, then any fresh one.
func (p *Pool) take(now time.Time) *Conn {
	list, u, f := &p.fresh, len(p.used)-1, len(p.fresh)-1
	if u >= 0 && p.trusts(p.used[u], now) &&
		(now.Sub(p.used[u].since) <= recentUse || f < 0 || !now.Before(p.fresh[f].replace)) {
		list = &p.used
	}
	last := len(*list) - 1
	if last < 0 {
		return nil
	}
	c := (*list)[last]
	*list = slices.Delete(*list, last, last+1)
	return c
}

// trusts reports whether a used connection may serve another request: as far as is
// known, the server is not about to close it.
func (p *Pool) trusts(c *Conn, now time.Time) bool {
	window := p.life.window(now, p.opts.Idle)
	return window > 0 && now.Sub(c.since) <= window
}

// give hands a connection to the first waiter, else keeps it if there are not too
// many. If used connections are not trusted at all, it keeps one of them, to see how
// long the server leaves it open.
func (p *Pool) give(c *Conn) {
	switch {
	case c.Signed, c.Used && len(p.waiters)+len(p.used) > 0 && p.life.window(p.Now(), p.opts.Idle) == 0:
		p.drop(c)
	case len(p.waiters) > 0:
		p.answer(p.waiters[0], grant{c: c})
	case p.retired:
		p.drop(c)
	case p.opts.Sum() > p.opts.Most:
		if !c.Used { // other pools made theirs at the same time
			p.failed(p.Now())
		}
		p.drop(c)
	default:
		list := &p.fresh // ordered by since
		if c.Used {
			list = &p.used
		}
		at := len(*list)
		for at > 0 && (*list)[at-1].since.After(c.since) {
			at--
		}
		*list = slices.Insert(*list, at, c)
	}
}

// Put gives a connection back after an exchange that left it clean.
func (p *Pool) Put(c *Conn) {
	now := p.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c.since, c.alive, c.reserved = now, now, false
	p.give(c)
	p.count()
}

// Reserve lets the user of a connection keep it for as long as its caller likes,
// until it is given back. It reports false, and does nothing, if half of the
// connections that are allowed are reserved already. Callers that sign in, or whose
// bodies come slowly, must not keep out all others. One can always be reserved.
func (p *Pool) Reserve(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reserve(c, max(1, p.opts.Most/2))
}

// Keep is Reserve for an idle connection that stays with its user until Discard. It
// also reports false if there are too many, or if none are kept now.
func (p *Pool) Keep(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reserve(c, p.opts.Most/2) && p.opts.Sum() <= p.opts.Most && !p.retired
}

func (p *Pool) reserve(c *Conn, most int) bool {
	if !c.reserved {
		others := 0
		for other := range p.all {
			if other.reserved {
				others++
			}
		}
		c.reserved = others < most
	}
	return c.reserved
}

// Return gives a connection back that was not used after all. It closes one that was
// never used if enough are kept ready.
func (p *Pool) Return(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.reserved = false
	if !c.Used && len(p.waiters) == 0 && len(p.fresh) >= p.opts.Warm {
		p.drop(c)
		return
	}
	p.give(c)
	p.count()
}

// Discard closes a connection that must not be used again.
func (p *Pool) Discard(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(c)
}

// LearnIdleTimeout records how long the server says that it leaves idle connections
// open.
func (p *Pool) LearnIdleTimeout(idle time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life.seen(p.Now(), idle)
}

// died closes a connection that turned out to be dead when it was needed.
func (p *Pool) died(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lost(c, p.Now())
	p.count()
}

// lost closes a connection that ended while idle, and learns from it.
func (p *Pool) lost(c *Conn, now time.Time) {
	p.learn(c, now)
	p.close(c)
}

// learn learns from a connection that ended while idle.
func (p *Pool) learn(c *Conn, now time.Time) {
	switch {
	case c.Used:
		p.life.seen(now, c.alive.Sub(c.since))
	case now.Sub(c.since) < unwanted:
		p.failed(now)
	default:
		p.fails = 0
	}
}

// drop closes c and counts.
func (p *Pool) drop(c *Conn) {
	p.close(c)
	p.count()
}

// close forgets c, which may make room for a waiter, and closes it.
func (p *Pool) close(c *Conn) {
	delete(p.all, c)
	if !p.Go(c.Close) {
		c.Abort()
	}
	p.grow()
}

// CloseIdle closes the idle connections.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := slices.Concat(p.used, p.fresh)
	p.used, p.fresh = nil, nil
	for _, c := range idle {
		p.close(c)
	}
	p.count()
}

// Retire closes the idle connections and keeps none from now on.
func (p *Pool) Retire() {
	p.mu.Lock()
	p.retired = true
	p.mu.Unlock()
	p.CloseIdle()
}

// Abort closes the sockets of all connections, even of those in use.
func (p *Pool) Abort() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.all {
		c.Abort()
	}
}

// RetireEmpty retires the pool if it has no connections, no waiting requests and no
// maintenance loop. It reports whether it did.
func (p *Pool) RetireEmpty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open() > 0 || len(p.waiters) > 0 || p.kept {
		return false
	}
	p.retired = true
	return true
}

// count reports what has changed since the last report.
func (p *Pool) count() {
	idle := len(p.used) + len(p.fresh)
	busy := len(p.all) - idle
	if moreIdle, moreBusy := idle-p.idle, busy-p.busy; moreIdle != 0 || moreBusy != 0 {
		p.idle, p.busy = idle, busy
		p.opts.Count(moreIdle, moreBusy)
	}
}
