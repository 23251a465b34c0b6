package names

import (
	"maps"
	"net/netip"
	"sync"
	"time"

	"tlslift/proxy/host"
)

const (
	// knownFor is how long an address counts as a name's after the name last had it.
	knownFor = 24 * time.Hour

	// An address is one entry, however many names lead to it, so names that a caller
	// invents do not displace what is known.
	maxKnown      = 1024 // addresses
	maxKnownNames = 8    // names of one address
)

// Known records which addresses the names of upstreams had in the last 24 hours. It
// outlives the Resolvers that fill it. The zero value is ready for use. It is safe
// for concurrent use.
type Known struct {
	mu        sync.Mutex
	addresses map[netip.Addr]map[host.Name]time.Time // when the name last had the address
}

// Sighting is an address that a name had.
type Sighting struct {
	Address netip.Addr `json:"address"`
	Name    string     `json:"name"`
	At      time.Time  `json:"at"`
}

// Find returns the name that an address belongs to, among those that wanted accepts.
// If there are several, it always returns the same one.
func (k *Known) Find(addr netip.Addr, now time.Time, wanted func(host.Name) bool) (found host.Name, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, at := range k.addresses[addr] {
		if now.Sub(at) < knownFor && wanted(name) && (!ok || name.String() < found.String()) {
			found, ok = name, true
		}
	}
	return found, ok
}

// All returns everything that is known, for Restore.
func (k *Known) All() (all []Sighting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for addr, names := range k.addresses {
		for name, at := range names {
			all = append(all, Sighting{addr, name.String(), at})
		}
	}
	return all
}

// Restore adds what another Known had.
func (k *Known) Restore(all []Sighting) {
	for _, s := range all {
		if name, err := host.Parse(s.Name); err == nil {
			k.note(name, []netip.Addr{s.Address}, s.At)
		}
	}
}

// note records the addresses that a name has.
func (k *Known) note(name host.Name, addrs []netip.Addr, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, addr := range addrs {
		names := k.addresses[addr]
		if names == nil {
			names = k.add(addr, now)
		}
		if _, had := names[name]; !had && len(names) >= maxKnownNames {
			forget(names, now)
		}
		if _, had := names[name]; had || len(names) < maxKnownNames {
			names[name] = now
		}
	}
}

// add adds an address. If there is no room, it drops the least recently seen address.
func (k *Known) add(addr netip.Addr, now time.Time) map[host.Name]time.Time {
	if k.addresses == nil {
		k.addresses = make(map[netip.Addr]map[host.Name]time.Time)
	}
	if len(k.addresses) >= maxKnown {
		var oldest netip.Addr
		seen := now
		for a, names := range k.addresses {
			if at := latest(names); !oldest.IsValid() || at.Before(seen) {
				oldest, seen = a, at
			}
		}
		delete(k.addresses, oldest)
	}
	k.addresses[addr] = make(map[host.Name]time.Time)
	return k.addresses[addr]
}

// forget drops the names that no longer have the address.
func forget(names map[host.Name]time.Time, now time.Time) {
	maps.DeleteFunc(names, func(_ host.Name, at time.Time) bool { return now.Sub(at) >= knownFor })
}

func latest(names map[host.Name]time.Time) (at time.Time) {
	for _, t := range names {
		if t.After(at) {
			at = t
		}
	}
	return at
}
