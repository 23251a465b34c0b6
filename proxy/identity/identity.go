// Package identity names the client behind a request. It tries these sources in
// order, and the first match wins; the source is recorded too (design, section 5):
// the listener's own client, proxy credentials, the user part of the proxy URL, the
// workload constant of a sidecar, a configured name for an address, the API account,
// the source address.
//
// The package opens no socket and reads no file. It compares passwords and keeps only
// a keyed hash of verified credentials, whose key dies with the process.
package identity

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
)

// These errors say, for the log, why a caller that needs proxy credentials is not
// admitted. The answer is always the same 407 (RFC 9110 section 15.5.8), and no text
// distinguishes an unknown user from a wrong password.
var (
	errNoCredentials    = errors.New("the request has no proxy credentials")
	errNotBasic         = errors.New("the proxy credentials are not a user and a password in the Basic scheme")
	errWrongCredentials = errors.New("the proxy user name or password is wrong")
	errTooManyFailures  = errors.New("the proxy credentials were not checked: too many from this address were wrong just before")
	errBusy             = errors.New("the proxy credentials were not checked in time: too many are being checked")
)

// AccountMode says whether the API account names a client.
type AccountMode uint8

// The account modes: clients.account in the configuration.
const (
	AccountOff   AccountMode = iota
	AccountPlain             // the user name or client ID as it is
	AccountHash              // "account-" and 12 hexadecimal digits of a keyed hash
)

// String returns the word used in the configuration.
func (m AccountMode) String() string {
	return [...]string{AccountOff: "off", AccountPlain: "plain", AccountHash: "hash"}[m]
}

// Name gives the addresses in Match one client name. The longest matching
// prefix over all names wins.
type Name struct {
	Name  string
	Match []netip.Prefix
}

// Options are the values of the configuration's "clients" section.
type Options struct {
	Names      []Name
	Workload   string      // "" = not a sidecar
	ProxyUser  bool        // clients.proxy_user: name
	Users      Users       // nil = no proxy authentication
	Account    AccountMode // AccountOff, AccountPlain or AccountHash
	AccountKey []byte      // for AccountHash; at least 16 bytes
	Known      []string    // further configured names: policy.clients

	Clock func() time.Time // nil = time.Now; only proxy authentication uses it
}

// Resolver names callers. It is safe for concurrent use, and immutable except for its
// caches; a reload makes a new one.
type Resolver struct {
	options       Options
	ranges        ranges
	known         map[string]struct{}
	authenticator *authenticator // nil = no proxy authentication
}

