package pool

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	// inUse is how long after its last request a pool keeps connections ready.
	inUse = 10 * time.Minute
	// A server that closes fresh connections younger than unwanted does not want
	// them: it is dialled less and less often.
	unwanted        = 5 * time.Second
	backoff         = time.Second
	mostDelay       = time.Minute
	maintenanceTick = time.Second
	// lead is how long before used connections cease to be trusted fresh ones
	// are made in their place; half the window if that is less.
	lead = 2 * time.Second
)

// startMaintenance wakes the maintenance loop when a fresh connection is
// missing, and starts it when there is a connection to look after. A target that
// was not reached has none: callers can invent names.
func (p *Pool) startMaintenance(now time.Time) {
	switch {
	case p.retired, len(p.all) == 0:
	case !p.kept:
		p.kept = p.Go(p.maintenanceLoop)
	case p.missing(now):
		select {
		case p.kick <- struct{}{}:
		default:
		}
	}
}

// maintenanceLoop looks after the idle connections while the pool is in use.
func (p *Pool) maintenanceLoop() {
	ticker := time.NewTicker(maintenanceTick)
	defer ticker.Stop()
	ended := false
	defer func() {
		if !ended { // by a panic: the next request starts another one
			p.mu.Lock()
			p.kept = false
			p.mu.Unlock()
		}
	}()
	for p.maintain() {
		select {
		case <-p.Context.Done():
			p.Retire()
		case <-ticker.C:
		case <-p.kick:
		}
	}
	ended = true
}

// unlocked runs f without the lock, which is held again whatever f does.
func (p *Pool) unlocked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

// maintain closes connections that have ended or are too old, learns from them, and
// makes the fresh ones that are missing, one after the other. It reports whether
// anything is left to look after.
func (p *Pool) maintain() (again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range []*[]*Conn{&p.used, &p.fresh} {
		for _, c := range slices.Clone(*list) {
			p.probe(list, c)
		}
	}
	now := p.Now()
	p.expire(now)
	for p.missing(now) {
		p.dials++
		p.unlocked(func() { p.dial(nil) })
		now = p.Now()
	}
	p.count()
	p.kept = !p.retired && (len(p.all) > 0 || p.warm(now))
	return p.kept
}

// warm reports whether fresh connections are kept ready: for a target that is in
// use, while there is room.
func (p *Pool) warm(now time.Time) bool {
	return p.opts.Warm > 0 && now.Sub(p.lastUse) <= inUse && p.opts.Sum() < p.opts.Most
}

// probe finds out whether a connection that has been idle for a while has ended.
// It is not in the pool meanwhile: on Windows the look takes time, and requests
// do not wait for it.
func (p *Pool) probe(list *[]*Conn, c *Conn) {
	i, now := slices.Index(*list, c), p.Now()
	if i < 0 || now.Sub(c.since) < maintenanceTick {
		return
	}
	*list = slices.Delete(*list, i, i+1)
	quiet := false
	p.unlocked(func() { quiet = p.reusable(c) })
	if quiet && c.Used {
		p.life.alive(now.Sub(c.since))
	}
	switch {
	case !quiet:
		p.lost(c, now)
	case c.Used && len(p.waiters) > 0 && !p.trusts(c, now):
		p.close(c) // too old for a waiter, but in its way
	default:
		c.alive = now
		p.give(c)
	}
}

// missing reports whether a fresh connection is to be made now: when fewer than
// Warm will be ready in a while, besides the one that serves the present calls.
// Used ones that will still be trusted count, so calls with pauses between them
// do not cost a handshake each.
func (p *Pool) missing(now time.Time) bool {
	if p.dials > 0 || p.retired || p.open() >= p.opts.Most || now.Before(p.after) || !p.warm(now) {
		return false
	}
	ready, spare := 0, p.used
	if n := len(spare); n > 0 && len(p.all) == n+len(p.fresh) {
		spare = spare[:n-1] // no call is under way: the latest is for the next one
	}
	window := p.life.window(now, p.opts.Idle)
	for _, c := range spare {
		if p.trusts(c, now) && now.Sub(c.since) <= window-min(lead, window/2) {
			ready++
		}
	}
	for _, c := range p.fresh {
		if now.Before(c.replace) {
			ready++
		}
	}
	return ready < p.opts.Warm
}

// expire closes the used connections that are too old, except the oldest: it
// shows how long the server leaves it open. It closes the fresh ones that are due
// and have been replaced, and all of them when the pool is no longer in use.
func (p *Pool) expire(now time.Time) {
	watched := false
	p.used = slices.DeleteFunc(p.used, func(c *Conn) bool {
		age := now.Sub(c.since)
		switch {
		case p.trusts(c, now):
			return false
		case age < p.opts.Idle && !watched:
			watched = true
			return false
		case age >= p.opts.Idle:
			p.life.seen(now, p.opts.Idle)
		}
		p.close(c)
		return true
	})
	unused, spare := now.Sub(p.lastUse) > inUse, len(p.fresh)-p.opts.Warm
	p.fresh = slices.DeleteFunc(p.fresh, func(c *Conn) bool {
		if !unused && (spare <= 0 || now.Before(c.replace)) && now.Sub(c.since) < p.opts.Idle {
			return false
		}
		spare--
		p.close(c)
		return true
	})
}

// lifetime is after how long a fresh connection is replaced. It is spread, so
// not all are replaced at once.
func (p *Pool) lifetime() time.Duration {
	return time.Duration((0.5 + 0.4*rand.Float64()) * float64(p.opts.Idle))
}

// failed notes that a fresh connection could not be had, or did not last.
func (p *Pool) failed(now time.Time) {
	delay := min(backoff<<min(p.fails, 10), mostDelay)
	p.fails++
	p.after = now.Add(time.Duration((0.5 + rand.Float64()) * float64(delay)))
}
