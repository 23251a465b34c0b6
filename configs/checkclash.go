package configs

import "net/netip"

// checkClashes finds two things on one address.
func (l *loader) checkClashes(c *Config) {
	claims := make(claims)
	listen := func() {
		for i := range c.Listen {
			l.claim(claims, listens.path(i)+".address", c.Listen[i].Address)
		}
	}
	admin := func() {
		l.claim(claims, "admin.address", c.Admin.Address)
		l.claim(claims, "admin.public", c.Admin.Public)
	}
	// The problem is told of the later one: of the listener, if it was given.
	if _, given := l.origins["listen"]; given {
		admin()
		listen()
	} else {
		listen()
		admin()
	}
}

// claim is what one socket listens on.
type claim struct {
	host string // as endpoint has it
	path string // of the key that took it
}

// claims are what is taken, by port.
type claims map[uint16][]claim

// claim takes an address for the key at path, or rejects it. Port 0 clashes with
// nothing.
func (l *loader) claim(all claims, path, address string) {
	if address == "" || !l.sound(path) {
		return
	}
	host, port := endpoint(address)
	if port == 0 {
		return
	}
	for _, other := range all[port] {
		if clash(host, other.host) {
			l.reject(path, faultf("give each an address of its own", "%s is taken by %s", quoted(address), other.path))
			return
		}
	}
	all[port] = append(all[port], claim{host, path})
}

// clash reports whether two endpoints on one port share an address: the wildcard
// of both families with every other, that of IPv4 with all but IPv6 literals.
func clash(a, b string) bool {
	return a == b || a == "" || b == "" || a == anyIPv4 && !isIPv6(b) || b == anyIPv4 && !isIPv6(a)
}

func isIPv6(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is6()
}
