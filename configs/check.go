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
	l.checkUpstreams(c.Upstreams)
	l.checkOutbound(&c.Upstream)
	l.checkLegacy(&c.LegacyTLS)
	l.checkClients(c)
	l.checkNames(c.Clients.Names)
	l.checkLimits(&c.Limits)
}

func (l *loader) checkListen(c *Config) {
	ours, certain := newHostSet(c.Upstreams), l.sound("upstreams")
	for i := range c.Upstreams {
		certain = certain && l.sound(upstreams.path(i)+".host")
	}
	for i, listen := range c.Listen {
		at := listens.path(i)
		if l.sound(at+".accept", at+".transparent") && listen.Transparent && !listen.Accepts(WayGateway) && !listen.Accepts(WayTLS) {
			l.reject(at+".transparent", &fault{
				"redirected connections come in as gateway or tls, and accept has neither", "add one of them to accept",
			})
		}
		if n := listen.DefaultUpstream; !n.IsZero() && certain && !ours.has(n) {
			l.reject(at+".default_upstream", faultf("add it to upstreams", "%s is none of the upstreams", quoted(n.String())))
		}
	}
}

func (l *loader) checkAdmin(c *Admin) {
	if l.sound("admin.address", "admin.token_file") && c.Address != "" && !loopback(c.Address) && c.TokenFile == "" {
		l.reject("admin.address", faultf(
			"name a file with a token in admin.token_file, or listen on 127.0.0.1 and put metrics and probes on admin.public",
			"%s can be reached from elsewhere and has no token", quoted(c.Address)))
	}
	for _, one := range []struct {
		path string
		on   bool
	}{{"admin.hosts", len(c.Hosts) > 0}, {"admin.quit", c.Quit}, {"admin.pprof", c.Pprof}} {
		if one.on && c.Address == "" && l.sound("admin.address") {
			l.reject(one.path, &fault{"has no effect: admin.address is off", "give admin.address, or remove this key"})
		}
	}
}

func (l *loader) checkUpstreams(all []Upstream) {
	first := make(map[host.Pattern]string, len(all))
	for i, u := range all {
		at := upstreams.path(i) + ".host"
		if u.Host == (host.Pattern{}) {
			continue
		}
		if other, twice := first[u.Host]; twice {
			l.reject(at, faultf("remove one of them", "%s is %s already", quoted(u.Host.String()), other))
			continue
		}
		first[u.Host] = at
	}
}

func (l *loader) checkOutbound(c *Outbound) {
	const warm, most = "upstream.warm_connections", "upstream.max_connections"
	if l.sound(warm, most) && c.WarmConnections > c.MaxConnections {
		if l.given(warm) && c.WarmConnections != Default().Upstream.WarmConnections {
			l.reject(warm, faultf("lower it", "%d is more than %s, which is %d", c.WarmConnections, most, c.MaxConnections))
		} else {
			c.WarmConnections = c.MaxConnections
		}
	}
	const except = "upstream.parent_proxy_except"
	if len(c.ParentProxyExcept) > 0 && c.ParentProxy == "" && l.sound(except, "upstream.parent_proxy") {
		l.reject(except, &fault{"has no effect: there is no upstream.parent_proxy", "give upstream.parent_proxy, or remove this key"})
	}
	const password = "upstream.parent_proxy_password_file"
	if c.ParentProxyPasswordFile != "" && l.sound(password, "upstream.parent_proxy") && !namesUser(c.ParentProxy) {
		l.reject(password, &fault{"is for a user that upstream.parent_proxy does not name", "write http://user@host:port there"})
	}
}

func (l *loader) checkLegacy(c *LegacyTLS) {
	const ca, cert, key = "legacy_tls.ca", "legacy_tls.ca.cert_file", "legacy_tls.ca.key_file"
	if c.CA != nil && l.sound(ca, cert, key) {
		if c.CA.KeyFile == "" {
			l.rejectAt(ca, cert, &fault{"the CA has no key", "name it in " + key + " or " + envPrefix + "CA_KEY"})
		} else if c.CA.CertFile == "" {
			l.rejectAt(ca, key, &fault{"the CA has no certificate", "name it in " + cert + " or " + envPrefix + "CA_CERT"})
		}
	}
	if c.CA != nil || !l.sound(ca) {
		return
	}
	const fix = "name one in legacy_tls.ca; tlslift ca init makes one"
	if c.SHA1Leaf {
		l.reject("legacy_tls.sha1_leaf", &fault{"leaves need a CA that signs them", fix})
	}
	if len(c.TerminateClients) > 0 {
		l.reject("legacy_tls.terminate_clients", &fault{"terminating needs a CA", fix})
	}
}

