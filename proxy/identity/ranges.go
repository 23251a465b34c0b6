package identity

import (
	"fmt"
	"net/netip"
	"slices"
)

// ranges maps addresses to names, longest prefix first. A lookup needs one probe per
// distinct prefix length.
type ranges struct {
	names map[netip.Prefix]string
	bits  []int // the distinct prefix lengths, longest first
}

// newRanges makes the ranges of a list. The prefixes must be masked, and IPv4 ranges
// must not be in their IPv4-mapped form.
func newRanges(list []Name) (r ranges, err error) {
	r.names = make(map[netip.Prefix]string)
	for _, n := range list {
		for _, p := range n.Match {
			if other, taken := r.names[p]; taken && other != n.Name {
				return r, fmt.Errorf("client %q: range %s already belongs to %q", n.Name, p, other)
			}
			r.names[p] = n.Name
			if !slices.Contains(r.bits, p.Bits()) {
				r.bits = append(r.bits, p.Bits())
			}
		}
	}
	slices.SortFunc(r.bits, func(a, b int) int { return b - a })
	return r, nil
}

func (r *ranges) find(addr netip.Addr) (string, bool) {
	for _, bits := range r.bits {
		if p, err := addr.Prefix(bits); err == nil {
			if name, ok := r.names[p]; ok {
				return name, true
			}
		}
	}
	return "", false
}
