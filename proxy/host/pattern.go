package host

import (
	"net/netip"
	"strings"
)

// Pattern is a host, or *.domain for every name below the domain. Patterns can be
// compared with ==.
type Pattern struct {
	name Name
	wild bool
}

// ParsePattern parses a host or *.domain. The domain must be a DNS name.
func ParsePattern(s string) (Pattern, error) {
	domain, wild := strings.CutPrefix(s, "*.")
	n, err := Parse(domain)
	if err == nil && wild && n.ip {
		err = ErrHost
	}
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{name: n, wild: wild}, nil
}

// Exact returns the pattern that matches only n.
func Exact(n Name) Pattern { return Pattern{name: n} }

// String returns the pattern as written in the configuration, normalised.
func (p Pattern) String() string {
	if p.wild {
		return "*." + p.name.text
	}
	return p.name.text
}

// MarshalText implements encoding.TextMarshaler.
func (p Pattern) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Wild reports whether p matches every name below its domain.
func (p Pattern) Wild() bool { return p.wild }

// Domain returns the host of an exact pattern, or the domain of *.domain.
func (p Pattern) Domain() Name { return p.name }

// Matches reports whether n is the pattern's host, or is below its domain. The domain
// itself is not below it.
func (p Pattern) Matches(n Name) bool {
	if !p.wild {
		return p.name == n && n.text != ""
	}
	return !n.ip && len(n.text) > len(p.name.text)+1 &&
		strings.HasSuffix(n.text, p.name.text) && n.text[len(n.text)-len(p.name.text)-1] == '.'
}

// Set is a set of hosts: those that match Pattern, or the addresses in Prefix. The
// other field is zero.
type Set struct {
	Pattern Pattern
	Prefix  netip.Prefix
}

// Has reports whether n is in the set. It does not resolve names.
func (s Set) Has(n Name) bool {
	return s.Pattern.Matches(n) || n.IsAddr() && s.Prefix.Contains(n.Addr())
}

// Parents yields the domains above n, longest first: for a.b.c, b.c and then c. It
// yields nothing for an IP address.
func (n Name) Parents(yield func(Name) bool) {
	if n.ip {
		return
	}
	for rest := n.text; ; {
		i := strings.IndexByte(rest, '.')
		if i < 0 {
			return
		}
		rest = rest[i+1:]
		if !yield(Name{text: rest}) {
			return
		}
	}
}
