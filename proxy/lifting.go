package proxy

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/proxy/authority"
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
		return fmt.Errorf("legacy_tls.ca: %w", err)
	}
	st.ca = ca
	if s.authority == nil {
		if s.authority, err = authority.New(authority.Options{CA: ca, Names: leafNames(cfg), OnMint: s.leafMinted}); err != nil {
			return fmt.Errorf("legacy_tls.ca: %w", err)
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
	if err != nil {
		return fmt.Errorf("legacy_tls: %w", err)
	}
	return nil
}

// adoptCA puts the CA of the settings in force: the last step of a reload,
// which cannot fail any more.
func (s *Server) adoptCA(st *settings) {
	if st.ca == nil || s.authority == nil {
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
func leafNames(cfg *configs.Config) []string {
	names := []string{SelfTestHost}
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

// Check builds everything of a configuration that can fail without starting
// anything: what only the rooms can judge, such as a CA's constraints.
func Check(cfg *configs.Config) error {
	s := &Server{clock: time.Now, log: zap.NewNop()}
	if _, err := s.newSettings(cfg); err != nil {
		return err
	}
	o, err := s.upstreamOptions(cfg)
	if err != nil {
		return err
	}
	t, err := upstream.New(o)
	if err != nil {
		return err
	}
	t.Close()
	if outside := outsideCA(cfg); len(outside) > 0 {
		return errors.New(strings.Join(outside, "\n"))
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
	for _, u := range cfg.Upstreams {
		if keys := idleWhenSpliced(u); len(keys) > 0 {
			out = append(out, fmt.Sprintf("upstreams: %s: %s cannot apply to clients that speak TLS 1.2 or higher themselves: their connections are spliced, end to end", u.Host, strings.Join(keys, ", ")))
		}
	}
	return out
}

// idleWhenSpliced are the keys of an upstream that a spliced connection cannot
// honour.
func idleWhenSpliced(u configs.Upstream) []string {
	var keys []string
	if u.To != "" {
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

// outsideCA names the upstreams that the CA may not speak for.
func outsideCA(cfg *configs.Config) []string {
	if cfg.LegacyTLS.CA == nil {
		return nil
	}
	ca, err := authority.Load(authority.LoadOptions{
		CertFile: cfg.LegacyTLS.CA.CertFile, KeyFile: cfg.LegacyTLS.CA.KeyFile,
		AllowUnconstrained: cfg.LegacyTLS.AllowUnconstrainedCA, Now: time.Now(),
	})
	if err != nil {
		return nil // Check has said so
	}
	var out []string
	for _, u := range cfg.Upstreams {
		if !ca.Permits(strings.TrimPrefix(u.Host, "*.")) {
			out = append(out, fmt.Sprintf("upstreams: %s is outside the name constraints of %s: old clients that ask for it are refused", u.Host, cfg.LegacyTLS.CA.CertFile))
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
		return nil, fmt.Errorf("clients.account_key_file: %w", err)
	}
	return []byte(strings.TrimSpace(string(key))), nil
}
