package main

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"tlslift/configs"
	"tlslift/proxy"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/identity"
	"tlslift/proxy/legacy"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// settingsOf turns a configuration into the proxy's settings, and reads the files
// that it names. madeKey hashes accounts if no key file is named. The error is a
// configs.Problems with every problem.
func settingsOf(cfg *configs.Config, madeKey []byte) (proxy.Settings, error) {
	set := proxy.Settings{
		Others:        cfg.Others,
		AllowInternal: cfg.AllowInternalAddresses,
		Rewrite:       rewrite.Options(cfg.Rewrite),
		Limits: proxy.Limits{
			HeaderBytes:          int(cfg.Limits.HeaderBytes),
			BodyBytes:            cfg.Limits.BodyBytes,
			Memory:               heldLimit(cfg.Limits.Memory, debug.SetMemoryLimit(-1)),
			Connections:          cfg.Limits.Connections,
			ConnectionsPerClient: cfg.Limits.ConnectionsPerClient,
			HeaderTimeout:        cfg.Limits.HeaderTimeout,
			BodyTimeout:          cfg.Limits.BodyTimeout,
			IdleTimeout:          cfg.Limits.IdleTimeout,
			TunnelIdleTimeout:    cfg.Limits.TunnelIdleTimeout,
		},
		LeafNames: leafNames(cfg),
		Legacy: legacy.Options{
			MinVersion: cfg.LegacyTLS.MinVersion.Wire(),
			RC4:        cfg.LegacyTLS.RC4,
			SHA1Leaf:   cfg.LegacyTLS.SHA1Leaf,
			SSLv2Hello: cfg.LegacyTLS.SSLv2Hello,
			Timeout:    cfg.LegacyTLS.HandshakeTimeout,
		},
		Terminate: cfg.LegacyTLS.TerminateClients,
	}
	for _, l := range cfg.Listen {
		set.Listeners = append(set.Listeners, listenerOf(l))
	}
	f := findings{cfg: cfg}
	set.Resolver = f.ladder(madeKey)
	set.CA = f.ca()
	set.Upstream = f.upstreams()
	if len(f.problems) > 0 {
		return set, f.problems
	}
	return set, nil
}

// findings collects what is wrong with a configuration.
type findings struct {
	cfg      *configs.Config
	problems configs.Problems
}

func (f *findings) wrong(key, format string, args ...any) {
	f.problems = append(f.problems, f.cfg.Problem(key, fmt.Sprintf(format, args...), ""))
}

// content reads the file that a key names; nil = there is none, or it cannot be read.
func (f *findings) content(key, file string) []byte {
	if file == "" {
		return nil
	}
	data, err := readFile(file)
	if err != nil {
		f.wrong(key, "%v", err)
		return nil
	}
	return data
}

// contents finds what makes a configuration unusable at startup, at a reload and
// in `tlslift check`: problems with the files that it names, and upstreams that
// are this tlslift.
func contents(cfg *configs.Config, madeKey []byte) (set proxy.Settings, token string, problems configs.Problems) {
	token, problems = adminToken(cfg)
	set, err := settingsOf(cfg, madeKey)
	more, _ := err.(configs.Problems) //nolint:errorlint // settingsOf returns nothing else
	return set, token, slices.Concat(problems, more, ourselves(cfg))
}

func listenerOf(l configs.Listen) proxy.Listener {
	return proxy.Listener{
		Listener: call.Listener{
			Address:         l.Address,
			Accept:          l.Ways(),
			Unauthenticated: call.Ways(l.Unauthenticated...),
			Client:          l.Client,
			DefaultUpstream: l.DefaultUpstream,
		},
		Allow:             l.Allow,
		ProxyProtocolFrom: l.ProxyProtocolFrom,
	}
}

// ca reads the CA, or returns nil if none is configured.
func (f *findings) ca() *authority.CA {
	files := f.cfg.LegacyTLS.CA
	if files == (configs.CA{}) {
		return nil
	}
	ca, errs := authority.Load(readFile, authority.LoadOptions{
		CertFile: files.CertFile, KeyFile: files.KeyFile, AllowUnconstrained: f.cfg.LegacyTLS.AllowUnconstrainedCA,
	})
	for _, err := range errs {
		f.wrong("legacy_tls.ca", "%v", err)
	}
	return ca
}

// leafNames returns the names of the leaf for callers that name no host.
func leafNames(cfg *configs.Config) []host.Pattern {
	names := []host.Pattern{host.Exact(host.MustParse(host.SelfTest))}
	for _, u := range cfg.Upstreams {
		names = append(names, u.Host)
	}
	return names
}

