package configs

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/suggest"
)

// check finds conflicts between keys that are each valid by themselves. A default
// that is written out is adjusted like one that is not.
func (l *loader) check(c *Config) {
	all := c.fields()
	l.checkListen(c)
	l.checkClashes(c)
	l.rule(c.Admin.Address != "" && !loopback(c.Admin.Address) && c.Admin.TokenFile == "", "admin.address", "admin.token_file",
		quoted(c.Admin.Address)+" can be reached from elsewhere and has no token",
		"name a file with a token in admin.token_file, or listen on 127.0.0.1 and put metrics and probes on admin.public")
	l.checkOnce(all)
	const parent = "upstream.parent_proxy"
	l.rule(c.Upstream.ParentProxyPasswordFile != "" && !strings.Contains(c.Upstream.ParentProxy, "@"), parent+"_password_file", parent,
		"is for a user that "+parent+" does not name", "write http://user@host:port there")
	l.checkCA(&c.LegacyTLS)
	drain, other := "limits.drain_timeout", "limits.drain_delay"
	if !l.given(drain) {
		drain, other = other, drain
	}
	l.rule(c.Limits.DrainDelay >= c.Limits.DrainTimeout, drain, other,
		fmt.Sprintf("nothing is left to finish what is in flight: limits.drain_timeout is %s, and the delay takes %s of it", c.Limits.DrainTimeout, c.Limits.DrainDelay),
		"raise limits.drain_timeout or lower limits.drain_delay")
	l.checkState(c)
	l.checkNeighbours(all)
}

// rule rejects the key at a path if a rule between it and another is broken,
// unless one of them has already been rejected.
func (l *loader) rule(broken bool, at, other, message, fix string) {
	if broken && l.sound(at, other) {
		l.reject(at, message, fix)
	}
}

// checkNeighbours checks keys against another key of their section: the one
// without which they have no effect, or the one whose value they may not exceed.
// A default that exceeds it is lowered.
func (l *loader) checkNeighbours(all []field) {
	values := make(map[string]reflect.Value, len(all))
	for _, f := range all {
		values[f.at] = f.value
	}
	for _, f := range all {
		with := f.Get("with")
		name := parentOf(f.at) + "." + with + f.Get("most")
		other, ok := values[name]
		switch {
		case !ok || !l.sound(f.at, name):
		case with != "":
			if other.IsZero() && !f.value.IsZero() {
				l.reject(f.at, "has no effect without "+name, "give "+name+", or remove this key")
			}
		case f.value.Int() <= other.Int():
		case l.given(f.at) && f.value.Int() != number(f.preset.Value):
			l.reject(f.at, fmt.Sprintf("%d is more than %s, which is %d", f.value.Int(), name, other.Int()), "lower it")
		default:
			f.value.Set(other)
		}
	}
}

// checkOnce rejects a value that another entry of the list already has.
func (l *loader) checkOnce(all []field) {
	first := make(map[[2]string]string)
	for _, f := range all {
		if f.Get("once") == "" || f.value.IsZero() || f.value.Kind() == reflect.Slice {
			continue
		}
		text := fmt.Sprint(f.value)
		one := [2]string{f.path, text}
		if other, twice := first[one]; twice {
			l.reject(f.at, quoted(text)+" is "+other+" already", f.Get("once"))
			continue
		}
		first[one] = f.at
	}
}

// checkClashes finds two things on one address. Port 0 clashes with nothing. The
// problem names the later of the two: the listener, if that was given.
func (l *loader) checkClashes(c *Config) {
	type claim struct{ at, address string }
	claims := []claim{{"admin.address", c.Admin.Address}, {"admin.public", c.Admin.Public}}
	for i, one := range c.Listen {
		claims = append(claims, claim{entryOf("listen", i) + ".address", one.Address})
	}
	if _, given := l.origins["listen"]; !given {
		claims = append(claims[2:], claims[:2]...)
	}
	taken := make(map[int64][]claim) // by port
	for _, one := range claims {
		name, port := endpoint(one.address)
		i := slices.IndexFunc(taken[port], func(other claim) bool { return clash(name, other.address) })
		switch {
		case port == 0 || !l.sound(one.at):
		case i >= 0:
			l.reject(one.at, quoted(one.address)+" is taken by "+taken[port][i].at, "give each its own address")
		default:
			taken[port] = append(taken[port], claim{one.at, name})
		}
	}
}

// clash reports whether two endpoints on one port share an address. The wildcard
// of both families clashes with every other endpoint, and that of IPv4 with all
// except IPv6 literals.
func clash(a, b string) bool {
	const anyIPv4 = "0.0.0.0"
	isIPv6 := func(name string) bool {
		ip, err := netip.ParseAddr(name)
		return err == nil && ip.Is6()
	}
	return a == b || a == "" || b == "" || a == anyIPv4 && !isIPv6(b) || b == anyIPv4 && !isIPv6(a)
}

