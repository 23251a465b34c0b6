package main

import (
	"slices"
	"strings"
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
