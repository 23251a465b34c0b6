package proxy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/proxy/authority"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
	"tlslift/proxy/upstream"
)

// newLegacy prepares the TLS side towards old clients. Without a CA there is
// none: their hellos are refused, counted and explained.
func (s *Server) newLegacy(st *settings) error {
	cfg := st.cfg
	if cfg.LegacyTLS.CA == nil {
		return nil
	}
	ca, err := authority.Load(authority.LoadOptions{
		CertFile:           cfg.LegacyTLS.CA.CertFile,
		KeyFile:            cfg.LegacyTLS.CA.KeyFile,
		AllowUnconstrained: cfg.LegacyTLS.AllowUnconstrainedCA,
		Now:                s.now(),
	})
	if err != nil {
		return err
	}
	st.ca = ca
	if s.authority == nil {
		if s.authority, err = authority.New(authority.Options{CA: ca, Names: leafNames(cfg), OnMint: s.leafMinted}); err != nil {
			return err
		}
		s.tickets = legacy.NewTickets(nil)
	}
	st.legacy, err = legacy.NewServer(legacy.Options{
		Certificates: s.authority,
		MinVersion:   cfg.LegacyTLS.MinVersion.Wire(),
		RC4:          cfg.LegacyTLS.RC4,
		SHA1Leaf:     cfg.LegacyTLS.SHA1Leaf,
		SSLv2Hello:   cfg.LegacyTLS.SSLv2Hello,
		Timeout:      cfg.LegacyTLS.HandshakeTimeout,
		Tickets:      s.tickets,
	})
	return err
}

// adoptCA puts the CA of the settings in force: the last step of a reload,
// which cannot fail any more.
func (s *Server) adoptCA(st *settings) {
	if st.ca == nil || s.authority == nil {
		s.metrics.CANotAfter(time.Time{})
		return
	}
	if err := s.authority.Reload(st.ca, leafNames(st.cfg)); err != nil {
		s.log.Error("the CA could not be put in force", zap.Error(err))
		return
	}
	s.metrics.CANotAfter(st.ca.Cert.NotAfter)
}

func (s *Server) leafMinted() {
	if s.metrics != nil {
		s.metrics.LeafMinted()
	}
}

// leafNames are those of the leaf for callers that name no host.
func leafNames(cfg *configs.Config) []host.Pattern {
	names := []host.Pattern{host.Exact(host.MustParse(host.SelfTest))}
	for _, u := range cfg.Upstreams {
		names = append(names, u.Host)
	}
	return names
}

// CAPEM is the root that clients install, in PEM; nil without a CA.
func (s *Server) CAPEM() []byte {
	st := s.settings.Load()
	if st.ca == nil {
		return nil
	}
	return st.ca.RootPEM()
}

// CANotAfter is when the CA ends; zero without one.
func (s *Server) CANotAfter() time.Time {
	st := s.settings.Load()
	if st.ca == nil {
		return time.Time{}
	}
	return st.ca.Cert.NotAfter
}

