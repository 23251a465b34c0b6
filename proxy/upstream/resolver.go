package upstream

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	minTTL      = time.Second
	maxTTL      = time.Hour
	maxNegative = 30 * time.Second
	partialTTL  = 30 * time.Second // one family of addresses is missing
	systemTTL   = 30 * time.Second // the system's resolver tells no TTL

	// staleFor is how long after its end an answer serves when DNS fails, and
	// staleWait how long DNS is waited for then (RFC 8767 4).
	staleFor   = 5 * time.Minute
	staleWait  = time.Second
	staleRetry = 2 * time.Second

	lookupTimeout = 5 * time.Second
	maxNames      = 1024
)

// resolver turns names into addresses. Names of configured upstreams are
// absolute, looked up in the hosts file without the entries that lead back
// here, then in DNS. Other names (foreign hosts, parent proxy, configured
// addresses) are resolved as the system would, search list included, after
// the configured DNS servers if there are any.
//
// Where there is no resolv.conf and no server is configured, as on Windows,
// the system's resolver answers for upstreams too; it reads the hosts file by
// itself, so a name pointed at this machine there needs configured servers.
type resolver struct {
	ctx      context.Context
	now      func() time.Time
	servers  []string // configured; empty = resolv.conf
	conf     *watchedFile[[]string]
	hosts    *watchedFile[hostsTable]
	ownAddrs func() []netip.Addr // of this machine's interfaces
	system   func(ctx context.Context, name string) ([]netip.Addr, error)
	flights  singleflight.Group

	mu    sync.Mutex
	names map[string]*nameEntry
	good  int // index of the server that answered last
}

// nameEntry is what DNS said of a name.
type nameEntry struct {
	addrs   []netip.Addr
	err     error // no such name, or no address
	expires time.Time
	stale   time.Time // may serve until then when DNS fails
	uses    uint      // for rotation
}

// answer is the result of a lookup.
type answer struct {
	addrs  []netip.Addr // in the order to try them
	cached bool         // no question was asked
}

func newResolver(ctx context.Context, o *Options, now func() time.Time) *resolver {
	r := &resolver{ctx: ctx, now: now, names: make(map[string]*nameEntry), ownAddrs: interfaceAddrs}
	for _, s := range o.DNSServers {
		if ap, err := parseServer(s); err == nil { // validated with the options
			r.servers = append(r.servers, ap)
		}
	}
	hosts, conf := o.HostsFile, o.ResolvConf
	if hosts == "" {
		hosts = systemHostsFile()
	}
	if conf == "" {
		conf = "/etc/resolv.conf"
	}
	r.hosts = newWatchedFile(hosts, parseHosts)
	r.conf = newWatchedFile(conf, parseResolvConf)
	r.system = func(ctx context.Context, name string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return r
}

// lookup resolves a name that is no IP address. skip reports addresses that an
// entry of the hosts file is ignored for.
func (r *resolver) lookup(ctx context.Context, name string, asSystem bool, skip func(netip.Addr) bool) (answer, error) {
	if asSystem && len(r.servers) == 0 {
		return r.lookupSystem(ctx, name)
	}
	if addrs := r.fromHosts(name, asSystem, skip); len(addrs) > 0 {
		return answer{addrs: addrs, cached: true}, nil
	}
	ans, err := r.lookupDNS(ctx, name)
	if err != nil && asSystem {
		return r.lookupSystem(ctx, name)
	}
	return ans, err
}

func (r *resolver) lookupSystem(ctx context.Context, name string) (answer, error) {
	addrs, err := r.system(ctx, name)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return answer{addrs: order(addrs, 0)}, err
}

// fromHosts returns the hosts file's addresses. For an upstream's own name
// those that lead to this machine are left out: they are there to send the
// legacy application to us.
func (r *resolver) fromHosts(name string, asSystem bool, skip func(netip.Addr) bool) []netip.Addr {
	all := r.hosts.get(r.now())[name]
	if len(all) == 0 || asSystem {
		return order(all, 0)
	}
	own := r.ownAddrs()
	var addrs []netip.Addr
next:
	for _, a := range all {
		if a.IsLoopback() || a.IsUnspecified() || skip(a) {
			continue
		}
		for _, o := range own {
			if a == o {
				continue next
			}
		}
		addrs = append(addrs, a)
	}
	return order(addrs, 0)
}

// lookupDNS answers from what is known, else asks, once for all who wait.
func (r *resolver) lookupDNS(ctx context.Context, name string) (answer, error) {
	if ans, ok, err := r.known(name, false); ok {
		return ans, err
	}
	var stale <-chan time.Time
	if _, ok, _ := r.known(name, true); ok {
		t := time.NewTimer(staleWait)
		defer t.Stop()
		stale = t.C
	}
	done := r.flights.DoChan(name, func() (any, error) {
		r.refresh(name)
		return nil, nil
	})
	select {
	case <-done:
	case <-stale:
	case <-ctx.Done():
	}
	if ans, ok, err := r.known(name, true); ok {
		ans.cached = false
		return ans, err
	}
	if ctx.Err() != nil {
		return answer{}, errors.New("no answer from DNS in time")
	}
	return answer{}, errors.New("DNS failed") // the entry was evicted at once
}

// known returns what is known of a name; with stale, even what has expired.
func (r *resolver) known(name string, stale bool) (ans answer, ok bool, err error) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.names[name]
	if e == nil || !now.Before(e.expires) && (!stale || !now.Before(e.stale)) {
		return answer{}, false, nil
	}
	if e.err != nil {
		return answer{cached: true}, true, e.err
	}
	e.uses++
	return answer{addrs: order(e.addrs, e.uses-1), cached: true}, true, nil
}

