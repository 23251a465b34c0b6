package configs

import (
	"time"

	"tlslift/proxy/host"
)

// Default returns the configuration of an empty file. Each call returns a new
// one that shares nothing with the others.
func Default() *Config {
	return &Config{
		Listen: []Listen{defaultListen()},
		Admin:  Admin{Address: "127.0.0.1:9128"},
		Upstreams: defaultUpstreams(
			"api.smsportal.com", "rest.smsportal.com", "smsportal.com",
			"www.mymobileapi.com", "mymobileapi.com", "rest.mymobileapi.com", "legacy.mymobileapi.com",
			"*.smsportal.com", "*.mymobileapi.com",
		),
		Others: OthersAuto,
		Upstream: Outbound{
			MinTLS:          TLS12,
			WarmConnections: 2,
			MaxConnections:  256,
			IdleTimeout:     90 * time.Second,
			DialTimeout:     5 * time.Second,
			TLSTimeout:      5 * time.Second,
			ResponseTimeout: 90 * time.Second,
		},
		LegacyTLS: LegacyTLS{
			MinVersion:       TLS10,
			HandshakeTimeout: 10 * time.Second,
			SSLv2Hello:       true,
		},
		Clients: Clients{
			ProxyUser:  ProxyUserOff,
			Account:    AccountOff,
			Track:      10000,
			LabelLimit: 100,
		},
		Policy:  Policy{MigratedAfter: 14 * day},
		Rewrite: Rewrite{Location: true, Cookies: true, HSTS: true, WSDL: true},
		Limits:  defaultLimits(),
		Log:     Log{Level: LevelInfo, Format: FormatJSON},
	}
}

// defaultListen is what an entry of listen is before its keys are read.
func defaultListen() Listen {
	return Listen{
		Address: "127.0.0.1:3128",
		Accept:  []Way{WayForward, WayConnect, WayGateway, WayTLS},
	}
}

// defaultUpstreams are entries for the hosts and patterns, which are valid.
func defaultUpstreams(patterns ...string) []Upstream {
	all := make([]Upstream, len(patterns))
	for i, text := range patterns {
		all[i] = defaultUpstream()
		all[i].Host, _ = host.ParsePattern(text) // TestExampleIsTheDefault reads the same
	}
	return all
}

// defaultUpstream is what an entry of upstreams is before its keys are read.
func defaultUpstream() Upstream { return Upstream{Port: 443} }

func defaultLimits() Limits {
	return Limits{
		HeaderBytes:          64 * kib,
		BodyBytes:            10 * mib,
		ResponseBuffer:       1 * mib,
		Connections:          4096,
		ConnectionsPerClient: 1024,
		HeaderTimeout:        10 * time.Second,
		BodyTimeout:          60 * time.Second,
		IdleTimeout:          120 * time.Second,
		TunnelIdleTimeout:    10 * time.Minute,
		DrainTimeout:         25 * time.Second,
		UpgradeTimeout:       10 * time.Minute,
	}
}

const (
	kib int64 = 1 << 10
	mib int64 = 1 << 20
	gib int64 = 1 << 30

	day = 24 * time.Hour
)