// ClientNames are the clients that the configuration knows: listeners', ranges',
// the workload, policy's, and those of the users file.
func (s *Server) ClientNames() []string {
	st := s.settings.Load()
	names := st.ladder.Configured()
	for _, l := range st.cfg.Listen {
		if l.Client != "" {
			names = append(names, l.Client)
		}
	}
	names = append(names, st.cfg.LegacyTLS.TerminateClients...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Check builds everything of a configuration that can fail without starting
// anything: what only the rooms can judge, such as a CA's constraints. Its
// error is a configs.Problems.
func Check(cfg *configs.Config) error {
	s := &Server{clock: time.Now, log: zap.NewNop()}
	var problems configs.Problems
	note := func(err error) {
		var more configs.Problems
		switch {
		case err == nil:
		case errors.As(err, &more):
			problems = append(problems, more...)
		default:
			problems = append(problems, cfg.Problem("upstream", err.Error(), ""))
		}
	}
	_, err := s.newSettings(cfg)
	note(err)
	o, err := s.upstreamOptions(cfg)
	note(err)
	if err == nil {
		t, err := upstream.New(o)
		note(err)
		if err == nil {
			t.Close()
		}
	}
	problems = append(problems, outsideCA(cfg)...)
	problems = append(problems, ourselves(cfg)...)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// Warnings are what an operator would want to know of a configuration that is
// valid: settings that have no effect, and old clients that will be refused.
func Warnings(cfg *configs.Config) []string {
	var out []string
	if cfg.LegacyTLS.CA == nil {
		out = append(out, "legacy_tls.ca is not set: clients that offer only TLS 1.0 or 1.1 are refused, counted and explained in the log; `tlslift ca init` makes one")
	}
	if cfg.Clients.Workload != "" && len(cfg.Clients.Names) > 0 {
		out = append(out, "clients.names has no effect: clients.workload names everybody here")
	}
	if cfg.Clients.AccountKeyFile != "" && cfg.Clients.Account != configs.AccountHash {
		out = append(out, "clients.account_key_file has no effect: clients.account is "+string(cfg.Clients.Account))
	}
	if ca := cfg.LegacyTLS.CA; ca != nil && readableByOthers(ca.KeyFile) {
		out = append(out, ca.KeyFile+" can be read by others: whoever has it can speak for the API to every client that trusts the CA; chmod 600 it")
	}
	if ca := loadedCA(cfg); ca != nil && ca.Constrained() && !ca.ExcludesAddresses() {
		out = append(out, cfg.LegacyTLS.CA.CertFile+" does not exclude IP addresses: whoever steals its key can pretend to be any address; make one with `tlslift ca init`, or add the constraint")
	}
	for _, u := range cfg.Upstreams {
		if keys := idleWhenSpliced(u); len(keys) > 0 {
			out = append(out, fmt.Sprintf("upstreams: %s: %s cannot apply to clients that speak TLS 1.2 or higher themselves: their connections are spliced, end to end", u.Host, strings.Join(keys, ", ")))
		}
	}
	return out
}

// readableByOthers looks at a key file's mode, where modes mean that.
func readableByOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// idleWhenSpliced are the keys of an upstream that a spliced connection cannot
// honour.
func idleWhenSpliced(u configs.Upstream) []string {
	var keys []string
	if !u.To.IsZero() {
		keys = append(keys, "to")
	}
	if u.CAFile != "" {
		keys = append(keys, "ca_file")
	}
	if len(u.Pins) > 0 {
		keys = append(keys, "pins")
	}
	if u.ClientCertificate != nil {
		keys = append(keys, "client_certificate")
	}
	return keys
}

// loadedCA is the CA of a configuration; nil when there is none that can be
// loaded, which newSettings says.
func loadedCA(cfg *configs.Config) *authority.CA {
	if cfg.LegacyTLS.CA == nil {
		return nil
	}
	ca, err := authority.Load(authority.LoadOptions{
		CertFile: cfg.LegacyTLS.CA.CertFile, KeyFile: cfg.LegacyTLS.CA.KeyFile,
		AllowUnconstrained: cfg.LegacyTLS.AllowUnconstrainedCA, Now: time.Now(),
	})
	if err != nil {
		return nil
	}
	return ca
}

// outsideCA names the upstreams that the CA may not speak for.
func outsideCA(cfg *configs.Config) configs.Problems {
	ca := loadedCA(cfg)
	if ca == nil {
		return nil
	}
	var out configs.Problems
	for i, u := range cfg.Upstreams {
		if !ca.Permits(u.Host.Domain()) {
			out = append(out, cfg.Problem(fmt.Sprintf("upstreams[%d].host", i),
				fmt.Sprintf("%s is outside the name constraints of %s: old clients that ask for it would be refused", u.Host, cfg.LegacyTLS.CA.CertFile),
				"make a CA with --domain for it, or leave the host out"))
		}
	}
	return out
}

// accountKey reads the key of hashed accounts, or makes one for the life of
// the process.
func accountKey(file string) ([]byte, error) {
	if file == "" {
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("account_key_file: %w", err)
	}
	return []byte(strings.TrimSpace(string(key))), nil
}
