package main

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
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

// settingsOf makes of a configuration what the proxy is handed, reading the
// files that it names. madeKey hashes accounts when no key file is named. Its
// error is a configs.Problems that holds every problem.
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
	var problems, more configs.Problems
	set.Resolver, problems = newLadder(cfg, madeKey)
	var err error
	if set.CA, err = loadCA(cfg); err != nil {
		problems = append(problems, cfg.Problem("legacy_tls.ca", err.Error(), ""))
	}
	set.Upstream, more = upstreamOptions(cfg)
	if problems = append(problems, more...); len(problems) > 0 {
		return set, problems
	}
	return set, nil
}

// contents finds what keeps a configuration from use at start, at a reload and
// in `tlslift check`: what is wrong with the files that it names, once they are
// read, and upstreams that are this tlslift.
func contents(cfg *configs.Config, madeKey []byte) (set proxy.Settings, token string, problems configs.Problems) {
	token, problems = adminToken(cfg)
	set, err := settingsOf(cfg, madeKey)
	more, _ := err.(configs.Problems) //nolint:errorlint // settingsOf returns nothing else
	return set, token, slices.Concat(problems, more, ourselves(cfg))
}

func listenerOf(l configs.Listen) proxy.Listener {
	var open call.IngressSet
	for _, way := range l.Unauthenticated {
		open = open.With(way)
	}
	return proxy.Listener{
		Listener: call.Listener{
			Address:         l.Address,
			Forward:         l.Accepts(call.Forward),
			Connect:         l.Accepts(call.Connect),
			Gateway:         l.Accepts(call.Gateway),
			TLS:             l.Accepts(call.TLS),
			Transparent:     l.Transparent,
			Unauthenticated: open,
			Client:          l.Client,
			DefaultUpstream: l.DefaultUpstream,
		},
		Allow:             l.Allow,
		ProxyProtocolFrom: l.ProxyProtocolFrom,
	}
}

// loadCA reads the CA; nil when none is configured.
func loadCA(cfg *configs.Config) (*authority.CA, error) {
	ca := cfg.LegacyTLS.CA
	if ca == (configs.CA{}) {
		return nil, nil
	}
	return authority.Load(authority.LoadOptions{
		CertFile: ca.CertFile, KeyFile: ca.KeyFile, AllowUnconstrained: cfg.LegacyTLS.AllowUnconstrainedCA,
	})
}

// leafNames are those of the leaf for callers that name no host.
func leafNames(cfg *configs.Config) []host.Pattern {
	names := []host.Pattern{host.Exact(host.MustParse(host.SelfTest))}
	for _, u := range cfg.Upstreams {
		names = append(names, u.Host)
	}
	return names
}

func newLadder(cfg *configs.Config, madeKey []byte) (*identity.Resolver, configs.Problems) {
	o := identity.Options{
		Workload:  cfg.Clients.Workload,
		ProxyUser: cfg.Clients.ProxyUser,
		Account:   cfg.Clients.Account,
	}
	for _, n := range cfg.Clients.Names {
		o.Names = append(o.Names, identity.Name(n))
	}
	for name := range cfg.Policy.Clients {
		o.Known = append(o.Known, name)
	}
	slices.Sort(o.Known)
	var problems configs.Problems
	wrong := func(key, format string, args ...any) {
		problems = append(problems, cfg.Problem(key, fmt.Sprintf(format, args...), ""))
	}
	if o.Account == identity.AccountHash {
		var err error
		if o.AccountKey, err = accountKey(cfg.Clients.AccountKeyFile, madeKey); err != nil {
			wrong("clients.account_key_file", "%v", err)
		}
	}
	if f := cfg.Clients.UsersFile; f != "" {
		data, err := os.ReadFile(f)
		users, bad := identity.ParseHtpasswd(data)
		switch {
		case err != nil:
			wrong("clients.users_file", "%v", err)
		case len(bad) == 0 && len(users) == 0:
			wrong("clients.users_file", "%s holds no user, so no caller could pass", f)
		}
		const shown = 5 // of a file that is no htpasswd file, every line is bad
		for _, err := range bad[:min(shown, len(bad))] {
			wrong("clients.users_file", "%s: %v", f, err)
		}
		if more := len(bad) - shown; more > 0 {
			wrong("clients.users_file", "%s: %d more lines are wrong; is it an htpasswd file?", f, more)
		}
		o.Users = users
	}
	if len(problems) > 0 {
		return nil, problems
	}
	ladder, err := identity.New(o)
	if err != nil {
		wrong("clients", "%v", err)
	}
	return ladder, problems
}

// accountKey reads the key of hashed accounts. Without a file it is the one
// made at start.
func accountKey(file string, made []byte) ([]byte, error) {
	if file == "" {
		return made, nil
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSpace(string(key))), nil
}

// upstreamOptions maps the configuration to the upstream room's options.
func upstreamOptions(cfg *configs.Config) (upstream.Options, configs.Problems) {
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
	var problems configs.Problems
	if p := cfg.Upstream.ParentProxy; p != "" {
		o.ParentProxy, _ = url.Parse(p) // which Load did
		o.ParentExcept = cfg.Upstream.ParentProxyExcept
		if f := cfg.Upstream.ParentProxyPasswordFile; f != "" {
			data, err := os.ReadFile(f)
			if err != nil {
				problems = append(problems, cfg.Problem("upstream.parent_proxy_password_file", err.Error(), ""))
			}
			o.ParentProxyPassword = strings.TrimRight(string(data), "\r\n")
		}
	}
	for i, h := range cfg.Upstreams {
		host, key, err := upstreamHost(inherited(h, cfg.Upstreams))
		if err != nil {
			problems = append(problems, cfg.Problem(fmt.Sprintf("upstreams[%d].%s", i, key), err.Error(), ""))
			continue
		}
		o.Hosts = append(o.Hosts, host)
	}
	return o, problems
}

// inherited is an upstream with, where it sends to another host, that host's own
// settings for what it does not say itself.
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

// upstreamHost reads the files of an upstream; of an error, it returns the key.
func upstreamHost(h configs.Upstream) (up upstream.Host, key string, err error) {
	up = upstream.Host{Pattern: h.Host, To: h.To, Port: h.Port, Pins: h.Pins}
	if h.Address != "" {
		if up.Address, up.AddressPort, err = host.ParseAuthority(h.Address); err != nil {
			return up, "address", err
		}
	}
	if h.CAFile != "" {
		data, err := os.ReadFile(h.CAFile)
		if err != nil {
			return up, "ca_file", err
		}
		if up.Roots, err = x509.SystemCertPool(); err != nil {
			up.Roots = x509.NewCertPool()
		}
		if !up.Roots.AppendCertsFromPEM(data) {
			return up, "ca_file", fmt.Errorf("%s holds no PEM certificate", h.CAFile)
		}
	}
	if kp := h.ClientCertificate; kp != (configs.KeyPair{}) {
		cert, err := tls.LoadX509KeyPair(kp.CertFile, kp.KeyFile)
		if err != nil {
			return up, "client_certificate", err
		}
		up.ClientCertificate = &cert
	}
	return up, "", nil
}
