// Package names resolves host names to addresses.
//
// The names of configured upstreams are absolute. They are looked up in the hosts
// file, without the entries that lead to this machine (those send the legacy
// application to tlslift), then in DNS. Go's own resolver always reads the whole
// hosts file, and lets a server that is down use up all of a caller's time, so this
// package queries DNS itself. All other names (foreign hosts, a parent proxy,
// configured addresses) are resolved as any program does it: from the whole hosts
// file, then from the same servers with the search list, and last by the system's
// resolver, which may know more.
//
// If there is neither a resolv.conf nor a configured server, as on Windows, the
// system's resolver answers for upstreams too. If the hosts file has the name, it
// does not query DNS. So a name that the hosts file points to this machine needs
// configured servers.
package names

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"tlslift/proxy/contain"
	"tlslift/proxy/host"
)

const (
	minTTL      = time.Second
	maxTTL      = time.Hour
	maxNegative = 30 * time.Second
	partialTTL  = 30 * time.Second // one family of addresses is missing
	systemTTL   = 30 * time.Second // the system's resolver gives no TTL

	lookupTimeout = 5 * time.Second
	maxNames      = 1024

	// While DNS fails, an expired answer is used for staleFor. A caller waits
	// staleWait for a new one. After a failure, DNS is queried again after staleRetry
	// (RFC 8767 section 5).
	staleFor   = 5 * time.Minute
	staleWait  = time.Second
	staleRetry = 2 * time.Second
)

// ErrNoAddress means that a name does not exist or has no address.
var ErrNoAddress = errors.New("the name has no address")

var errHere = errors.New("the system's resolver: the hosts file leads the name to this machine")

// LookupError says why a name has no addresses, or none that are known.
type LookupError struct {
	Name host.Name
	Err  error // from each source, in order; contains ErrNoAddress if one answered so
}

func (e *LookupError) Error() string { return "look up " + e.Name.String() + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *LookupError) Unwrap() error { return e.Err }

// inTurn holds the errors of sources that were asked one after the other.
type inTurn []error

func (all inTurn) Error() string {
	texts := make([]string, len(all))
	for i, err := range all {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (all inTurn) Unwrap() []error { return all }

// Options configures a Resolver. Logger, Now and Known must be set. Other zero values
// mean the system's.
type Options struct {
	Servers    []string // "address:port"; none = those of resolv.conf
	HostsFile  string
	ResolvConf string

	Logger *zap.Logger
	Now    func() time.Time
	Dial   func(ctx context.Context, network, address string) (net.Conn, error) // "udp" or "tcp", to a DNS server
	System func(ctx context.Context, name string) ([]netip.Addr, error)         // the system's resolver
	Local  func() map[netip.Addr]bool                                           // this machine's addresses
	Known  *Known                                                               // records what Lookup finds
}

// Resolver resolves names and caches the answers for their TTL. It is safe for
// concurrent use.
type Resolver struct {
	Options
	ctx     context.Context
	hosts   file[map[host.Name][]netip.Addr]
	conf    file[resolvConf]
	flights singleflight.Group
	good    atomic.Int32 // index of the server that answered last

	mu    sync.Mutex
	cache map[host.Name]*entry
}

// entry is what is known about a name. It is immutable.
type entry struct {
	records
	expires time.Time // when to query again
	stale   time.Time // until when it may be used while DNS fails
}

// New makes a Resolver. Queries in flight end with ctx.
func New(ctx context.Context, o Options) *Resolver {
	o.HostsFile = cmp.Or(o.HostsFile, systemHostsFile())
	o.ResolvConf = cmp.Or(o.ResolvConf, "/etc/resolv.conf")
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	if o.System == nil {
		o.System = func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		}
	}
	if o.Local == nil {
		o.Local = InterfaceAddrs
	}
	return &Resolver{Options: o, ctx: ctx, cache: make(map[host.Name]*entry)}
}

// Lookup resolves the name of an upstream, and records its addresses in Known. In the
// hosts file, it ignores this machine's addresses and those that own reports. The
// result is in the order to try, and must not be changed. cached means that no server
// was queried. The error is a *LookupError.
func (r *Resolver) Lookup(ctx context.Context, name host.Name, own func(netip.Addr) bool) (addrs []netip.Addr, cached bool, err error) {
	addrs, cached = r.elsewhere(name, own), true
	if len(addrs) == 0 {
		addrs, cached, err = r.lookupDNS(ctx, name)
	}
	if err != nil {
		return nil, cached, &LookupError{name, err}
	}
	r.Known.note(name, addrs, r.Now())
	return addrs, cached, nil
}

// elsewhere returns the hosts file's addresses for a name, without this machine's.
func (r *Resolver) elsewhere(name host.Name, own func(netip.Addr) bool) []netip.Addr {
	all := r.inHosts(name)
	if len(all) == 0 {
		return nil
	}
	local := r.Local()
	return slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool {
		return a.IsLoopback() || a.IsUnspecified() || own(a) || local[a]
	})
}

