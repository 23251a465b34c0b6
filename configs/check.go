package configs

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"tlslift/proxy/host"
)

// check finds what is wrong between keys that are each right in themselves. A
// default that is written out gives way like one that is not.
func (l *loader) check(c *Config) {
	l.checkListen(c)
	l.checkClashes(c)
	l.checkAdmin(&c.Admin)
	l.checkParentProxy(&c.Upstream)
	l.checkLegacy(&c.LegacyTLS)
	l.checkUsers(c)
	l.checkDrain(&c.Limits)
	l.checkState(c)
	all := c.fields()
	l.checkOnce(all)
	l.checkNeighbours(all)
}

// checkNeighbours holds keys to another key of their section: the one without
// which they have no effect, and the one whose value they may not exceed. A
// default follows that.
func (l *loader) checkNeighbours(all []field) {
	values := make(map[string]reflect.Value, len(all))
	for _, f := range all {
		values[f.at] = f.value
	}
	for _, f := range all {
		name := parentOf(f.at) + "." + f.with + f.most
		other, ok := values[name]
		switch {
		case !ok || !l.sound(f.at, name):
		case f.with != "":
			if other.IsZero() && !f.value.IsZero() {
				l.reject(f.at, "has no effect without "+name, "give "+name+", or remove this key")
			}
		case f.value.Int() <= other.Int():
		case l.given(f.at) && f.value.Int() != number(f.preset.Value):
			l.rejectf(f.at, "lower it", "%d is more than %s, which is %d", f.value.Int(), name, other.Int())
		default:
			f.value.Set(other)
		}
	}
}

// checkOnce refuses what another entry of a list says already.
func (l *loader) checkOnce(all []field) {
	first := make(map[[2]string]string)
	for _, f := range all {
		if f.once == "" || f.value.IsZero() || f.value.Kind() == reflect.Slice {
			continue
		}
		text := fmt.Sprint(f.value)
		one := [2]string{f.path, text}
		if other, twice := first[one]; twice {
			l.reject(f.at, quoted(text)+" is "+other+" already", f.once)
			continue
		}
		first[one] = f.at
	}
}

func (l *loader) checkListen(c *Config) {
	certain := l.sound("upstreams")
	for i := range c.Upstreams {
		certain = certain && l.sound(entryOf("upstreams", i)+".host")
	}
	ours := func(n host.Name) bool {
		return slices.ContainsFunc(c.Upstreams, func(u Upstream) bool { return u.Host.Matches(n) })
	}
	for i, listen := range c.Listen {
		at := entryOf("listen", i)
		if l.sound(at+".accept", at+".transparent") && listen.Transparent && !listen.Accepts(WayGateway) && !listen.Accepts(WayTLS) {
			l.reject(at+".transparent", "redirected connections come in as gateway or tls, and accept has neither", "add one of them to accept")
		}
		if n := listen.DefaultUpstream; !n.IsZero() && certain && !ours(n) {
			l.reject(at+".default_upstream", quoted(n.String())+" is none of the upstreams", "add it to upstreams")
		}
	}
}

// checkClashes finds two things on one address. Port 0 clashes with nothing. The
// problem is told of the later one: of the listener, if it was given.
func (l *loader) checkClashes(c *Config) {
	type claim struct{ path, address string }
	claims := []claim{{"admin.address", c.Admin.Address}, {"admin.public", c.Admin.Public}}
	var listens []claim
	for i := range c.Listen {
		listens = append(listens, claim{entryOf("listen", i) + ".address", c.Listen[i].Address})
	}
	if _, given := l.origins["listen"]; given {
		claims = append(claims, listens...)
	} else {
		claims = append(listens, claims...)
	}
	taken := make(map[int64][]claim)
	for _, one := range claims {
		name, port := endpoint(one.address)
		if one.address == "" || port == 0 || !l.sound(one.path) {
			continue
		}
		i := slices.IndexFunc(taken[port], func(other claim) bool { return clash(name, other.address) })
		if i >= 0 {
			l.reject(one.path, quoted(one.address)+" is taken by "+taken[port][i].path, "give each an address of its own")
			continue
		}
		taken[port] = append(taken[port], claim{one.path, name})
	}
}

// clash reports whether two endpoints on one port share an address: the wildcard
// of both families with every other, that of IPv4 with all but IPv6 literals.
func clash(a, b string) bool {
	const anyIPv4 = "0.0.0.0"
	isIPv6 := func(name string) bool {
		ip, err := netip.ParseAddr(name)
		return err == nil && ip.Is6()
	}
	return a == b || a == "" || b == "" || a == anyIPv4 && !isIPv6(b) || b == anyIPv4 && !isIPv6(a)
}

func (l *loader) checkAdmin(c *Admin) {
	if l.sound("admin.address", "admin.token_file") && c.Address != "" && !loopback(c.Address) && c.TokenFile == "" {
		l.reject("admin.address", quoted(c.Address)+" can be reached from elsewhere and has no token",
			"name a file with a token in admin.token_file, or listen on 127.0.0.1 and put metrics and probes on admin.public")
	}
}

