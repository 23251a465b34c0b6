package upstream

import (
	"cmp"
	"context"
	"maps"
	"sync"

	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/pool"
)

// maxPools limits the pools of one configured upstream: callers can invent names
// below a *.domain.
const maxPools = 256

// group holds what belongs to one configured upstream: its TLS settings and sessions,
// and a pool for each target. The group of foreign hosts has no pools. A group
// outlives snapshots.
type group struct {
	label string
	conf  Host
	tls   *dial.TLS

	mu      sync.Mutex
	pools   map[dial.Target]*member
	retired bool

	counting   sync.Mutex
	idle, busy int // connections, over all pools
}

type member struct {
	*pool.Pool
	hellos dial.Hellos
}

// port returns the port on which clients know the upstream.
func (g *group) port() uint16 { return cmp.Or(g.conf.Port, portHTTPS) }

// connections returns the pool of the route's target.
func (r *Route) connections() *pool.Pool {
	g := r.group
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.pools[r.target]
	if m == nil {
		m = new(member)
		m.Pool = pool.New(r.snapshot.background, g.options(r.snapshot, r.target, &m.hellos))
		g.add(r.target, m)
	}
	return m.Pool
}

// add registers a pool, and retires empty ones to make room. If there is no room, the
// new pool keeps nothing: a connection ends with its request.
func (g *group) add(t dial.Target, m *member) {
	if len(g.pools) >= maxPools {
		maps.DeleteFunc(g.pools, func(_ dial.Target, m *member) bool { return m.RetireEmpty() })
	}
	if g.retired || len(g.pools) >= maxPools {
		m.Retire()
		return
	}
	g.pools[t] = m
}

func (g *group) options(s *Snapshot, t dial.Target, hellos *dial.Hellos) pool.Options {
	return pool.Options{
		Dial: func(ctx context.Context) (*dial.Conn, error) {
			return s.dialer.Connect(ctx, t, g.label, g.tls, hellos)
		},
		Warm: s.opts.Warm, Most: s.opts.MaxConns, Idle: s.opts.IdleTimeout, Wait: s.opts.DialTimeout,
		Sum: g.sum,
		Count: func(idle, busy int) {
			g.counting.Lock()
			defer g.counting.Unlock()
			g.idle, g.busy = g.idle+idle, g.busy+busy
			s.opts.Observer.Pool(g.label, g.idle, g.busy)
		},
	}
}

// sum returns the number of connections in all pools.
func (g *group) sum() int {
	g.counting.Lock()
	defer g.counting.Unlock()
	return g.idle + g.busy
}

func (g *group) each(f func(*pool.Pool)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.pools {
		f(m.Pool)
	}
}

func (g *group) configure(s *Snapshot) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for t, m := range g.pools {
		m.Configure(g.options(s, t, &m.hellos))
	}
}

// retire closes the idle connections, and those in use when they come back.
func (g *group) retire() {
	g.mu.Lock()
	g.retired = true
	g.mu.Unlock()
	g.each((*pool.Pool).Retire)
}
