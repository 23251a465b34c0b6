package configs

import "time"

// schema returns every key of the configuration file, bound to c. The order is
// that of the documentation.
func (l *loader) schema(c *Config) []key {
	return []key{
		entries("listen", &c.Listen, defaultListen, listenKeys, "write at least one entry, e.g. - address: 127.0.0.1:3128"),
		section("admin", l.adminKeys(&c.Admin)),
		entries("upstreams", &c.Upstreams, defaultUpstream, l.upstreamKeys, "write at least one entry, or remove the key for the default list"),
		value("others", &c.Others, othersKind),
		value("allow_internal_addresses", &c.AllowInternalAddresses, boolean),
		section("upstream", l.outboundKeys(&c.Upstream)),
		section("legacy_tls", l.legacyKeys(&c.LegacyTLS)),
		section("clients", l.clientKeys(&c.Clients)),
		section("policy", policyKeys(&c.Policy)),
		section("rewrite", rewriteKeys(&c.Rewrite)),
		section("state", []key{value("file", &c.State.File, l.anyPath("ledger.json"))}),
		section("limits", limitKeys(&c.Limits)),
		section("log", []key{
			value("level", &c.Log.Level, levelKind),
			value("format", &c.Log.Format, formatKind),
		}),
	}
}

var (
	othersKind = oneOf(OthersRefuse, OthersTunnel, OthersPass, OthersAuto)
	levelKind  = oneOf(LevelDebug, LevelInfo, LevelWarn, LevelError)
	formatKind = oneOf(FormatJSON, FormatConsole)

	// timeout is a time that something may take: never none, never for ever.
	timeout = span(time.Millisecond, day)
)

func listenKeys(c *Listen) []key {
	return []key{
		value("address", &c.Address, listenAddress).must(),
		list("accept", &c.Accept, oneOf(WayForward, WayConnect, WayGateway, WayTLS), "write at least one way in"),
		value("transparent", &c.Transparent, boolean),
		list("proxy_protocol_from", &c.ProxyProtocolFrom, prefix, ""),
		value("client", &c.Client, clientName),
		list("allow", &c.Allow, prefix, "remove the key to let everyone connect"),
		list("unauthenticated", &c.Unauthenticated, oneOf(WayGateway, WayTLS, WayTransparent), "remove the key"),
		value("default_upstream", &c.DefaultUpstream, hostname),
	}
}

func (l *loader) adminKeys(c *Admin) []key {
	return []key{
		value("address", &c.Address, adminAddress),
		value("token_file", &c.TokenFile, l.inputFile("admin-token")),
		value("public", &c.Public, adminAddress),
		list("hosts", &c.Hosts, hostname, ""),
		value("quit", &c.Quit, boolean),
		value("pprof", &c.Pprof, boolean),
	}
}

func (l *loader) upstreamKeys(c *Upstream) []key {
	return []key{
		value("host", &c.Host, hostPattern).must(),
		value("to", &c.To, hostname),
		value("address", &c.Address, hostPort("10.0.0.7:8443", 1)),
		value("ca_file", &c.CAFile, l.inputFile("extra.pem")),
		list("pins", &c.Pins, pin, "write at least one pin, or remove the key"),
		optional("client_certificate", &c.ClientCertificate, func(pair *KeyPair) []key {
			return []key{
				value("cert_file", &pair.CertFile, l.inputFile("client.pem")).must(),
				value("key_file", &pair.KeyFile, l.inputFile("client-key.pem")).must(),
			}
		}),
		value("port", &c.Port, whole[uint16](1, 65535)),
	}
}

