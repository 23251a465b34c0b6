package upstream

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	"tlslift/proxy/host"
)

// knownWait bounds the look-ups of KnownHost.
const knownWait = 2 * time.Second

// KnownHost finds the upstream that an address belongs to, or belonged to in
// the last 24 hours: for callers that were redirected here by the kernel and
// name no host. Hosts that are configured by name are looked up if they were
// not yet; of a *.domain only the names that were used are known.
func (t *Transport) KnownHost(addr netip.Addr) (host.Name, bool) {
	s := t.state.Load()
	addr = addr.Unmap().WithZone("")
	ctx, cancel := context.WithTimeout(t.ctx, knownWait)
	defer cancel()
	byName := func(a, b host.Name) int { return cmp.Compare(a.String(), b.String()) }
	for _, name := range slices.SortedFunc(maps.Keys(s.exact), byName) { // of several always the same
		if r := s.exact[name]; r.DialHost != name {
			if r.DialHost == host.OfAddr(addr) {
				return name, true
			}
			continue
		}
		addrs, _, err := s.names.Lookup(ctx, name, func(netip.Addr) bool { return false })
		if err == nil && slices.Contains(addrs, addr) {
			return name, true
		}
	}
	return s.names.Known(addr, func(name host.Name) bool { return s.find(name) != nil })
}
