package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/configs"
	"tlslift/proxy/call"
	"tlslift/proxy/identity"
)

// A declaration that is still to come is noted: calls until then are neither
// migrated nor regressed.
func TestEarlyDeclarationsAreNoted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	cfg := &configs.Config{Policy: configs.Policy{Clients: map[string]configs.ClientPolicy{
		"billing":  {Migrated: time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)},
		"archive":  {Migrated: time.Date(2026, 12, 1, 16, 0, 0, 0, time.FixedZone("", 2*60*60))},
		"payments": {Migrated: now},
		"mailer":   {Migrated: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
		"till":     {},
	}}}
	want := []string{
		"policy.clients.archive.migrated is in the future (2026-12-01T16:00:00+02:00): it has no effect until then",
		"policy.clients.billing.migrated is in the future (2027-06-01): it has no effect until then",
	}
	if got := early(cfg, now); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A CA for old clients does not help them at min_version 1.2.
func TestAFloorOf12IsNoted(t *testing.T) {
	t.Parallel()
	ca := configs.CA{CertFile: "ca.pem", KeyFile: "ca-key.pem"}
	for floor, want := range map[call.Version]bool{call.Version10: false, call.Version11: false, call.Version12: true} {
		got := refusesOld(&configs.LegacyTLS{CA: ca, MinVersion: floor})
		if (len(got) == 1) != want {
			t.Errorf("%s: %q", floor, got)
		}
	}
	for _, one := range []configs.LegacyTLS{{MinVersion: call.Version12}, {CA: ca, MinVersion: call.Version10}} {
		if got := refusesOld(&one); (len(got) == 1) != (one.CA == configs.CA{}) {
			t.Errorf("%v: %q", one, got)
		}
	}
}

// The target is the end of its day.
func TestATargetThatHasPassedIsNoted(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for day, want := range map[int]bool{-1: true, 0: false, 1: false} {
		end := time.Date(2026, 12, 2+day, 0, 0, 0, 0, time.UTC)
		got := pastTarget(&configs.Config{Policy: configs.Policy{Target: end}}, now)
		if (len(got) == 1) != want || want && !strings.HasPrefix(got[0], "policy.target is in the past (2026-11-30): ") {
			t.Errorf("%d days on: %q", day, got)
		}
	}
	if got := pastTarget(&configs.Config{}, now); got != nil {
		t.Errorf("without a target: %q", got)
	}
}

// A declaration under a name that nothing else has is noted where it must be
// misspelt, and where it is likely to be.
func TestMisspeltDeclarationsAreNoted(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	base := configs.Config{
		Listen: []configs.Listen{{Client: "billing"}, {Client: "crm"}},
		Policy: configs.Policy{Clients: map[string]configs.ClientPolicy{
			"biling": {Migrated: day}, "payroll": {Migrated: day}, "billing": {Migrated: day}, "10.0.0.1": {Migrated: day}, "till": {}, "erp": {Migrated: day},
		}},
	}
	const short = "policy.clients.erp: it is declared migrated, and nothing else in the configuration names it; did you mean crm?"
	const near = "policy.clients.biling: it is declared migrated, and nothing else in the configuration names it; did you mean billing?"
	const none = "policy.clients.payroll: it is declared migrated, and nothing else in the configuration names it: compare it with clients.names and the client of each listener"
	for users, want := range map[string][]string{"": {near, short, none}, "users.txt": {near}} {
		cfg := base
		cfg.Clients.Account, cfg.Clients.UsersFile = identity.AccountOff, users
		if got := misspeltDeclarations(&cfg); !slices.Equal(got, want) {
			t.Errorf("users_file %q: %q, want %q", users, got, want)
		}
	}
}

// A client to terminate that no caller can be at its ClientHello is noted: the
// account is known only from the request.
func TestClientsThatNothingTerminatesAreNoted(t *testing.T) {
	t.Parallel()
	cfg := configs.Config{
		Listen:    []configs.Listen{{Client: "billing"}},
		Clients:   configs.Clients{Account: identity.AccountPlain, Workload: "ns/app"},
		LegacyTLS: configs.LegacyTLS{TerminateClients: []string{"billing", "ns/app", "10.0.0.1", "2001:db8::/64", "acct1"}},
	}
	want := []string{"legacy_tls.terminate_clients: acct1 has no effect: no caller has that name before its TLS begins; name an address, or give callers the name in clients.names or in client of a listener"}
	if got := terminatesNobody(&cfg); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	cfg.Clients.ProxyUser = true
	if got := terminatesNobody(&cfg); got != nil {
		t.Errorf("a caller may name itself: %q", got)
	}
}
