package upstream

import (
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	// warmFor is how long after its last request a host has warm connections.
	warmFor = 10 * time.Minute
	// A server that closes warm connections younger than this is one that
	// does not want them: it is dialled less and less often.
	warmUnwanted = 5 * time.Second
	warmBackoff  = time.Second
	warmMaxDelay = time.Minute
	// pollEach bounds the idle connections looked at in one go.
	pollEach = 32
	// pollAge is the idle age from which the janitor looks at them.
	pollAge    = time.Second
	janitorGap = time.Second
)

// warmer is the state of keeping warm connections ready; under the pool's mu.
type warmer struct {
	warming bool      // one goroutine dials
	fails   int       // in a row
	after   time.Time // not before
	made    int       // connections, to spread their ends
}

// wantsWarm reports whether a warm connection is missing and may be made now.
// Whoever is told so calls startWarming.
func (p *pool) wantsWarm(now time.Time, o *Options) bool {
	if p.warming || !p.warmDue(now, o) || p.route.plain || p.retired || p.oneShot || p.gone.Load() ||
		p.open >= o.MaxConns || now.Before(p.after) || now.Sub(p.lastUse) > warmFor {
		return false
	}
	p.warming = true
	p.open++ // reserved
	return true
}

// warmDue reports whether fewer connections than wanted will be ready for a
// while: never-used ones far from their end, and used ones that will still be
// trusted then, besides the one that serves the present calls. Those count, so
// that calls with pauses between them do not cost a handshake each.
func (p *pool) warmDue(now time.Time, o *Options) bool {
	good := p.reusable(now, o)
	for _, c := range p.warm {
		if now.Before(c.retireAt) {
			good++
		}
	}
	return good < o.Warm
}

// warmLead is how long before used connections cease to be trusted warm ones
// are made in their place; of a short trust half of that.
const warmLead = 2 * time.Second

// reusable counts, up to what is kept warm, the used connections that will be
// trusted for warmLead, without the latest while none is busy.
func (p *pool) reusable(now time.Time, o *Options) (n int) {
	window := p.life.window(o.IdleTimeout)
	last := len(p.used) - 1
	if len(p.all) == len(p.used)+len(p.warm) {
		last--
	}
	for i := last; i >= 0 && n < o.Warm; i-- {
		if now.Sub(p.used[i].idleSince) > window-min(warmLead, window/2) {
			break // those before it have been idle for longer
		}
		n++
	}
	return n
}

// keepWarm makes what warm connections are missing, in the background.
func (p *pool) keepWarm(now time.Time, o *Options) {
	p.mu.Lock()
	wanted := p.wantsWarm(now, o)
	p.mu.Unlock()
	if wanted {
		p.startWarming()
	}
}

func (p *pool) startWarming() {
	if !p.t.spawn(p.warmUp) {
		p.mu.Lock()
		p.warming = false
		p.open--
		p.mu.Unlock()
	}
}

// warmUp makes warm connections, one at a time, until there are enough.
func (p *pool) warmUp() {
	for {
		c, err := p.connect(p.t.ctx)
		o := &p.t.state.Load().opts
		now := p.t.now()
		p.mu.Lock()
		p.warming = false
		if err != nil {
			p.open--
			p.warmFailed(now)
			p.promote(o)
			p.mu.Unlock()
			o.Logger.Debug("warm connection failed", zap.String("upstream", p.route.Label),
				zap.Stringer("host", p.route.DialHost), zap.String("error", err.Error()))
			return
		}
		p.enter(c, now)
		if p.retired || p.gone.Load() {
			p.forget(c)
			p.mu.Unlock()
			c.close(false)
			return
		}
		if !p.first(c) {
			p.addWarm(c, now, o)
		}
		more := p.wantsWarm(now, o)
		p.mu.Unlock()
		p.h.report()
		if !more {
			return
		}
	}
}

