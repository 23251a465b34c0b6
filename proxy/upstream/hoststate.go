package upstream

import (
	"cmp"
	"sync"
	"sync/atomic"

	"tlslift/proxy/host"
)

const (
	// maxRoutes bounds the routes kept for one *.domain; callers can invent
	// names. Those beyond are made anew for each request.
	maxRoutes = 1024
	// maxPools bounds the pools of one configured host. A host beyond that
	// gets a connection of its own for each request.
	maxPools = 1024
)

// hostState is what belongs to one configured upstream: its TLS settings and
// sessions, and a pool for each host that its pattern stands for.
type hostState struct {
	t     *Transport
	label string // Pattern, or LabelOther
	conf  Host
	tls   tlsConfigs

	// Routes made from conf.
	routeMu sync.RWMutex
	routes  map[host.Name]*Route
	// exempt from the guard: internal addresses are allowed.
	allowInternal bool

	mu      sync.Mutex
	pools   map[poolKey]*pool
	retired bool // replaced by a reload, or closed: nothing is kept any more

	idle, busy atomic.Int64  // connections, over all pools
	reported   atomic.Uint64 // what the observer was told last
}

func newHostState(t *Transport, label string, conf Host, o *Options) *hostState {
	return &hostState{
		t: t, label: label, conf: conf, tls: newTLSConfigs(&conf, o.MinTLS), allowInternal: o.AllowInternal,
		routes: make(map[host.Name]*Route), pools: make(map[poolKey]*pool),
	}
}

// route returns the route of a host that the pattern matches.
func (h *hostState) route(name host.Name) *Route {
	h.routeMu.RLock()
	r := h.routes[name]
	h.routeMu.RUnlock()
	if r != nil {
		return r
	}
	r = h.makeRoute(name)
	h.routeMu.Lock()
	defer h.routeMu.Unlock()
	if other := h.routes[name]; other != nil {
		return other
	}
	if len(h.routes) < maxRoutes {
		h.routes[name] = r
	}
	return r
}

func (h *hostState) makeRoute(asked host.Name) *Route {
	name := cmp.Or(h.conf.To, asked)
	port, header := h.conf.Port, h.conf.Port
	if port == 0 || port == portHTTPS {
		port, header = portHTTPS, 0
	}
	r := &Route{
		Label: h.label, Host: asked, DialHost: name, Port: port, ServerName: name,
		HostHeader: name.Join(header), tunnelPort: port, exempt: h.allowInternal, host: h,
	}
	if !h.conf.Address.IsZero() {
		r.DialHost, r.Port = h.conf.Address, cmp.Or(h.conf.AddressPort, port)
		r.exempt, r.asSystem = true, true
	}
	return r
}

// poolFor returns the pool of r, which is made if need be.
func (h *hostState) poolFor(r *Route) *pool {
	if p := r.pool.Load(); p != nil && !p.gone.Load() {
		return p
	}
	key := r.key()
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pools[key]
	if p == nil {
		p = newPool(h, r)
		if h.retired || len(h.pools) >= maxPools {
			p.oneShot = true
			return p
		}
		h.pools[key] = p
	}
	r.pool.Store(p)
	return p
}

// drop forgets a pool, unless it has come to use again.
func (h *hostState) drop(p *pool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == 0 && p.waiters.Len() == 0 {
		p.gone.Store(true)
		delete(h.pools, p.route.key())
	}
}

// eachPool calls f for every pool, without holding a lock.
func (h *hostState) eachPool(f func(*pool)) {
	h.mu.Lock()
	pools := make([]*pool, 0, len(h.pools))
	for _, p := range h.pools {
		pools = append(pools, p)
	}
	h.mu.Unlock()
	for _, p := range pools {
		f(p)
	}
}

// retire ends the keeping of connections; those in use are closed when they
// come back.
func (h *hostState) retire() {
	h.mu.Lock()
	h.retired = true
	h.mu.Unlock()
	h.eachPool((*pool).retire)
}

// report tells the observer how many connections there are, if that changed.
func (h *hostState) report() {
	idle, busy := h.idle.Load(), h.busy.Load()
	both := uint64(uint32(idle))<<32 | uint64(uint32(busy))
	if h.reported.Swap(both) != both {
		h.t.state.Load().opts.Observer.Pool(h.label, int(idle), int(busy))
	}
}
