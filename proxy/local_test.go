package proxy

import (
	"net/netip"
	"testing"
)

func TestLocalAddrsCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound, at string
		want      bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "127.0.0.1:2", false},
		{"127.0.0.1:1", "127.0.0.2:1", false},
		{"0.0.0.0:1", "127.0.0.2:1", true},
		{"0.0.0.0:1", "[::1]:1", false}, // an IPv4 literal listens on IPv4 alone
		{"0.0.0.0:1", "192.0.2.1:1", false},
		{"[::]:1", "[::1]:1", true},
		{"[::]:1", "127.0.0.1:1", true},
	} {
		if got := new(LocalAddrs).Covers(netip.MustParseAddrPort(c.bound), netip.MustParseAddrPort(c.at)); got != c.want {
			t.Errorf("%s at %s: %v", c.bound, c.at, got)
		}
	}
}
