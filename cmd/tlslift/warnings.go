package main

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"tlslift/configs"
	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/identity"
	"tlslift/proxy/suggest"
)

// warnings returns what an operator should know about a valid configuration:
// settings without effect, old clients that will be refused, and similar notes.
func warnings(in *loaded) []string {
	cfg, signer := in.cfg, in.settings.CA
	var out []string
	out = append(out, refusesOld(&cfg.LegacyTLS)...)
	out = append(out, notValid(cfg, signer, time.Now())...)
	out = append(out, expiresSoon(cfg, signer, time.Now())...)
	if cfg.Clients.Workload != "" && len(cfg.Clients.Names) > 0 {
		out = append(out, "clients.names has no effect: clients.workload names every caller here")
	}
	if cfg.Clients.AccountKeyFile != "" && cfg.Clients.Account != identity.AccountHash {
		out = append(out, "clients.account_key_file has no effect: clients.account is "+cfg.Clients.Account.String())
	}
	if ca := cfg.LegacyTLS.CA; ca != (configs.CA{}) && readableByOthers(ca.KeyFile) {
		out = append(out, ca.KeyFile+" can be read by other users, and anyone who has it can impersonate the API to every client that trusts the CA: run chmod 600")
	}
	if signer != nil && signer.Constrained() && !signer.ExcludesAddresses() {
		out = append(out, cfg.LegacyTLS.CA.CertFile+" does not exclude IP addresses, so anyone who steals its key can impersonate any address: make a new CA with `tlslift ca init`, or add the constraint")
	}
	if signer != nil && cfg.LegacyTLS.SHA1Leaf && !signer.SignedWithSHA1() {
		out = append(out, "legacy_tls.sha1_leaf: "+cfg.LegacyTLS.CA.CertFile+" has no SHA-1 signed intermediate, so clients that verify nothing newer refuse the chain: make a CA with `tlslift ca init --sha1`")
	}
	out = append(out, misspeltDeclarations(cfg)...)
	out = append(out, terminatesNobody(cfg)...)
	out = append(out, early(cfg, time.Now())...)
	out = append(out, pastTarget(cfg, time.Now())...)
	out = append(out, nameless(cfg)...)
	out = append(out, closedByUsers(cfg)...)
	out = append(out, tooFewDescriptors(cfg)...)
	out = append(out, stateFileNotes(cfg)...)
	for _, u := range cfg.Upstreams {
		if keys := idleWhenSpliced(u); len(keys) > 0 {
			out = append(out, fmt.Sprintf("upstreams: %s: %s cannot apply to clients that speak TLS 1.2 or higher themselves: their connections are spliced, end to end", u.Host, strings.Join(keys, ", ")))
		}
	}
	return out
}

// refusesOld notes that old TLS clients are refused, and why.
func refusesOld(legacy *configs.LegacyTLS) []string {
	switch {
	case legacy.CA == (configs.CA{}):
		return []string{"legacy_tls.ca is not set: clients that offer only TLS 1.0 or 1.1 are refused, counted and explained in the log; make a CA with `tlslift ca init`"}
	case legacy.MinVersion == call.Version12:
		return []string{"legacy_tls.min_version is 1.2: clients that offer only TLS 1.0 or 1.1 are refused, as without a CA; remove it to accept them"}
	default:
		return nil
	}
}

// notValid notes that the CA has expired, or is not valid yet.
func notValid(cfg *configs.Config, ca *authority.CA, now time.Time) []string {
	if ca == nil {
		return nil
	}
	if err := ca.Valid(now); err != nil {
		return []string{fmt.Sprintf("legacy_tls.ca: %s %v, so clients that offer only TLS 1.0 or 1.1 are refused: replace it as docs/certificates.md says under Renewing and removing, or correct this machine's clock",
			cfg.LegacyTLS.CA.CertFile, err)}
	}
	return nil
}

// lesserCA refuses to replace a valid CA with one that is not valid: most likely
// the wrong file was copied.
func lesserCA(inUse *authority.CA, in *loaded, now time.Time) error {
	next := in.settings.CA
	if inUse == nil || next == nil || inUse.Valid(now) != nil {
		return nil
	}
	if err := next.Valid(now); err != nil {
		return fmt.Errorf("legacy_tls.ca: %s %w; the CA in use is valid, so it stays: give the files of a valid one, or restart tlslift with these", in.cfg.LegacyTLS.CA.CertFile, err)
	}
	return nil
}

// expiresSoon notes that old TLS clients will soon need another CA.
func expiresSoon(cfg *configs.Config, ca *authority.CA, now time.Time) []string {
	if ca == nil || !ca.ExpiresSoon(now) {
		return nil
	}
	return []string{fmt.Sprintf("legacy_tls.ca: %s expires on %s: clients that offer only TLS 1.0 or 1.1 are refused from then on; replace it before, as docs/certificates.md says under Renewing and removing",
		cfg.LegacyTLS.CA.CertFile, ca.Cert.NotAfter.UTC().Format(time.DateOnly))}
}

// tooFewDescriptors notes a connection limit that cannot be reached.
func tooFewDescriptors(cfg *configs.Config) []string {
	if few := front.TooFewDescriptors(cfg.Limits.Connections); few != "" {
		return []string{few}
	}
	return nil
}

