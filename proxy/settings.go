package proxy

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"tlslift/configs"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	hosts "tlslift/proxy/host"
	"tlslift/proxy/identity"
	"tlslift/proxy/legacy"
	"tlslift/proxy/rewrite"
	"tlslift/proxy/upstream"
)

// Metrics labels of traffic that has no configured upstream.
const (
	labelOther  = "_other"
	labelDenied = "_denied"
)

// others is configs.Others resolved for one listener.
type others uint8

const (
	othersRefuse others = iota
	othersTunnel
	othersPass
)

// settings is what a reload replaces as a whole.
type settings struct {
	cfg      *configs.Config
	ladder   *identity.Ladder
	rewrite  rewrite.Options
	ca       *authority.CA     // nil: none is configured
	legacy   *legacy.Server    // nil without a CA
	othersOf map[string]others // by the listener's configured address
	lifted   map[string]bool   // clients terminated at 1.2 and above
}

func (st *settings) others(l *call.Listener) others { return st.othersOf[l.Address] }

func (st *settings) terminates(client string) bool { return st.lifted[client] }

// newSettings builds everything of a configuration that can fail, so that a
// reload is carried out whole or not at all.
func (s *Server) newSettings(cfg *configs.Config) (*settings, error) {
	st := &settings{
		cfg:      cfg,
		rewrite:  rewrite.Options{Location: cfg.Rewrite.Location, Cookies: cfg.Rewrite.Cookies, HSTS: cfg.Rewrite.HSTS},
		othersOf: make(map[string]others),
		lifted:   make(map[string]bool),
	}
	for _, l := range cfg.Listen {
		switch cfg.OthersFor(l) {
		case configs.OthersPass:
			st.othersOf[l.Address] = othersPass
		case configs.OthersTunnel:
			st.othersOf[l.Address] = othersTunnel
		default:
			st.othersOf[l.Address] = othersRefuse
		}
	}
	for _, c := range cfg.LegacyTLS.TerminateClients {
		st.lifted[c] = true
	}
	var problems configs.Problems
	var err error
	if st.ladder, err = newLadder(cfg, s.now); err != nil {
		problems = append(problems, cfg.Problem("clients", err.Error(), ""))
	}
	if err := s.newLegacy(st); err != nil {
		problems = append(problems, cfg.Problem("legacy_tls.ca", err.Error(), ""))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return st, nil
}

func newLadder(cfg *configs.Config, clock func() time.Time) (*identity.Ladder, error) {
	o := identity.Options{
		Workload:  cfg.Clients.Workload,
		ProxyUser: cfg.Clients.ProxyUser == configs.ProxyUserName,
		Clock:     clock,
	}
	for _, n := range cfg.Clients.Names {
		o.Names = append(o.Names, identity.Name{Name: n.Name, Match: n.Match})
	}
	for name := range cfg.Policy.Clients {
		o.Known = append(o.Known, name)
	}
	slices.Sort(o.Known)
	switch cfg.Clients.Account {
	case configs.AccountPlain:
		o.Account = identity.AccountPlain
	case configs.AccountHash:
		o.Account = identity.AccountHash
		key, err := accountKey(cfg.Clients.AccountKeyFile)
		if err != nil {
			return nil, err
		}
		o.AccountKey = key
	}
	if f := cfg.Clients.UsersFile; f != "" {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("users_file: %w", err)
		}
		users, problems := identity.ParseHtpasswd(data)
		if len(problems) > 0 {
			return nil, fmt.Errorf("users_file %s: %w", f, errors.Join(problems...))
		}
		if len(users) == 0 {
			return nil, fmt.Errorf("users_file %s holds no user: nobody could pass", f)
		}
		o.Users = users
	}
	l, err := identity.New(o)
	return l, err
}

// upstreamOptions maps the configuration to the upstream room's options.
func (s *Server) upstreamOptions(cfg *configs.Config) (upstream.Options, error) {
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
		Own:             s.Own,
		Logger:          s.log,
		Observer:        upstreamObserver{s.metrics},
	}
	for _, d := range cfg.Upstream.DNSServers {
		o.DNSServers = append(o.DNSServers, d.String())
	}
	if p := cfg.Upstream.ParentProxy; p != "" {
		u, err := url.Parse(p)
		if err != nil {
			return o, configs.Problems{cfg.Problem("upstream.parent_proxy", "is not a URL", "write e.g. http://proxy.example:8080")}
		}
		o.ParentProxy = u
		if f := cfg.Upstream.ParentProxyPasswordFile; f != "" {
			data, err := os.ReadFile(f)
			if err != nil {
				return o, configs.Problems{cfg.Problem("upstream.parent_proxy_password_file", err.Error(), "")}
			}
			o.ParentProxyPassword = strings.TrimRight(string(data), "\r\n")
		}
	}
	var problems configs.Problems
	for i, h := range cfg.Upstreams {
		host, err := upstreamHost(inherited(h, cfg.Upstreams))
		if err != nil {
			problems = append(problems, cfg.Problem(fmt.Sprintf("upstreams[%d]", i), err.Error(), ""))
			continue
		}
		o.Hosts = append(o.Hosts, host)
	}
	if len(problems) > 0 {
		return o, problems
	}
	return o, nil
}

// inherited is an upstream with, where it sends to another host, that host's own
// settings for what it does not say itself.
func inherited(h configs.Upstream, all []configs.Upstream) configs.Upstream {
	if h.To.IsZero() {
		return h
	}
	var target *configs.Upstream
	for i, u := range all {
		switch exact := hosts.Exact(h.To); {
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
	if h.ClientCertificate == nil {
		h.ClientCertificate = target.ClientCertificate
	}
	return h
}

func upstreamHost(h configs.Upstream) (upstream.Host, error) {
	host := upstream.Host{Pattern: h.Host, To: h.To, Port: h.Port}
	if h.Address != "" {
		var err error
		if host.Address, host.AddressPort, err = hosts.ParseAuthority(h.Address); err != nil {
			return host, fmt.Errorf("address: %w", err)
		}
	}
	for i := range h.Pins {
		host.Pins = append(host.Pins, h.Pins[i][:])
	}
	if h.CAFile != "" {
		data, err := os.ReadFile(h.CAFile)
		if err != nil {
			return host, fmt.Errorf("ca_file: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(data) {
			return host, fmt.Errorf("ca_file %s holds no PEM certificate", h.CAFile)
		}
		host.Roots = pool
	}
	if kp := h.ClientCertificate; kp != nil {
		cert, err := tls.LoadX509KeyPair(kp.CertFile, kp.KeyFile)
		if err != nil {
			return host, fmt.Errorf("client_certificate: %w", err)
		}
		host.ClientCertificate = &cert
	}
	return host, nil
}

// UpstreamOptions is upstreamOptions for those who want the upstream side
// alone, such as `tlslift check --online`.
func UpstreamOptions(cfg *configs.Config) (upstream.Options, error) {
	s := new(Server)
	o, err := s.upstreamOptions(cfg)
	o.Own, o.Logger, o.Observer = nil, nil, nil
	return o, err
}