// refresh asks DNS and remembers the outcome.
func (r *resolver) refresh(name string) {
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	addrs, ttl, err := r.ask(ctx, name)
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.names[name]
	e := &nameEntry{addrs: addrs, err: err, expires: now.Add(ttl)}
	if old != nil {
		e.uses = old.uses
	}
	var failed *dnsFailure
	switch {
	case err == nil:
		e.stale = e.expires.Add(staleFor)
	case errors.As(err, &failed) && old != nil && old.err == nil && now.Before(old.stale):
		e.addrs, e.err = old.addrs, nil
		e.expires, e.stale = now.Add(staleRetry), old.stale
	default:
		e.stale = e.expires
	}
	if old == nil && len(r.names) >= maxNames {
		r.evict(now)
	}
	r.names[name] = e
}

// evict makes room: everything that has expired, or anything.
func (r *resolver) evict(now time.Time) {
	for name, e := range r.names {
		if !now.Before(e.stale) {
			delete(r.names, name)
		}
	}
	for name := range r.names {
		if len(r.names) < maxNames {
			return
		}
		delete(r.names, name)
	}
}

// ask puts the question to the servers that are configured now.
func (r *resolver) ask(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	servers := r.servers
	if len(servers) == 0 {
		servers = r.conf.get(r.now())
	}
	if len(servers) > 0 {
		return r.query(ctx, servers, name)
	}
	ans, err := r.lookupSystem(ctx, name+".")
	if err != nil {
		return nil, minTTL, &dnsFailure{err}
	}
	return ans.addrs, systemTTL, nil
}

// order returns the addresses to try, best first, IPv4 and IPv6 in turns.
// IPv4 comes first: it is what the networks of legacy hosts surely have. turn
// rotates each family, so that connections spread over a server's addresses.
func order(addrs []netip.Addr, turn uint) []netip.Addr {
	if len(addrs) < 2 {
		return addrs
	}
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		if a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	out := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(v4), len(v6)) {
		if i < len(v4) {
			out = append(out, v4[(uint(i)+turn)%uint(len(v4))])
		}
		if i < len(v6) {
			out = append(out, v6[(uint(i)+turn)%uint(len(v6))])
		}
	}
	return out
}

// interfaceAddrs returns this machine's own addresses.
func interfaceAddrs() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var addrs []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs = append(addrs, p.Addr().Unmap())
		}
	}
	return addrs
}