// New builds a Resolver. It fails if a name is not safe as a label value, a range
// belongs to two names, or the account key is too short.
func New(o Options) (*Resolver, error) {
	l := &Resolver{options: o, known: make(map[string]struct{})}
	if o.Account == AccountHash && len(o.AccountKey) < 16 {
		return nil, fmt.Errorf("account key: %d bytes, at least 16 are needed", len(o.AccountKey))
	}
	var err error
	if l.ranges, err = newRanges(o.Names); err != nil {
		return nil, err
	}
	for _, n := range o.Names {
		l.known[n.Name] = struct{}{}
	}
	if o.Workload != "" {
		l.known[o.Workload] = struct{}{}
	}
	for _, name := range o.Known {
		l.known[name] = struct{}{}
	}
	for name := range o.Users {
		l.known[name] = struct{}{}
	}
	for name := range l.known {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	if o.Users != nil {
		l.authenticator = newAuthenticator(o.Users, o.Clock)
	}
	return l, nil
}

// Authenticates reports whether callers need proxy credentials.
func (l *Resolver) Authenticates() bool { return l.authenticator != nil }

// Configured returns every name that the Resolver knows from the configuration, in no
// particular order. Names of listeners are not included.
func (l *Resolver) Configured() []string {
	return slices.Collect(maps.Keys(l.known))
}

// Connection names the caller by what is known before a request. final means that no
// request can change the name, or be refused for its credentials: Request need not be
// called.
func (l *Resolver) Connection(a *call.Conn) (id call.Identity, final bool) {
	id = l.base(a)
	credentials := l.authenticator != nil || l.options.ProxyUser
	carries := a.Listener == nil || a.Listener.Accept&call.Ways(call.Forward, call.Connect) != 0
	switch {
	case credentials && carries && (id.Source > call.SourceProxyUser || l.authenticator != nil):
		return id, false
	case l.options.Account != AccountOff:
		return id, false
	}
	return id, true
}

// Request names the caller of one request that arrived outside a tunnel.
// proxyAuthorization and authorization are header values, and rawQuery is the query
// as received. body may be nil. It is called at most once, and only to look for the
// account: it returns the body's first form.Prefix bytes, or nil.
//
// On the forward and connect ways in, the error says why proxy credentials are
// rejected; there is no other error. The caller must remove Proxy-Authorization from
// what it sends upstream.
func (l *Resolver) Request(a *call.Conn, proxyAuthorization, authorization, rawQuery string, body func() []byte) (call.Identity, error) {
	id := l.base(a)
	if a.Ingress.CarriesCredentials() {
		if l.authenticator != nil {
			user, err := l.authenticator.authenticate(a.Client.Addr(), proxyAuthorization)
			if err != nil {
				return id, err
			}
			if id.Source > call.SourceProxyAuth {
				id = call.Identity{Name: user, Source: call.SourceProxyAuth, Configured: true, Address: id.Address}
			}
		} else if l.options.ProxyUser && id.Source > call.SourceProxyUser {
			if user, ok := basicUser(proxyAuthorization); ok {
				if name := Safe(user); name != "" {
					id = l.named(name, call.SourceProxyUser, id)
				}
			}
		}
	}
	return l.Within(id, authorization, rawQuery, body), nil
}

// Within names the caller of a request inside a tunnel whose CONNECT or connection
// was named outer. Such a request carries no proxy credentials, so only the API
// account can improve the name. If a better source has named the caller, the account
// is kept beside the name.
func (l *Resolver) Within(outer call.Identity, authorization, rawQuery string, body func() []byte) call.Identity {
	if l.options.Account == AccountOff {
		return outer
	}
	name := l.accountName(authorization, rawQuery, body)
	if name != "" && outer.Source > call.SourceAccount {
		return l.named(name, call.SourceAccount, outer)
	}
	outer.Account = name
	return outer
}

// base tries the sources that need no request.
func (l *Resolver) base(a *call.Conn) call.Identity {
	addr := host.Canonical(a.Client.Addr())
	id := call.Identity{Configured: true, Address: addressName(addr)}
	if a.Listener != nil && a.Listener.Client != "" {
		id.Name, id.Source = a.Listener.Client, call.SourceListener
		return id
	}
	if l.options.Workload != "" {
		id.Name, id.Source = l.options.Workload, call.SourceWorkload
		return id
	}
	if name, ok := l.ranges.find(addr); ok {
		id.Name, id.Source = name, call.SourceName
		return id
	}
	id.Name, id.Source = id.Address, call.SourceAddress
	_, id.Configured = l.known[id.Name]
	return id
}

// addressName returns the name of an address. For IPv6 that is its /64, since a host
// changes its address within that daily (RFC 8981).
func addressName(addr netip.Addr) string {
	switch {
	case !addr.IsValid():
		return "unknown"
	case addr.Is6() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast():
		return host.Network(addr).String()
	default:
		return addr.String()
	}
}

// named returns an identity with a name that was discovered, though the configuration
// may know it too. Without that name, the client would be base.
func (l *Resolver) named(name string, r call.Source, base call.Identity) call.Identity {
	_, known := l.known[name]
	return call.Identity{Name: name, Source: r, Configured: known, Address: base.Address, Unnamed: base.Name}
}

// CheckName reports why a configured name cannot be a label value, or returns nil.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("client name: it is empty")
	case strings.HasPrefix(name, "_"):
		return fmt.Errorf("client name %q: names that start with _ are tlslift's own", name)
	case Safe(name) != name:
		return fmt.Errorf("client name %q: use at most %d bytes of printable text", Safe(name), MaxName)
	}
	return nil
}
