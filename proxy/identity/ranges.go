package identity

import (
	"fmt"
	"net/netip"
	"slices"
)

// ranges maps addresses to names, longest prefix first. One map per prefix
// length keeps the look-up at as many probes as there are distinct lengths.
type ranges struct {
	v4, v6 []level
}

type level struct {
	bits  int
	names map[netip.Prefix]string
}

func (r *ranges) add(n Name) error {
	for _, p := range n.Match {
		p, err := unmapPrefix(p)
		if err != nil {
			return fmt.Errorf("client %q: %w", n.Name, err)
		}
		family := &r.v6
		if p.Addr().Is4() {
			family = &r.v4
		}
		i := slices.IndexFunc(*family, func(l level) bool { return l.bits == p.Bits() })
		if i < 0 {
			*family = append(*family, level{bits: p.Bits(), names: make(map[netip.Prefix]string)})
			i = len(*family) - 1
		}
		if other, taken := (*family)[i].names[p]; taken && other != n.Name {
			return fmt.Errorf("client %q: range %s already belongs to %q", n.Name, p, other)
		}
		(*family)[i].names[p] = n.Name
	}
	return nil
}

func (r *ranges) sort() {
	longestFirst := func(a, b level) int { return b.bits - a.bits }
	slices.SortFunc(r.v4, longestFirst)
	slices.SortFunc(r.v6, longestFirst)
}

func (r *ranges) find(addr netip.Addr) (string, bool) {
	if !addr.IsValid() {
		return "", false
	}
	levels := r.v6
	if addr.Is4() {
		levels = r.v4
	}
	for i := range levels {
		p, err := addr.Prefix(levels[i].bits)
		if err != nil {
			continue
		}
		if name, ok := levels[i].names[p]; ok {
			return name, true
		}
	}
	return "", false
}

// unmapPrefix masks p and turns an IPv4-mapped range (::ffff:10.0.0.0/104)
// into the IPv4 range it means.
func unmapPrefix(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() {
		return p, fmt.Errorf("range is not valid")
	}
	addr, bits := p.Addr().WithZone(""), p.Bits()
	if addr.Is4In6() {
		if bits < 96 {
			return p, fmt.Errorf("range %s holds more than the IPv4-mapped addresses", p)
		}
		addr, bits = addr.Unmap(), bits-96
	}
	return netip.PrefixFrom(addr, bits).Masked(), nil
}