func (l *loader) checkParentProxy(c *Outbound) {
	const parent, password = "upstream.parent_proxy", "upstream.parent_proxy_password_file"
	if c.ParentProxyPasswordFile != "" && l.sound(password, parent) && !namesUser(c.ParentProxy) {
		l.reject(password, "is for a user that "+parent+" does not name", "write http://user@host:port there")
	}
}

func (l *loader) checkLegacy(c *LegacyTLS) {
	const ca, cert, key = "legacy_tls.ca", "legacy_tls.ca.cert_file", "legacy_tls.ca.key_file"
	switch {
	case !l.sound(ca, cert, key):
	case c.CA == nil:
		const fix = "make a CA with tlslift ca init, and name it in legacy_tls.ca"
		if c.SHA1Leaf {
			l.reject("legacy_tls.sha1_leaf", "leaves need a CA that signs them", fix)
		}
		if len(c.TerminateClients) > 0 {
			l.reject("legacy_tls.terminate_clients", "terminating needs a CA", fix)
		}
	case c.CA.KeyFile == "":
		l.reject(l.givenAlone(ca, cert), "the CA has no key", "name it in "+key+" or "+envPrefix+"CA_KEY")
	case c.CA.CertFile == "":
		l.reject(l.givenAlone(ca, key), "the CA has no certificate", "name it in "+cert+" or "+envPrefix+"CA_CERT")
	}
}

// givenAlone is the path of a section, or of its key if a variable gave that.
func (l *loader) givenAlone(section, key string) string {
	if l.origins[key].name != "" {
		return key
	}
	return section
}

// checkUsers sees to it that clients.users_file holds on every way in.
func (l *loader) checkUsers(c *Config) {
	const users = "clients.users_file"
	credentials := func(one Listen) bool { return one.Accepts(WayForward) || one.Accepts(WayConnect) }
	switch {
	case !l.sound(users, "listen"):
	case c.Clients.UsersFile == "":
		for i, listen := range c.Listen {
			if at := entryOf("listen", i) + ".unauthenticated"; len(listen.Unauthenticated) > 0 && l.sound(at) {
				l.reject(at, "has no effect: without "+users+" no way in needs credentials", "remove it, or give "+users)
			}
		}
	case !slices.ContainsFunc(c.Listen, credentials):
		l.reject(users, "no listener accepts forward or connect, the only ways in that carry proxy credentials", "add one of them, or remove this key")
	default:
		for i := range c.Listen {
			l.checkAuthenticated(entryOf("listen", i), &c.Listen[i])
		}
	}
}

// checkAuthenticated finds ways in on which users_file would not hold, since
// they cannot carry proxy credentials, and nobody said that they may stay open.
// The default listener, and one that the file does not have, drops such ways in.
func (l *loader) checkAuthenticated(at string, listen *Listen) {
	if _, written := l.origins[at]; !written || reflect.DeepEqual(*listen, Default().Listen[0]) {
		listen.Accept = []Way{WayForward, WayConnect}
		return
	}
	if !l.sound(at+".accept", at+".transparent", at+".unauthenticated") || slices.Contains(listen.Unauthenticated, "") {
		return
	}
	var open []string
	for _, w := range []Way{WayGateway, WayTLS, WayTransparent} {
		switch listed := slices.Contains(listen.Unauthenticated, w); {
		case listen.Accepts(w) && !listed:
			open = append(open, string(w))
		case listed && !listen.Accepts(w):
			l.reject(at+".unauthenticated", string(w)+" is a way in that this listener does not accept", "remove it")
		}
	}
	if len(open) == 0 {
		return
	}
	key, fix := at+".accept", "write accept: [forward, connect]"
	if open[0] == string(WayTransparent) {
		key, fix = at+".transparent", "remove it"
	} else if !l.given(key) {
		key = at
	}
	for _, w := range listen.Unauthenticated {
		open = append(open, string(w))
	}
	slices.Sort(open)
	list := strings.Join(open, ", ")
	l.reject(key, "there are ways in that cannot carry proxy credentials, so anyone could pass by clients.users_file: "+list,
		fix+", or unauthenticated: ["+list+"] to leave these ways in open")
}

func (l *loader) checkDrain(c *Limits) {
	const delay, timeout = "limits.drain_delay", "limits.drain_timeout"
	if !l.sound(delay, timeout) || c.DrainDelay < c.DrainTimeout {
		return
	}
	path := timeout
	if !l.given(timeout) {
		path = delay
	}
	l.rejectf(path, "raise limits.drain_timeout or lower limits.drain_delay",
		"nothing is left to finish what is in flight: draining may take %s in all, of which the delay takes %s",
		c.DrainTimeout, c.DrainDelay)
}
