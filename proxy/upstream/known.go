package upstream

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// knownWait bounds the look-ups of KnownHost.
const knownWait = 2 * time.Second

// KnownHost tells which upstream an address belongs to: for callers that were
// redirected to us by the kernel and name no host. Hosts that are configured by
// name are looked up if they were not yet; of a *.domain only the names that
// were used are known.
func (t *Transport) KnownHost(addr netip.Addr) (host string, ok bool) {
	s := t.state.Load()
	addr = addr.Unmap().WithZone("")
	ctx, cancel := context.WithTimeout(t.ctx, knownWait)
	defer cancel()
	for _, name := range slices.Sorted(maps.Keys(s.exact)) { // of several at one address always the same
		r := s.exact[name]
		if r.DialHost != name {
			if a, err := netip.ParseAddr(r.DialHost); err == nil && a.Unmap() == addr {
				return name, true
			}
			continue
		}
		ans, err := s.names.lookup(ctx, name, false, func(netip.Addr) bool { return false })
		if err == nil && slices.Contains(ans.addrs, addr) {
			return name, true
		}
	}
	return s.names.find(addr, func(name string) bool { return s.wildcard(name) != nil })
}

// find looks for an address among the names that were resolved and that wanted
// accepts.
func (r *resolver) find(addr netip.Addr, wanted func(string) bool) (host string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, entry := range r.names {
		known := strings.TrimSuffix(name, ".")
		if slices.Contains(entry.addrs, addr) && wanted(known) && (!ok || known < host) {
			host, ok = known, true
		}
	}
	return host, ok
}