// ladder makes the resolver that names callers. Without a key file, madeKey
// hashes accounts.
func (f *findings) ladder(madeKey []byte) *identity.Resolver {
	const users, key = "clients.users_file", "clients.account_key_file"
	c := &f.cfg.Clients
	o := identity.Options{
		Workload:   c.Workload,
		ProxyUser:  c.ProxyUser,
		Account:    c.Account,
		AccountKey: madeKey,
		Known:      slices.Sorted(maps.Keys(f.cfg.Policy.Clients)),
	}
	for _, n := range c.Names {
		o.Names = append(o.Names, identity.Name(n))
	}
	before := len(f.problems)
	if o.Account == identity.AccountHash && c.AccountKeyFile != "" {
		o.AccountKey = bytes.TrimSpace(f.content(key, c.AccountKeyFile))
	}
	if data := f.content(users, c.UsersFile); data != nil {
		var bad []error
		if o.Users, bad = identity.ParseHtpasswd(data); len(bad) == 0 && len(o.Users) == 0 {
			f.wrong(users, "%s has no user, so no caller could authenticate", c.UsersFile)
		}
		const shown = 5 // in a file that is not an htpasswd file, every line is bad
		for _, err := range bad[:min(shown, len(bad))] {
			f.wrong(users, "%s: %v", c.UsersFile, err)
		}
		if more := len(bad) - shown; more > 0 {
			f.wrong(users, "%s: %d more lines are wrong; is it an htpasswd file?", c.UsersFile, more)
		}
	}
	if len(f.problems) > before {
		return nil
	}
	ladder, err := identity.New(o)
	if err != nil {
		f.wrong("clients", "%v", err)
	}
	return ladder
}

// upstreams maps the configuration to the options of package upstream.
func (f *findings) upstreams() upstream.Options {
	cfg := f.cfg
	o := upstream.Options{
		MinTLS:          cfg.Upstream.MinTLS.Wire(),
		AllowInternal:   cfg.AllowInternalAddresses,
		Warm:            cfg.Upstream.WarmConnections,
		MaxConns:        cfg.Upstream.MaxConnections,
		IdleTimeout:     cfg.Upstream.IdleTimeout,
		DialTimeout:     cfg.Upstream.DialTimeout,
		TLSTimeout:      cfg.Upstream.TLSTimeout,
		ResponseTimeout: cfg.Upstream.ResponseTimeout,
		BodyTimeout:     cfg.Limits.BodyTimeout,
		ResponseBuffer:  cfg.Limits.ResponseBuffer,
		DNSServers:      cfg.Upstream.DNSServers,
	}
	if p := cfg.Upstream.ParentProxy; p != "" {
		o.ParentProxy, _ = url.Parse(p) // Load has checked it
		o.ParentExcept = cfg.Upstream.ParentProxyExcept
		password := f.content("upstream.parent_proxy_password_file", cfg.Upstream.ParentProxyPasswordFile)
		o.ParentProxyPassword = strings.TrimRight(string(password), "\r\n")
	}
	for i, h := range cfg.Upstreams {
		o.Hosts = append(o.Hosts, f.upstream(fmt.Sprintf("upstreams[%d].", i), inherited(h, cfg.Upstreams)))
	}
	return o
}

// inherited returns an upstream's settings. If the upstream sends to another
// host, that host's settings fill in what it does not set itself.
func inherited(h configs.Upstream, all []configs.Upstream) configs.Upstream {
	if h.To.IsZero() {
		return h
	}
	var target *configs.Upstream
	for i, u := range all {
		switch exact := host.Exact(h.To); {
		case !u.To.IsZero() || !u.Host.Matches(h.To):
		case u.Host == exact, target == nil, target.Host != exact && len(target.Host.String()) < len(u.Host.String()):
			target = &all[i]
		}
	}
	if target == nil {
		return h
	}
	const unsaid = 443
	h.Address, h.CAFile = cmp.Or(h.Address, target.Address), cmp.Or(h.CAFile, target.CAFile)
	if h.Port == unsaid {
		h.Port = target.Port
	}
	if len(h.Pins) == 0 {
		h.Pins = target.Pins
	}
	h.ClientCertificate = cmp.Or(h.ClientCertificate, target.ClientCertificate)
	return h
}

// upstream reads the files of one upstream. at is the prefix of its keys.
func (f *findings) upstream(at string, h configs.Upstream) upstream.Host {
	up := upstream.Host{Pattern: h.Host, To: h.To, Port: h.Port, Pins: h.Pins}
	var err error
	if up.Address, up.AddressPort, err = host.ParseAuthority(h.Address); err != nil {
		f.wrong(at+"address", "%v", err)
	}
	if data := f.content(at+"ca_file", h.CAFile); data != nil {
		if up.Roots, err = x509.SystemCertPool(); err != nil {
			up.Roots = x509.NewCertPool()
		}
		if !up.Roots.AppendCertsFromPEM(data) {
			f.wrong(at+"ca_file", "%s holds no PEM certificate", h.CAFile)
		}
	}
	chain := f.content(at+"client_certificate", h.ClientCertificate.CertFile)
	key := f.content(at+"client_certificate", h.ClientCertificate.KeyFile)
	if chain != nil && key != nil {
		cert, err := tls.X509KeyPair(chain, key)
		if err != nil {
			f.wrong(at+"client_certificate", "%v", err)
		}
		up.ClientCertificate = &cert
	}
	return up
}
