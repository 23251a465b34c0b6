package main

import (
	"slices"
	"testing"
	"time"

	"tlslift/configs"
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
