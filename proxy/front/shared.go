package front

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
)

// Shared is what all client connections of a proxy have in common: the limits,
// which a reload may change, and the registry of open connections. It outlives its
// connections and does not need to be closed.
type Shared struct {
	limits atomic.Pointer[Limits]
	gauge  func(h call.Handling, delta int)

	draining atomic.Bool
	aborting atomic.Bool

	mu      sync.Mutex
	clients map[netip.Addr]int // open connections, by the address of host.Network
	conns   map[*Conn]struct{} // accepted and not yet closed
	peak    int                // the most since Peak was called
	changed chan struct{}      // closed when a connection closes or the limits change; nil if nothing waits
}

// NewShared returns a Shared with the given limits. gauge is called whenever the
// number of connections handled in a way changes. Every open connection is handled
// in exactly one way. gauge must not call s.
func NewShared(lim Limits, gauge func(h call.Handling, delta int)) *Shared {
	s := &Shared{gauge: gauge, clients: make(map[netip.Addr]int), conns: make(map[*Conn]struct{})}
	s.SetLimits(lim)
	return s
}

// SetLimits changes the limits for new connections.
func (s *Shared) SetLimits(lim Limits) {
	s.limits.Store(&lim)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// Open returns how many accepted connections are not closed yet.
func (s *Shared) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Peak returns how many connections are open, and the most that were open since the
// last call.
func (s *Shared) Peak() (open, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, most = len(s.conns), s.peak
	s.peak = open
	return open, most
}

// retire asks the carriers of one listener's connections, including future ones, to
// end after their next answer.
func (s *Shared) retire(listener *atomic.Bool) {
	listener.Store(true)
	for _, c := range s.list() {
		if c.retiring == listener {
			c.notify(Carrier.Retire)
		}
	}
}

// Draining reports whether Drain was called.
func (s *Shared) Draining() bool { return s.draining.Load() }

// Drain asks every carrier, including future ones, to end as soon as nothing is in
// flight. It returns at once; see Wait. It cannot be undone.
func (s *Shared) Drain() {
	s.draining.Store(true)
	for _, c := range s.list() {
		c.notify(Carrier.Drain)
	}
}

// Abort asks every carrier, including future ones, to end now.
func (s *Shared) Abort() {
	s.aborting.Store(true)
	for _, c := range s.list() {
		c.notify(Carrier.Abort)
	}
}

// list returns the open connections.
func (s *Shared) list() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns))
}

// CloseAll resets every connection.
func (s *Shared) CloseAll() {
	for _, c := range s.list() {
		c.Reset()
	}
}

// Wait blocks until no connection is open or ctx is done, and returns how many
// are still open.
func (s *Shared) Wait(ctx context.Context) int {
	for {
		s.mu.Lock()
		changed, left := s.change(), len(s.conns)
		s.mu.Unlock()
		if left == 0 || ctx.Err() != nil {
			return left
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// change returns a channel that the next call of wake closes. The caller holds
// s.mu.
func (s *Shared) change() <-chan struct{} {
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// wake wakes everything that waits for a change. The caller holds s.mu.
func (s *Shared) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// enter counts a new connection, once there is room for it or ctx is done. Until
// then its listener accepts no other, and callers wait in the kernel's queue.
func (s *Shared) enter(ctx context.Context, c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.full() && ctx.Err() == nil {
		changed := s.change()
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
	}
	s.conns[c] = struct{}{}
	s.peak = max(s.peak, len(s.conns))
	s.gauge(call.Plain, 1) // until Show says otherwise
}

func (s *Shared) full() bool {
	limit := s.limits.Load().Connections
	return limit > 0 && len(s.conns) >= limit
}

// Show sets how the connection is handled from now on, and updates the gauge.
func (c *Conn) Show(h call.Handling) {
	s := c.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; !open || c.shown == h {
		return
	}
	s.gauge(c.shown, -1)
	s.gauge(h, 1)
	c.shown = h
}

// leave removes the connection from every count.
func (s *Shared) leave(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; !open {
		return
	}
	delete(s.conns, c)
	s.gauge(c.shown, -1)
	if c.network.IsValid() {
		if s.clients[c.network]--; s.clients[c.network] <= 0 {
			delete(s.clients, c.network)
		}
	}
	s.wake()
}

// countClient counts c for its client and returns "". If the client may have no
// more connections, it does not count c and returns why: the client has reached its
// limit, or few places are left and it already has its share.
func (s *Shared) countClient(c *Conn, client netip.Addr, lim Limits) (refused string) {
	key := host.Network(client).Addr()
	if !key.IsValid() {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, open := s.conns[c]; !open {
		return "" // already closed: leave would not undo the count
	}
	has := s.clients[key]
	switch {
	case lim.ConnectionsPerClient > 0 && has >= lim.ConnectionsPerClient:
		return detailPerClient
	case lim.Connections > 0 && len(s.conns) > lim.unreserved() && has >= max(1, lim.unreserved()/max(1, len(s.clients))):
		return detailShare
	}
	s.clients[key]++
	c.network = key
	return ""
}

// rejectTimeout returns how long to wait for a silent caller that is refused. It
// occupies a place, so the timeout shrinks with the reserved places that are free.
func (s *Shared) rejectTimeout() time.Duration {
	lim := s.limits.Load()
	reserve := lim.Connections - lim.unreserved()
	if reserve == 0 {
		return maxRejectTimeout
	}
	s.mu.Lock()
	free := lim.Connections - len(s.conns)
	s.mu.Unlock()
	if free >= reserve {
		return maxRejectTimeout
	}
	return max(minRejectTimeout, maxRejectTimeout*time.Duration(free)/time.Duration(reserve))
}
