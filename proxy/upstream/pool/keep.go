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
	// Fresh connections are made lead before the used ones that they replace cease to
	// be trusted, or half the window before if that is less.
	lead = 2 * time.Second
)

// startMaintenance wakes the maintenance loop if a fresh connection is missing, and
// starts it if there is a connection to look after. A target that was never reached
// has none: callers can invent names.
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
		if !ended { // by a panic: the next request starts another loop
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

// unlocked runs f without the lock, and takes the lock again even if f panics.
func (p *Pool) unlocked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

// maintain closes connections that have ended or are too old, learns from them, and
// makes the missing fresh ones, one after the other. It reports whether anything is
// left to look after.
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

// warm reports whether fresh connections are kept ready: the target is in use, and
// there is room.
func (p *Pool) warm(now time.Time) bool {
	return p.opts.Warm > 0 && now.Sub(p.lastUse) <= inUse && p.opts.Sum() < p.opts.Most
}

// probe finds out whether a connection that has been idle for a while has ended. It
// takes the connection out of the pool meanwhile: on Windows the check takes time,
// and requests do not wait for it.
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
		p.close(c) // too old for a waiter, but takes up its place
	default:
		c.alive = now
		p.give(c)
	}
}

// missing reports whether to make a fresh connection now: fewer than Warm will be
// ready in a while, besides the one that serves the current calls. Used ones that
// will still be trusted count, so calls with pauses between them do not cost a
// handshake each.
func (p *Pool) missing(now time.Time) bool {
	if p.dials > 0 || p.retired || p.open() >= p.opts.Most || now.Before(p.after) || !p.warm(now) {
		return false
	}
	ready, spare := 0, p.used
	if n := len(spare); n > 0 && len(p.all) == n+len(p.fresh) {
		spare = spare[:n-1] // no call is in flight: the latest is for the next one
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

// expire closes the used connections that are too old, except for one, which shows
// how long the server leaves it open. It closes fresh ones that are due and have been
// replaced, and all of them if the pool is no longer in use.
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

// failed records that a fresh connection could not be made, or did not last.
func (p *Pool) failed(now time.Time) {
	delay := min(backoff<<min(p.fails, 10), mostDelay)
	p.fails++
	p.after = now.Add(time.Duration((0.5 + rand.Float64()) * float64(delay)))
}
