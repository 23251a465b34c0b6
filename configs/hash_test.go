package configs

import (
	"net/netip"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
)

// TestHash: the same values have the same hash, however they are written, and
// each change of a value shows.
func TestHash(t *testing.T) {
	t.Parallel()
	seen := map[string]string{Default().Hash(): "the defaults"}
	if got, want := loaded(t, Source{File: written(t, exampleFile), Reload: true}).Hash(), loaded(t, Source{}).Hash(); got != want || len(got) != 16 {
		t.Errorf("the example has the hash %q, the defaults %q", got, want)
	}
	for name, change := range map[string]func(*Config){
		"an address":        func(c *Config) { c.Listen[0].Address = ":1" },
		"a way in":          func(c *Config) { c.Listen[0].Accept = []call.Ingress{call.TLS} },
		"a range":           func(c *Config) { c.Listen[0].Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
		"another range":     func(c *Config) { c.Listen[0].Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/9")} },
		"a default host":    func(c *Config) { c.Listen[0].DefaultUpstream = host.MustParse("a.example") },
		"another host":      func(c *Config) { c.Listen[0].DefaultUpstream = host.MustParse("b.example") },
		"an upstream":       func(c *Config) { c.Upstreams[0].Host = host.Exact(host.MustParse("a.example")) },
		"a pin":             func(c *Config) { c.Upstreams[0].Pins = [][32]byte{{1}} },
		"a file":            func(c *Config) { c.LegacyTLS.CA = CA{CertFile: "a", KeyFile: "b"} },
		"a name server":     func(c *Config) { c.Upstream.DNSServers = []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")} },
		"a limit":           func(c *Config) { c.Limits.Connections++ },
		"a time":            func(c *Config) { c.Limits.DrainTimeout++ },
		"a target":          func(c *Config) { c.Policy.Target = time.Unix(1, 0) },
		"a declared client": func(c *Config) { c.Policy.Clients = map[string]ClientPolicy{"a": {Migrated: time.Unix(1, 0)}} },
		"another date":      func(c *Config) { c.Policy.Clients = map[string]ClientPolicy{"a": {Migrated: time.Unix(2, 0)}} },
	} {
		c := Default()
		change(c)
		if other := seen[c.Hash()]; other != "" {
			t.Errorf("%s: the hash is that of %s", name, other)
		}
		seen[c.Hash()] = name
	}
}