// misspeltDeclarations notes clients that are declared migrated but not named by
// any other key. If callers name themselves, it notes only a name that is close
// to a configured one, and not a short one such as erp or crm.
func misspeltDeclarations(cfg *configs.Config) []string {
	const short = 3
	known := slices.Collect(maps.Keys(configuredNames(cfg)))
	slices.Sort(known)
	var out []string
	for _, name := range declaredAlone(cfg) {
		note, near := "policy.clients."+name+": it is declared migrated, and ", suggest.Nearest(name, known)
		switch {
		case callersNameThemselves(cfg) && len(name) <= short:
		case near != "":
			out = append(out, note+"nothing else in the configuration names it; did you mean "+near+"?")
		case !callersNameThemselves(cfg):
			out = append(out, note+ledger.Unnamed)
		}
	}
	return out
}

// unnamed returns the clients that are declared migrated, but that no other key
// names and no caller can be. If such a name is misspelt, it hides that its
// client is not migrated.
func unnamed(cfg *configs.Config) []string {
	if callersNameThemselves(cfg) {
		return nil
	}
	return declaredAlone(cfg)
}

// terminatesNobody notes clients to terminate that no caller can be named as before
// its TLS begins. An API account is known only after that.
func terminatesNobody(cfg *configs.Config) []string {
	if cfg.Clients.ProxyUser || cfg.Clients.UsersFile != "" {
		return nil
	}
	known := configuredNames(cfg)
	var out []string
	for _, name := range cfg.LegacyTLS.TerminateClients {
		if !known[name] && !isAddress(name) {
			out = append(out, "legacy_tls.terminate_clients: "+name+" has no effect: no caller has that name before its TLS begins; name an address, or give callers the name in clients.names or in client of a listener")
		}
	}
	return out
}

// isAddress reports whether a client's name is an address, or the /64 of one.
func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(name, "/64"))
	return err == nil
}

func callersNameThemselves(cfg *configs.Config) bool {
	c := &cfg.Clients
	return c.Account != identity.AccountOff || c.ProxyUser || c.UsersFile != ""
}

// configuredNames returns the names that the configuration gives callers.
func configuredNames(cfg *configs.Config) map[string]bool {
	known := make(map[string]bool)
	for _, n := range cfg.Clients.Names {
		known[n.Name] = true
	}
	for _, l := range cfg.Listen {
		known[l.Client] = true
	}
	known[cfg.Clients.Workload] = true
	delete(known, "")
	return known
}

// declaredAlone returns the clients that are declared migrated but not named by
// any other key, except addresses, because callers are named by those.
func declaredAlone(cfg *configs.Config) []string {
	known := configuredNames(cfg)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Policy.Clients)) {
		if !isAddress(name) && !known[name] && !cfg.Policy.Clients[name].Migrated.IsZero() {
			out = append(out, name)
		}
	}
	return out
}

// early names the declarations whose date is still to come.
func early(cfg *configs.Config, now time.Time) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Policy.Clients)) {
		if at := cfg.Policy.Clients[name].Migrated; at.After(now) {
			out = append(out, fmt.Sprintf("policy.clients.%s.migrated is in the future (%s): it has no effect until then", name, sayMoment(at)))
		}
	}
	return out
}

// pastTarget notes a target that has passed, which may be a typo.
func pastTarget(cfg *configs.Config, now time.Time) []string {
	if t := cfg.Policy.Target; !t.IsZero() && !now.Before(t) {
		return []string{"policy.target is in the past (" + t.AddDate(0, 0, -1).Format(time.DateOnly) + "): page and report say that the migration is off track while a client is insecure"}
	}
	return nil
}

// sayMoment formats a time as the configuration does: the first instant of a day
// in UTC is just the date.
func sayMoment(at time.Time) string {
	if at.Equal(at.Truncate(24*time.Hour)) && at.Location() == time.UTC {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.RFC3339)
}

// nameless names the listeners in the API's own place, on port 443, that have no
// answer for callers that offer TLS 1.2 and name no server. Redirected callers
// have one: the address that they called.
func nameless(cfg *configs.Config) []string {
	var out []string
	for i, l := range cfg.Listen {
		_, port, _ := net.SplitHostPort(l.Address)
		if port == "443" && l.Ways().Has(call.TLS) && !l.Transparent && l.DefaultUpstream.IsZero() {
			out = append(out, fmt.Sprintf("listen[%d]: %s cannot answer clients that offer TLS 1.2 and name no server (SNI): they are refused; set default_upstream", i, l.Address))
		}
	}
	return out
}

// closedByUsers notes the listeners on which clients.users_file closes ways in
// without anyone having chosen so, because they cannot carry proxy credentials.
func closedByUsers(cfg *configs.Config) []string {
	var out []string
	for i, l := range cfg.Listen {
		if cfg.Clients.UsersFile != "" && !cfg.Given(fmt.Sprintf("listen[%d].accept", i)) && !l.Ways().Has(call.Gateway) {
			out = append(out, fmt.Sprintf("listen[%d]: %s accepts forward and connect alone, because the other ways in (base URLs, hosts-file entries, TLS straight to the port) cannot carry the credentials of clients.users_file; "+
				"write accept: [forward, connect] to choose this, or unauthenticated: [gateway, tls] to leave them open to anyone", i, l.Address))
		}
	}
	return out
}

// readableByOthers checks a key file's mode, on systems where that has a meaning.
func readableByOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0
}

// idleWhenSpliced returns the keys of an upstream that have no effect on a
// spliced connection.
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
	if u.ClientCertificate != (configs.KeyPair{}) {
		keys = append(keys, "client_certificate")
	}
	return keys
}

// outsideCA names the upstreams outside the CA's name constraints. tlslift starts
// anyway, because other clients and hosts are not affected.
func outsideCA(cfg *configs.Config, ca *authority.CA) configs.Problems {
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
