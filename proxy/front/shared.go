package front

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/call"
)

// Shared is what all client connections of a proxy have in common: the
// limits, which a reload may change at once, the buffers, and the count of
// who is connected. It outlives its connections and needs no closing.
type Shared struct {
	// Gauge is told how many connections are handled in a way, one more or one
	// less at a time: each accepted one is in one way until it is closed. Set it
	// before the first connection; nil = nobody.
	Gauge func(h call.Handling, delta int)

	limits  atomic.Pointer[Limits]
	buffers bufferPool
	epoch   time.Time // deadlines are reckoned in nanoseconds since

	open     atomic.Int64 // accepted and not yet closed
	draining atomic.Bool
	grace    atomic.Int64 // nanoseconds, while draining

	mu       sync.Mutex
	refusing int                // of the open ones, those being told that they may not connect
	clients  map[netip.Addr]int // open connections by client key
	conns    map[*Conn]struct{} // all that are not closed, those inside tunnels too
	changed  chan struct{}      // closed when a connection closes; nil while nobody waits
}

// NewShared returns a Shared with the given limits.
func NewShared(lim Limits) *Shared {
	s := &Shared{
		epoch:   time.Now(),
		clients: make(map[netip.Addr]int),
		conns:   make(map[*Conn]struct{}),
	}
	s.SetLimits(lim)
	return s
}

// SetLimits changes the limits: those of a request from the next one on,
// those of connections for new ones.
func (s *Shared) SetLimits(lim Limits) { s.limits.Store(&lim) }

// Limits returns the current limits.
func (s *Shared) Limits() Limits { return *s.limits.Load() }

// Open returns the number of accepted connections that are not yet closed,
// those handed over to tunnels and those that linger included.
func (s *Shared) Open() int { return int(s.open.Load()) }

// now is the time since the epoch, in nanoseconds.
func (s *Shared) now() int64 { return int64(time.Since(s.epoch)) }

// Drain ends the waiting for requests: a connection of which nothing arrives
// within grace is closed, and so is each one after the request it is busy
// with. A request that still arrives in time is served. Drain returns at
// once; see Wait. It cannot be undone.
func (s *Shared) Drain(grace time.Duration) {
	s.grace.Store(int64(grace))
	s.draining.Store(true)
	for _, c := range s.snapshot() {
		if c.waiting.Load() {
			c.wake()
		}
	}
}

// Draining reports whether Drain was called. Answers should then say
// Connection: close.
func (s *Shared) Draining() bool { return s.draining.Load() }

// Wait blocks until no connection is open or ctx is done, and returns how
// many are left.
func (s *Shared) Wait(ctx context.Context) int {
	for {
		s.mu.Lock()
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		left := s.Open()
		if left == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return left
		}
	}
}

// CloseAll ends every connection at once, tunnels included. Whatever was on its
// way through them is cut off visibly.
func (s *Shared) CloseAll() {
	for _, c := range s.snapshot() {
		c.Reset()
	}
}

// AbortBodies makes every read of a request's body that is under way fail, so
// that its caller can still be answered (Conn.AbortBody).
func (s *Shared) AbortBodies() {
	for _, c := range s.snapshot() {
		if !c.waiting.Load() {
			c.AbortBody()
		}
	}
}

func (s *Shared) snapshot() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

func (s *Shared) enter(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	if c.counted {
		s.gauge(call.Plain, 1) // until it is known better
	}
}

// gauge tells Gauge; under mu.
func (s *Shared) gauge(h call.Handling, delta int) {
	if s.Gauge != nil {
		s.Gauge(h, delta)
	}
}

// Show says how the connection, or the one that it lies inside, is handled from
// now on, for Shared.Gauge.
func (c *Conn) Show(h call.Handling) {
	for c.outer != nil {
		c = c.outer
	}
	s := c.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; !open || !c.counted || c.shown == h {
		return
	}
	s.gauge(c.shown, -1)
	s.gauge(h, 1)
	c.shown = h
}

// leave undoes enter and whatever the connection was counted under.
func (s *Shared) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; open && c.counted {
		s.gauge(c.shown, -1)
	}
	delete(s.conns, c)
	if c.clientKey.IsValid() {
		if s.clients[c.clientKey]--; s.clients[c.clientKey] <= 0 {
			delete(s.clients, c.clientKey)
		}
	}
	if c.slot {
		s.refusing--
	}
	if c.counted {
		s.open.Add(-1)
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// countClient counts c under its client and reports whether the client stays
// within its limit. A client over it is not counted.
func (s *Shared) countClient(c *Conn, client netip.Addr, limit int) bool {
	key := clientKey(client)
	if !key.IsValid() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit > 0 && s.clients[key] >= limit {
		return false
	}
	s.clients[key]++
	c.clientKey = key
	return true
}

// clientKey is what connections are counted by: an IPv4 address, or the /64
// of an IPv6 address, within which a host chooses addresses at will.
func clientKey(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}

// maxRefusing bounds the connections that are being told that they may not
// connect; those beyond are closed without a word.
const maxRefusing = 64

// takeSlot reports whether one more connection may be told so.
func (s *Shared) takeSlot(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.slot {
		return true
	}
	if s.refusing >= maxRefusing {
		return false
	}
	s.refusing++
	c.slot = true
	return true
}
