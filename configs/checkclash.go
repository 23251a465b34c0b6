package configs

// checkClashes finds two things on one address.
func (l *loader) checkClashes(c *Config) {
	claims := claims{byHost: make(map[claim]string), byPort: make(map[uint16]string)}
	listen := func() {
		for i := range c.Listen {
			l.claim(&claims, listens.path(i)+".address", c.Listen[i].Address)
		}
	}
	admin := func() {
		l.claim(&claims, "admin.address", c.Admin.Address)
		l.claim(&claims, "admin.public", c.Admin.Public)
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

// claim is what one socket listens on; the host is "" for all addresses.
type claim struct {
	host string
	port uint16
}

// claims maps what is taken to the path of the key that took it.
type claims struct {
	byHost map[claim]string
	byPort map[uint16]string // the first one on each port
}

// claim takes an address for the key at path, or rejects it. A wildcard clashes
// with every other address on its port: Go binds it to all addresses of both
// families. Port 0 clashes with nothing.
func (l *loader) claim(all *claims, path, address string) {
	if address == "" || !l.sound(path) {
		return
	}
	host, port := endpoint(address)
	if port == 0 {
		return
	}
	other, taken := all.byHost[claim{host, port}]
	if !taken {
		other, taken = all.byHost[claim{"", port}]
	}
	if !taken && host == "" {
		other, taken = all.byPort[port]
	}
	if taken {
		l.reject(path, faultf("give each an address of its own", "%s is taken by %s", quoted(address), other))
		return
	}
	all.byHost[claim{host, port}] = path
	if _, first := all.byPort[port]; !first {
		all.byPort[port] = path
	}
}