// LookupSystem resolves a name as any program on this machine does: from the hosts
// file, then from the servers with the search list. It asks the system's resolver if
// they fail, or have not answered within half of lookupTimeout; their later answer
// still counts. The error is a *LookupError.
func (r *Resolver) LookupSystem(ctx context.Context, name host.Name) (addrs []netip.Addr, cached bool, err error) {
	var failed inTurn
	half, cancel := context.WithTimeout(ctx, lookupTimeout/2)
	defer cancel()
	if len(r.servers()) > 0 {
		if addrs = r.inHosts(name); len(addrs) > 0 {
			return addrs, true, nil
		}
		if addrs, cached, err = r.search(half, name); err == nil {
			return addrs, cached, nil
		}
		if failed = append(failed, err); ctx.Err() != nil { // no time for the system's resolver
			return nil, cached, &LookupError{name, failed}
		}
	}
	late := len(failed) > 0 && half.Err() != nil
	rec := r.system(ctx, name.String())
	if rec.err == nil {
		return rec.addrs, false, nil
	}
	if late {
		if addrs, cached, failed[0] = r.search(ctx, name); failed[0] == nil {
			return addrs, cached, nil
		}
	}
	return nil, false, &LookupError{name, append(failed, rec.err)}
}

// search looks up a name with the search list until it finds an address. It stops at
// a failure: the name that failed may be the right one.
func (r *Resolver) search(ctx context.Context, name host.Name) (addrs []netip.Addr, cached bool, err error) {
	for _, candidate := range r.resolvConf().candidates(name) {
		if addrs, cached, err = r.lookupDNS(ctx, candidate); !errors.Is(err, ErrNoAddress) {
			break
		}
	}
	return addrs, cached, err
}

func (r *Resolver) inHosts(name host.Name) []netip.Addr {
	return r.hosts.get(r.HostsFile, parseHosts, r.Now())[name]
}

// lookupDNS answers from the cache, or queries once for all waiting callers. If the
// query takes long, a caller uses an expired answer that is not stale, and so do
// later callers until the new one comes.
func (r *Resolver) lookupDNS(ctx context.Context, name host.Name) ([]netip.Addr, bool, error) {
	r.mu.Lock()
	e := r.cache[name]
	r.mu.Unlock()
	now := r.Now()
	if e != nil && now.Before(e.expires) {
		return e.addrs, true, e.err
	}
	flight := r.flights.DoChan(name.String(), func() (any, error) { return r.refresh(name, e), nil })
	var late <-chan time.Time
	if e != nil && now.Before(e.stale) {
		timer := time.NewTimer(staleWait)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case result := <-flight:
		e = result.Val.(*entry)
		return e.addrs, false, e.err
	case <-late:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.cache[name] == e {
			r.cache[name] = &entry{records: e.records, expires: r.Now().Add(lookupTimeout), stale: e.stale}
		}
		return e.addrs, false, nil
	case <-ctx.Done():
		return nil, false, silent(r.servers()...)
	}
}

// refresh queries a name and caches the answer. While DNS fails, an expired answer
// stays in place until it is stale.
func (r *Resolver) refresh(name host.Name, old *entry) *entry {
	if old == nil {
		old = new(entry)
	}
	ctx, cancel := context.WithTimeout(r.ctx, lookupTimeout)
	defer cancel()
	rec := r.contained(func() records { return r.ask(ctx, name) })
	now := r.Now()
	e := &entry{records: rec, expires: now.Add(rec.ttl)}
	switch {
	case rec.err == nil:
		e.stale = e.expires.Add(staleFor)
	case !errors.Is(rec.err, ErrNoAddress) && now.Before(old.stale):
		e.records, e.expires, e.stale = old.records, now.Add(staleRetry), old.stale
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxNames {
		maps.DeleteFunc(r.cache, func(_ host.Name, e *entry) bool { return now.After(e.expires) && now.After(e.stale) })
	}
	if len(r.cache) >= maxNames {
		clear(r.cache)
	}
	r.cache[name] = e
	return e
}

// contained returns f's result, or an error if f panics. No caller of f could recover
// from that.
func (r *Resolver) contained(f func() records) (rec records) {
	err := contain.Do(r.Logger, "name resolution", func() error { rec = f(); return nil })
	if err != nil {
		return records{ttl: minTTL, err: err}
	}
	return rec
}

// servers returns the servers configured now, or none if only the system knows them.
func (r *Resolver) servers() []string {
	if len(r.Servers) > 0 {
		return r.Servers
	}
	return r.resolvConf().servers
}

func (r *Resolver) resolvConf() resolvConf {
	return r.conf.get(r.ResolvConf, parseResolvConf, r.Now())
}

// ask queries the servers configured now, or else the system's resolver. That reads
// the hosts file too, but those addresses do not count, because they lead to this
// machine.
func (r *Resolver) ask(ctx context.Context, name host.Name) records {
	if servers := r.servers(); len(servers) > 0 {
		return r.query(ctx, servers, name)
	}
	rec := r.system(ctx, name.String()+".")
	here := r.inHosts(name)
	rec.addrs = slices.DeleteFunc(rec.addrs, func(a netip.Addr) bool { return slices.Contains(here, a) })
	if rec.err == nil && len(rec.addrs) == 0 {
		return records{ttl: minTTL, err: errHere}
	}
	return rec
}

func (r *Resolver) system(ctx context.Context, name string) records {
	addrs, err := r.System(ctx, name)
	if err == nil && len(addrs) == 0 {
		err = ErrNoAddress
	}
	if err != nil {
		return records{ttl: minTTL, err: fmt.Errorf("the system's resolver: %w", err)}
	}
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return records{addrs: sorted(addrs), ttl: systemTTL}
}

// sorted puts IPv4 first: the networks of legacy hosts certainly have it.
func sorted(addrs []netip.Addr) []netip.Addr {
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() })
	return addrs
}

// InterfaceAddrs returns the addresses of this machine's interfaces, or none if the
// system does not say.
func InterfaceAddrs() map[netip.Addr]bool {
	all, _ := net.InterfaceAddrs()
	addrs := make(map[netip.Addr]bool, len(all))
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs[p.Addr().Unmap()] = true
		}
	}
	return addrs
}