// rejectAt rejects the first of two keys that was given.
func (l *loader) rejectAt(path, other string, f *fault) {
	if at, ok := l.origins[other]; ok && at.name != "" {
		path = other
	}
	l.reject(path, f)
}

func (l *loader) checkClients(c *Config) {
	clients := &c.Clients
	switch {
	case !l.sound("clients.users_file", "listen"):
	case clients.UsersFile == "":
		l.checkUnauthenticated(c.Listen)
	case !slices.ContainsFunc(c.Listen, carriesCredentials):
		l.reject("clients.users_file", &fault{
			"no listener accepts forward or connect, the only ways in that carry proxy credentials", "add one of them, or remove this key",
		})
	default:
		for i := range c.Listen {
			l.checkAuthenticated(listens.path(i), &c.Listen[i])
		}
	}
	if l.sound("clients.track", "clients.label_limit") && clients.LabelLimit > clients.Track {
		if l.given("clients.label_limit") && clients.LabelLimit != Default().Clients.LabelLimit {
			l.reject("clients.label_limit", faultf("lower it",
				"%d is more than clients.track, which is %d", clients.LabelLimit, clients.Track))
		} else {
			clients.LabelLimit = clients.Track
		}
	}
}

// checkUnauthenticated finds exceptions from a rule that is not there.
func (l *loader) checkUnauthenticated(all []Listen) {
	for i, listen := range all {
		if at := listens.path(i) + ".unauthenticated"; len(listen.Unauthenticated) > 0 && l.sound(at) {
			l.reject(at, &fault{"has no effect: without clients.users_file no way in needs credentials", "remove it, or give clients.users_file"})
		}
	}
}

// checkAuthenticated finds ways in on which users_file would not hold, since
// they cannot carry proxy credentials, and nobody said that they may stay open.
// The default listener, and one that the file does not have, drops such ways in.
func (l *loader) checkAuthenticated(at string, listen *Listen) {
	if _, written := l.origins[at]; !written || reflect.DeepEqual(*listen, defaultListen()) {
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
			l.reject(at+".unauthenticated", faultf("remove it", "%s is a way in that this listener does not accept", w))
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
	l.reject(key, faultf(fix+", or unauthenticated: ["+list+"] to leave these ways in open",
		"there are ways in that cannot carry proxy credentials, so anyone could pass by clients.users_file: %s", list))
}

func carriesCredentials(l Listen) bool { return l.Accepts(WayForward) || l.Accepts(WayConnect) }

// checkNames finds names and ranges that are there twice. A range within a
// range is none: the longest prefix wins.
func (l *loader) checkNames(names []ClientName) {
	byName := make(map[string]int, len(names))
	byRange := make(map[netip.Prefix]int, len(names))
	for i, n := range names {
		at := fmt.Sprintf("clients.names[%d]", i)
		if first, twice := byName[n.Name]; twice && n.Name != "" {
			l.reject(at+".name", faultf("put all its addresses into one entry",
				"%s is clients.names[%d] already", quoted(n.Name), first))
		} else {
			byName[n.Name] = i
		}
		for j, p := range n.Match {
			if first, twice := byRange[p]; twice {
				l.reject(fmt.Sprintf("%s.match[%d]", at, j), faultf("remove one of them",
					"%s belongs to %s already, in clients.names[%d]", p, quoted(names[first].Name), first))
			} else {
				byRange[p] = i
			}
		}
	}
}

func (l *loader) checkLimits(c *Limits) {
	const perClient, all = "limits.connections_per_client", "limits.connections"
	if l.sound(perClient, all) && c.ConnectionsPerClient > c.Connections {
		if l.given(perClient) && c.ConnectionsPerClient != Default().Limits.ConnectionsPerClient {
			l.reject(perClient, faultf("lower it", "%d is more than %s, which is %d", c.ConnectionsPerClient, all, c.Connections))
		} else {
			c.ConnectionsPerClient = c.Connections
		}
	}
	const delay, timeout = "limits.drain_delay", "limits.drain_timeout"
	if l.sound(delay, timeout) && c.DrainDelay >= c.DrainTimeout {
		path := timeout
		if !l.given(timeout) {
			path = delay
		}
		l.reject(path, faultf("raise limits.drain_timeout or lower limits.drain_delay",
			"nothing is left to finish what is in flight: draining may take %s in all, of which the delay takes %s",
			saySpan(int64(c.DrainTimeout)), saySpan(int64(c.DrainDelay))))
	}
}