func (l *loader) outboundKeys(c *Outbound) []key {
	return []key{
		value("min_tls", &c.MinTLS, outboundVersion),
		value("parent_proxy", &c.ParentProxy, parentProxy),
		value("parent_proxy_password_file", &c.ParentProxyPasswordFile, l.inputFile("proxy-password")),
		list("parent_proxy_except", &c.ParentProxyExcept, parentExcept, ""),
		list("dns_servers", &c.DNSServers, nameServer, ""),
		value("warm_connections", &c.WarmConnections, whole(0, 64)),
		value("max_connections", &c.MaxConnections, whole(1, 65536)),
		value("idle_timeout", &c.IdleTimeout, timeout),
		value("dial_timeout", &c.DialTimeout, timeout),
		value("tls_timeout", &c.TLSTimeout, timeout),
		value("response_timeout", &c.ResponseTimeout, timeout),
	}
}

func (l *loader) legacyKeys(c *LegacyTLS) []key {
	return []key{
		value("min_version", &c.MinVersion, legacyVersion),
		optional("ca", &c.CA, func(pair *KeyPair) []key {
			return []key{
				value("cert_file", &pair.CertFile, l.inputFile("ca.pem")),
				value("key_file", &pair.KeyFile, l.inputFile("ca-key.pem")),
			}
		}),
		value("handshake_timeout", &c.HandshakeTimeout, timeout),
		value("sslv2_hello", &c.SSLv2Hello, boolean),
		value("rc4", &c.RC4, boolean),
		value("sha1_leaf", &c.SHA1Leaf, boolean),
		list("terminate_clients", &c.TerminateClients, clientName, ""),
		value("allow_unconstrained_ca", &c.AllowUnconstrainedCA, boolean),
	}
}

func (l *loader) clientKeys(c *Clients) []key {
	return []key{
		entries("names", &c.Names, func() ClientName { return ClientName{} }, func(n *ClientName) []key {
			return []key{
				value("name", &n.Name, clientName).must(),
				list("match", &n.Match, prefix, "write at least one address or range").must(),
			}
		}, ""),
		value("workload", &c.Workload, clientName),
		value("proxy_user", &c.ProxyUser, oneOf(ProxyUserOff, ProxyUserName)),
		value("users_file", &c.UsersFile, l.inputFile("htpasswd")),
		value("account", &c.Account, oneOf(AccountOff, AccountPlain, AccountHash)),
		value("account_key_file", &c.AccountKeyFile, l.inputFile("account-key")),
		value("track", &c.Track, whole(1, 1_000_000)),
		value("label_limit", &c.LabelLimit, whole(0, 10_000)),
	}
}

func policyKeys(c *Policy) []key {
	return []key{
		value("target", &c.Target, wholeDay),
		value("migrated_after", &c.MigratedAfter, span(time.Second, 3650*day)),
		named("clients", &c.Clients, func(p *ClientPolicy) []key {
			return []key{value("migrated", &p.Migrated, moment)}
		}),
	}
}

func rewriteKeys(c *Rewrite) []key {
	return []key{
		value("location", &c.Location, boolean),
		value("cookies", &c.Cookies, boolean),
		value("hsts", &c.HSTS, boolean),
		value("wsdl", &c.WSDL, boolean),
	}
}

func limitKeys(c *Limits) []key {
	return []key{
		value("header_bytes", &c.HeaderBytes, size(kib, mib)),
		value("body_bytes", &c.BodyBytes, size(1, gib)),
		value("response_buffer", &c.ResponseBuffer, size(1, 64*mib)),
		value("memory", &c.Memory, sizeOr("auto", 8*mib, 64*gib)),
		value("connections", &c.Connections, whole(1, 1_000_000)),
		value("connections_per_client", &c.ConnectionsPerClient, whole(1, 1_000_000)),
		value("header_timeout", &c.HeaderTimeout, timeout),
		value("body_timeout", &c.BodyTimeout, timeout),
		value("idle_timeout", &c.IdleTimeout, timeout),
		value("tunnel_idle_timeout", &c.TunnelIdleTimeout, span(time.Millisecond, 7*day)),
		value("drain_delay", &c.DrainDelay, span(0, 10*time.Minute)),
		value("drain_timeout", &c.DrainTimeout, span(time.Millisecond, time.Hour)),
		value("upgrade_timeout", &c.UpgradeTimeout, span(time.Second, 7*24*time.Hour)),
	}
}
