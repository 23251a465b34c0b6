package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// farewell is how long before the deadline those still in flight are told: each
// gets a complete 504 that says its delivery is unknown.
const farewell = time.Second

// Shutdown stops accepting, lets what is in flight finish, closes idle
// connections, and cuts what is left shortly before ctx ends. It returns how
// many requests and tunnels were cut.
func (s *Server) Shutdown(ctx context.Context) int {
	patient, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		patient, cancel = context.WithDeadline(ctx, deadline.Add(-min(farewell, left/4)))
	}
	defer cancel()

	s.draining.Store(true)
	s.shut()
	s.shared.Drain(lastCall)
	s.relays.drain()
	s.greetings.hurry()
	left := s.shared.Wait(patient)
	cut := 0
	if left > 0 {
		cut = int(s.active.Load()) + s.relays.len()
		s.cut() // whoever is in flight gets 504 unknown
		s.shared.AbortBodies()
		s.relays.closeAll()
		last, done := context.WithTimeout(context.WithoutCancel(ctx), s.farewellFor(ctx))
		s.shared.Wait(last)
		done()
		s.shared.CloseAll()
	}
	s.accepting.Wait()
	s.cut()
	_ = s.inner.Close()
	_ = s.handoff.Close()
	s.tunnels.Wait()
	s.transport.Close()
	return cut
}

// farewellFor is how long the last answers may take: what is left of the
// deadline, and a little even when a second signal has ended the patience.
func (s *Server) farewellFor(ctx context.Context) time.Duration {
	const least = 250 * time.Millisecond
	deadline, ok := ctx.Deadline()
	if !ok || ctx.Err() != nil {
		return least
	}
	return max(least, min(farewell, time.Until(deadline)))
}

// lastCall is how long a connection may still bring a request that was on its
// way when the drain began.
const lastCall = 50 * time.Millisecond

// relaySet knows the tunnels that are being relayed.
type relaySet struct {
	mu       sync.Mutex
	open     map[*pair]struct{}
	draining bool
}

func (r *relaySet) add(p *pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[*pair]struct{})
	}
	r.open[p] = struct{}{}
	if r.draining {
		p.drain()
	}
}

func (r *relaySet) remove(p *pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, p)
}

func (r *relaySet) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// drain lets every relay end as soon as it looks idle.
func (r *relaySet) drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
	for p := range r.open {
		p.drain()
	}
}

func (r *relaySet) closeAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range r.open {
		p.close()
	}
}

// greetingSet knows the connections on which a hello is awaited or a handshake
// under way.
type greetingSet struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

// add keeps a connection until done is called.
func (g *greetingSet) add(c net.Conn) (done func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = make(map[net.Conn]struct{})
	}
	g.open[c] = struct{}{}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.open, c)
	}
}

// hurry closes, a second from now, whatever is still greeting: nobody there has
// sent a request yet.
func (g *greetingSet) hurry() {
	time.AfterFunc(quiet, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for c := range g.open {
			c.Close()
		}
	})
}

// localAddrs knows the addresses of this host's interfaces, asked for at most
// every half minute.
type localAddrs struct {
	mu    sync.Mutex
	asked time.Time
	addrs map[netip.Addr]struct{}
}

// covers reports whether a listener bound to bound is reached at ap.
func (l *localAddrs) covers(bound, ap netip.AddrPort) bool {
	if bound.Port() != ap.Port() {
		return false
	}
	if !bound.Addr().IsUnspecified() {
		return bound.Addr() == ap.Addr()
	}
	return ap.Addr().IsLoopback() || ap.Addr().IsUnspecified() || l.has(ap.Addr())
}

func (l *localAddrs) has(addr netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addrs == nil || time.Since(l.asked) > 30*time.Second {
		l.asked = time.Now()
		l.addrs = make(map[netip.Addr]struct{})
		list, _ := net.InterfaceAddrs()
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					l.addrs[addr.Unmap()] = struct{}{}
				}
			}
		}
	}
	_, ok := l.addrs[addr]
	return ok
}

// addrPort reads a listener's or connection's address.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