// addWarm keeps c ready. Ends are spread over the second half of the life that
// the server was seen to allow, so that not all are replaced at once.
func (p *pool) addWarm(c *conn, now time.Time, o *Options) {
	life := o.IdleTimeout
	if s := p.fresh.shortest(); s > 0 {
		life = min(life, s)
	}
	p.made++
	part := 0.5 + 0.2*rand.Float64()
	if p.made%2 == 0 {
		part = 0.75 + 0.15*rand.Float64()
	}
	c.retireAt = now.Add(time.Duration(part * float64(life)))
	p.idle(&p.warm, c)
}

func (p *pool) warmFailed(now time.Time) {
	delay := min(warmBackoff<<min(p.fails, 10), warmMaxDelay)
	p.fails++
	p.after = now.Add(time.Duration((0.5 + rand.Float64()) * float64(delay)))
}

// warmDied notes that the server ended a watched connection.
func (p *pool) warmDied(c *conn, now time.Time) {
	if c.used {
		return
	}
	if now.Sub(c.idleSince) < warmUnwanted {
		p.warmFailed(now)
	} else {
		p.fails = 0
	}
}

// janitor looks after the idle connections while there are any.
func (t *Transport) janitor() {
	ticker := time.NewTicker(janitorGap)
	defer ticker.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-t.wake:
			ticker.Reset(janitorGap)
		case <-ticker.C:
			if !t.tick(t.now()) {
				ticker.Stop()
			}
		}
	}
}

// tick does one round of the janitor. It reports whether there is anything
// left to look after.
func (t *Transport) tick(now time.Time) bool {
	active := false
	t.state.Load().all(func(h *hostState) {
		h.eachPool(func(p *pool) {
			active = true
			p.tend(now)
		})
		h.report()
	})
	return active
}

// tend closes what is over or may not be used any more, learns from it, and
// keeps the warm ones warm.
func (p *pool) tend(now time.Time) {
	o := &p.t.state.Load().opts
	p.mu.Lock()
	over := append(p.tendUsed(now, o), p.tendWarm(now, o)...)
	for _, c := range over {
		p.forget(c)
	}
	wanted := p.wantsWarm(now, o)
	idle := p.open == 0 && now.Sub(p.lastUse) > warmFor
	p.mu.Unlock()
	for _, c := range over {
		c.close(false)
	}
	if wanted {
		p.startWarming()
	}
	if idle {
		p.h.drop(p)
	}
}

// tendUsed removes from the used connections those that have ended and those
// too old to be used again, except the oldest of them: it shows how long the
// server leaves it open.
func (p *pool) tendUsed(now time.Time, o *Options) (over []*conn) {
	window := p.life.window(o.IdleTimeout)
	polled, observer := 0, false
	p.used = slices.DeleteFunc(p.used, func(c *conn) bool {
		age := now.Sub(c.idleSince)
		if age >= pollAge && polled < pollEach {
			polled++
			if !c.open() {
				p.learn(c, now)
				over = append(over, c)
				return true
			}
			c.lastAlive = now
			p.life.alive(now, age)
		}
		if age <= window {
			return false
		}
		if age < o.IdleTimeout && !observer && !p.route.plain {
			observer = true
			return false
		}
		over = append(over, c)
		return true
	})
	p.h.idle.Add(-int64(len(over)))
	return over
}

// tendWarm removes the warm connections that are due and have been replaced,
// and all of them when the host is not in use any more.
func (p *pool) tendWarm(now time.Time, o *Options) (over []*conn) {
	unused := now.Sub(p.lastUse) > warmFor
	spare := len(p.warm) + p.reusable(now, o) - o.Warm
	p.warm = slices.DeleteFunc(p.warm, func(c *conn) bool {
		due := !now.Before(c.retireAt)
		if !unused && (!due || spare <= 0) && now.Sub(c.idleSince) < o.IdleTimeout {
			return false
		}
		spare--
		over = append(over, c)
		return true
	})
	p.h.idle.Add(-int64(len(over)))
	return over
}