// checkListen checks each listener, and ensures that clients.users_file applies
// to every way in.
func (l *loader) checkListen(c *Config) {
	const users = "clients.users_file"
	closed := c.Clients.UsersFile != "" && l.sound(users, "listen")
	ours := func(n host.Name) bool { // a host that was rejected may have been meant to be n
		return slices.ContainsFunc(c.Upstreams, func(u Upstream) bool { return u.Host == host.Pattern{} || u.Host.Matches(n) })
	}
	if closed && !slices.ContainsFunc(c.Listen, func(one Listen) bool { return one.Ways()&call.Ways(call.Forward, call.Connect) != 0 }) {
		l.reject(users, "no listener accepts forward or connect, the only ways in that carry proxy credentials", "add one of them, or remove this key")
		closed = false
	}
	byDefault := Default().Listen[0]
	for i := range c.Listen {
		at, listen := entryOf("listen", i), &c.Listen[i]
		l.rule(listen.Transparent && listen.Ways()&call.Ways(call.Gateway, call.TLS) == 0, at+".transparent", at+".accept",
			"redirected connections come in as gateway or tls, and accept has neither", "add one of them to accept")
		if up := listen.DefaultUpstream; !up.IsZero() && !ours(up) {
			l.rule(true, at+".default_upstream", "upstreams", quoted(up.String())+" is not one of the upstreams", c.addOrMean(up.String()))
		}
		l.rule(c.Clients.UsersFile == "" && len(listen.Unauthenticated) > 0, at+".unauthenticated", users,
			"has no effect: without "+users+" no way in needs credentials", "remove it, or give "+users)
		if closed {
			l.checkAuthenticated(at, listen, &byDefault)
		}
	}
}

// addOrMean says what to do about a host that is not an upstream. It may be a
// misspelling of one, or of one below a pattern.
func (c *Config) addOrMean(name string) string {
	labels := strings.Split(name, ".")
	var meant []string
	for _, u := range c.Upstreams {
		domain := u.Host.Domain().String()
		below := len(labels) - strings.Count(domain, ".") - 1
		if !u.Host.Wild() {
			meant = append(meant, domain)
		} else if below > 0 {
			meant = append(meant, strings.Join(append(labels[:below:below], domain), "."))
		}
	}
	if near := suggest.Nearest(name, meant); near != "" {
		return "did you mean " + near + "? If not, add it to upstreams"
	}
	return "add it to upstreams"
}

// checkAuthenticated finds ways in to which users_file would not apply, because
// they cannot carry proxy credentials, and that are not listed as open. The
// default listener, and one that is not in the file, drops such ways in.
func (l *loader) checkAuthenticated(at string, listen, byDefault *Listen) {
	if _, written := l.origins[at]; !written || reflect.DeepEqual(listen, byDefault) {
		listen.Accept = []call.Ingress{call.Forward, call.Connect}
		delete(l.origins, at+".accept") // if the default was written out, nobody chose this list
		return
	}
	if !l.sound(at+".accept", at+".transparent", at+".unauthenticated") || slices.Contains(listen.Unauthenticated, call.Unknown) {
		return
	}
	var open, all []string
	for _, w := range call.Ingresses {
		accepted, listed := listen.Ways().Has(w), slices.Contains(listen.Unauthenticated, w)
		if w.CarriesCredentials() || !accepted && !listed {
			continue
		}
		all = append(all, w.String())
		if !listed {
			open = append(open, w.String())
		}
		l.rule(!accepted, at+".unauthenticated", "", w.String()+" is a way in that this listener does not accept", "remove it")
	}
	if len(open) == 0 {
		return
	}
	key, fix := at+".accept", "write accept: [forward, connect]"
	if open[0] == call.Transparent.String() {
		key, fix = at+".transparent", "remove it"
	} else if !l.given(key) {
		key = at
	}
	list := strings.Join(all, ", ")
	l.reject(key, "there are ways in that cannot carry proxy credentials, so anyone could bypass clients.users_file: "+list,
		fix+", or unauthenticated: ["+list+"] to leave these ways in open")
}

// checkCA requires both halves of a CA, and a CA for what needs one.
func (l *loader) checkCA(c *LegacyTLS) {
	const ca, cert, key = "legacy_tls.ca", "legacy_tls.ca.cert_file", "legacy_tls.ca.key_file"
	if !l.sound(cert, key) {
		return
	}
	half := func(given, missing, what, variable string) {
		if l.origins[given].name == "" { // not a variable
			given = ca
		}
		l.reject(given, "the CA has no "+what, "name it in "+missing+" or "+envPrefix+variable)
	}
	const fix = "make a CA with tlslift ca init, and name it in legacy_tls.ca"
	switch _, given := l.origins[ca]; {
	case c.CA == (CA{}) && !given:
		l.rule(c.SHA1Leaf, "legacy_tls.sha1_leaf", ca, "leaves need a CA that signs them", fix)
		l.rule(len(c.TerminateClients) > 0, "legacy_tls.terminate_clients", ca, "terminating needs a CA", fix)
	case c.CA.KeyFile == "":
		half(cert, key, "key", "CA_KEY")
	case c.CA.CertFile == "":
		half(key, cert, "certificate", "CA_CERT")
	}
}

// checkState rejects a state file that the configuration uses for something else,
// because the ledger would replace it.
func (l *loader) checkState(c *Config) {
	taken := ""
	for key, file := range c.Files {
		if taken == "" && sameFile(c.State.File, file) {
			taken = key + " already"
		}
	}
	if sameFile(c.State.File, l.file) {
		taken = "this configuration itself"
	}
	l.rule(taken != "", "state.file", "",
		strconv.Quote(c.State.File)+" is "+taken+", which the ledger would replace", "name a separate file, such as ledger.json")
}

// sameFile reports whether two paths lead to the same existing file.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
