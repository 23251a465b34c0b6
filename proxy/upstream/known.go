package upstream

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"time"

	hosts "tlslift/proxy/host"
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
		known, err := hosts.Parse(name)
		if err != nil {
			continue
		}
		addrs, _, err := s.names.Lookup(ctx, known, func(netip.Addr) bool { return false })
		if err == nil && slices.Contains(addrs, addr) {
			return name, true
		}
	}
	known, ok := s.names.Known(addr, func(name hosts.Name) bool { return s.find(name.String()) != nil })
	return known.String(), ok
}
