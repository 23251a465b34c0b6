package authority

import (
	"crypto/x509"
	"testing"
	"time"
)

// The demo's CA lives two days: that is no reason for an alarm when it is new.
func TestExpiresSoonByItsOwnLife(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		life, left time.Duration
		want       bool
	}{
		"the demo's":            {2 * day, 47 * time.Hour, false},
		"the demo's last hours": {2 * day, 10 * time.Hour, true},
		"ten years, a month":    {3650 * day, 29 * day, true},
		"ten years, two months": {3650 * day, 60 * day, false},
		"a quarter, half of it": {90 * day, 45 * day, false},
		"over":                  {2 * day, -time.Hour, false}, // Valid says that
	} {
		ca := CA{Cert: &x509.Certificate{NotBefore: now.Add(c.left - c.life), NotAfter: now.Add(c.left)}}
		if got := ca.ExpiresSoon(now); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
