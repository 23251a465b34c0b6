// Package configs is the configuration of tlslift: its schema, its defaults,
// strict loading from a file, the environment and flags, and validation.
//
// Load finds everything that can be found wrong without a network. It reports all
// of it at once, each problem with its file, line, key and what to do.
package configs

import (
	"net/netip"
	"time"

	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/host"
	"tlslift/proxy/identity"
)

// Config is the whole configuration. Its tags are the single description of the
// file: decoding, defaults, variables, flags and the JSON schema follow them. A
// Config returned by Load is valid, and its paths and names are normalised. It is
// never changed: a reload makes a new one. The tags are
//
//	yaml     the key
//	default  the value as YAML, without the key; also for keys of a list's entries
//	range    the lowest and highest value
//	oneof    the accepted words: those that an enum's values print, or those for false and true
//	why      why no other word is accepted, as the end of a message
//	is       what a string holds; see formOf
//	needs    the keys that an optional section, or each entry, requires. If an entry requires one key, it may be just that key's value
//	empty    what to do about an empty list, if that is an error
//	once     what to do about a value in two entries, if that is an error
//	with     the key without which this one has no effect
//	most     the key whose value this one may not exceed; a default that exceeds it is lowered
//	example  a value, for messages
//	env      the variable, without TLSLIFT_
//	flag     the flag, without dashes
type Config struct {
	Listen    []Listen   `yaml:"listen" needs:"address" default:"['127.0.0.1:3128']" empty:"write at least one entry, e.g. - address: 127.0.0.1:3128" env:"LISTEN" flag:"listen"`
	Admin     Admin      `yaml:"admin"`
	Upstreams []Upstream `yaml:"upstreams" needs:"host" default:"[api.smsportal.com, rest.smsportal.com, smsportal.com, www.mymobileapi.com, mymobileapi.com, rest.mymobileapi.com, legacy.mymobileapi.com, '*.smsportal.com', '*.mymobileapi.com']" empty:"write at least one entry, or remove the key for the default list" flag:"upstream"`

	// Others says what happens to hosts that are not upstreams.
	Others decide.Others `yaml:"others" oneof:"refuse tunnel pass auto" default:"auto"`
	// AllowInternalAddresses lets upstream names, and the foreign hosts of callers
	// that are not on this host, be private or loopback addresses.
	AllowInternalAddresses bool `yaml:"allow_internal_addresses"`

	Upstream  Outbound  `yaml:"upstream"`
	LegacyTLS LegacyTLS `yaml:"legacy_tls"`
	Clients   Clients   `yaml:"clients"`
	Policy    Policy    `yaml:"policy"`
	Rewrite   Rewrite   `yaml:"rewrite"`
	State     State     `yaml:"state"`
	Limits    Limits    `yaml:"limits"`
	Log       Log       `yaml:"log"`

	origins origins // where each key was given, for Problem
}

// Listen is one listening address and its settings.
type Listen struct {
	Address     string         `yaml:"address" is:"listen address"`                                                                                             // host:port; port 0 picks one
	Accept      []call.Ingress `yaml:"accept" oneof:"forward connect gateway tls" default:"[forward, connect, gateway, tls]" empty:"write at least one way in"` // ways in, at least one
	Transparent bool           `yaml:"transparent"`                                                                                                             // take original destinations from the kernel
	// ProxyProtocolFrom lists who sends the PROXY protocol. It is required from
	// these addresses, and an error from others.
	ProxyProtocolFrom []netip.Prefix `yaml:"proxy_protocol_from"`
	Client            string         `yaml:"client" is:"client"`                                   // everything on this port is this client; "" = not set
	Allow             []netip.Prefix `yaml:"allow" empty:"remove the key to let everyone connect"` // who may connect; empty = everyone who can reach the address
	// Unauthenticated lists the ways in that stay open when Clients.UsersFile is
	// set, although they cannot carry proxy credentials: gateway, tls, transparent.
	Unauthenticated []call.Ingress `yaml:"unauthenticated" oneof:"gateway tls transparent" empty:"remove the key"`
	DefaultUpstream host.Name      `yaml:"default_upstream"` // for callers that name no host at all; zero = none
}

// Admin is the admin side.
type Admin struct {
	Address   string      `yaml:"address" is:"admin address" default:"127.0.0.1:9128" env:"ADMIN" flag:"admin"` // host:port for everything; "" = off
	TokenFile string      `yaml:"token_file" is:"file" example:"admin-token"`                                   // path of the bearer token; required if Address is not loopback
	Public    string      `yaml:"public" is:"admin address" env:"ADMIN_PUBLIC"`                                 // host:port for metrics and probes only; "" = off
	Hosts     []host.Name `yaml:"hosts" with:"address"`                                                         // names accepted there as Host, besides this machine's
	Quit      bool        `yaml:"quit" with:"address"`                                                          // POST /quit ends the process
	Pprof     bool        `yaml:"pprof" with:"address"`                                                         // serve /debug/pprof/
}

// Upstream is a host, or a pattern of hosts, whose requests are upgraded.
type Upstream struct {
	Host    host.Pattern `yaml:"host" once:"remove one of them"`        // international names in ASCII (RFC 5891)
	To      host.Name    `yaml:"to"`                                    // host to use instead for connecting, SNI, verification and Host; zero = Host
	Address string       `yaml:"address" is:"address"`                  // host:port to connect to instead of resolving; "" = resolve
	CAFile  string       `yaml:"ca_file" is:"file" example:"extra.pem"` // path of PEM certificates that are trusted here besides the system's; "" = none
	// Pins are SHA-256 digests of SubjectPublicKeyInfo (RFC 7469 2.4). The
	// verified chain must contain one of them. Empty = no pinning.
	Pins              [][32]byte `yaml:"pins" empty:"write at least one pin, or remove the key"`
	ClientCertificate KeyPair    `yaml:"client_certificate" needs:"cert_file key_file"` // zero = none
	Port              uint16     `yaml:"port" range:"1..65535" default:"443"`
}

// KeyPair names a PEM certificate chain and its private key.
type KeyPair struct {
	CertFile string `yaml:"cert_file" is:"file" example:"client.pem"`
	KeyFile  string `yaml:"key_file" is:"file" example:"client-key.pem"`
}

// CA names the certificate and key of the CA that signs leaves for old clients.
type CA struct {
	CertFile string `yaml:"cert_file" is:"file" example:"ca.pem" env:"CA_CERT"`
	KeyFile  string `yaml:"key_file" is:"file" example:"ca-key.pem" env:"CA_KEY"`
}

// Outbound is the TLS side to the upstreams.
type Outbound struct {
	MinTLS                  call.Version     `yaml:"min_tls" oneof:"1.2 1.3" why:": tlslift speaks nothing below TLS 1.2 to an upstream" default:"1.2"`
	ParentProxy             string           `yaml:"parent_proxy" is:"parent proxy"`                                    // http or https://[user@]host:port to CONNECT through; "" = none
	ParentProxyPasswordFile string           `yaml:"parent_proxy_password_file" is:"file" example:"proxy-password"`     // path; "" = no password
	ParentProxyExcept       []host.Set       `yaml:"parent_proxy_except" with:"parent_proxy"`                           // reached without the parent proxy
	DNSServers              []netip.AddrPort `yaml:"dns_servers"`                                                       // empty = those of resolv.conf
	WarmConnections         int              `yaml:"warm_connections" range:"0..64" default:"2" most:"max_connections"` // kept ready per host in use; 0 = off
	MaxConnections          int              `yaml:"max_connections" range:"1..65536" default:"256"`                    // per host
	IdleTimeout             time.Duration    `yaml:"idle_timeout" range:"1ms..1d" default:"90s"`                        // maximum for an idle connection
	DialTimeout             time.Duration    `yaml:"dial_timeout" range:"1ms..1d" default:"5s"`                         // for name, connect and parent proxy together
	TLSTimeout              time.Duration    `yaml:"tls_timeout" range:"1ms..1d" default:"5s"`                          // for one TLS handshake
	ResponseTimeout         time.Duration    `yaml:"response_timeout" range:"1ms..1d" default:"90s"`                    // from the request's last byte to the response head
}

// LegacyTLS is the TLS side to old clients.
type LegacyTLS struct {
	MinVersion           call.Version  `yaml:"min_version" oneof:"1.0 1.1 1.2" default:"1.0"` // 1.2 = terminate no older client
	CA                   CA            `yaml:"ca" needs:""`                                   // zero = legacy hellos are refused, counted and explained
	HandshakeTimeout     time.Duration `yaml:"handshake_timeout" range:"1ms..1d" default:"10s"`
	SSLv2Hello           bool          `yaml:"sslv2_hello" default:"true"`    // accept the SSLv2-framed hello
	RC4                  bool          `yaml:"rc4"`                           // offer RC4 suites
	SHA1Leaf             bool          `yaml:"sha1_leaf"`                     // a second, SHA-1 signed leaf
	TerminateClients     []string      `yaml:"terminate_clients" is:"client"` // clients that are terminated even with TLS 1.2 or later
	AllowUnconstrainedCA bool          `yaml:"allow_unconstrained_ca"`        // accept a CA without name constraints
}

// Clients says how to tell callers apart.
type Clients struct {
	Names          []ClientName         `yaml:"names" needs:"name match"`                  // names for addresses; the longest prefix wins
	Workload       string               `yaml:"workload" is:"client" env:"WORKLOAD"`       // everything on this instance is this client; "" = not set
	ProxyUser      bool                 `yaml:"proxy_user" oneof:"off name" default:"off"` // the user part of the proxy URL names the client, unchecked
	UsersFile      string               `yaml:"users_file" is:"file" example:"htpasswd"`   // path of a bcrypt htpasswd; "" = no proxy authentication
	Account        identity.AccountMode `yaml:"account" oneof:"off plain hash" default:"off"`
	AccountKeyFile string               `yaml:"account_key_file" is:"file" example:"account-key"`        // path of the key for hash, at least 16 bytes; "" = one made at start
	Track          int                  `yaml:"track" range:"1..1000000" default:"10000"`                // ledger rows
	LabelLimit     int                  `yaml:"label_limit" range:"0..10000" default:"100" most:"track"` // discovered clients with a metric label
}

// ClientName is a name for addresses and address ranges.
type ClientName struct {
	Name  string         `yaml:"name" is:"client" once:"put all its addresses into one entry"`
	Match []netip.Prefix `yaml:"match" once:"remove one of them" empty:"write at least one address or range"` // at least one; masked, with IPv4-mapped addresses unmapped
}

// Policy says by when all clients should be migrated, and when a client
// counts as migrated.
type Policy struct {
	Target        time.Time               `yaml:"target" is:"day"`                                // the end of the day, in UTC, by which all clients should be migrated; zero = none
	MigratedAfter time.Duration           `yaml:"migrated_after" range:"1s..3650d" default:"14d"` // a secure client is migrated after this long without an insecure call
	Clients       map[string]ClientPolicy `yaml:"clients"`                                        // by client name; nil = none
}

// ClientPolicy is what the configuration says about one client.
type ClientPolicy struct {
	Migrated time.Time `yaml:"migrated" is:"moment"` // when its owner declared it migrated; zero = not declared
}

// Rewrite says what to rewrite in answers to clients that see http.
type Rewrite struct {
	Location bool `yaml:"location" default:"true"` // Location, Content-Location, Refresh, Link
	Cookies  bool `yaml:"cookies" default:"true"`  // Secure and SameSite=None of Set-Cookie
	HSTS     bool `yaml:"hsts" default:"true"`     // Strict-Transport-Security, Alt-Svc, CSP upgrade-insecure-requests
	WSDL     bool `yaml:"wsdl" default:"true"`     // addresses in WSDL and XML schema documents
}

// State is what survives a restart.
type State struct {
	File string `yaml:"file" is:"path" example:"ledger.json"` // path of the ledger; "" = memory only
}

// Limits bound what callers can cost. Sizes are in bytes.
type Limits struct {
	HeaderBytes          int64         `yaml:"header_bytes" range:"1KiB..1MiB" default:"64KiB"`        // request head
	BodyBytes            int64         `yaml:"body_bytes" range:"1..1GiB" default:"10MiB"`             // request body
	ResponseBuffer       int64         `yaml:"response_buffer" range:"1..64MiB" default:"1MiB"`        // answers held until complete
	Memory               int64         `yaml:"memory" oneof:"auto" range:"8MiB..64GiB" default:"auto"` // total held for callers; 0 = auto
	Connections          int           `yaml:"connections" range:"1..1000000" default:"4096"`
	ConnectionsPerClient int           `yaml:"connections_per_client" range:"1..1000000" default:"1024" most:"connections"` // for one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration `yaml:"header_timeout" range:"1ms..1d" default:"10s"`                                // until the head is complete
	BodyTimeout          time.Duration `yaml:"body_timeout" range:"1ms..1d" default:"60s"`                                  // without progress in a body
	IdleTimeout          time.Duration `yaml:"idle_timeout" range:"1ms..1d" default:"120s"`                                 // between two requests
	TunnelIdleTimeout    time.Duration `yaml:"tunnel_idle_timeout" range:"1ms..7d" default:"10m"`                           // without a byte in either direction
	DrainDelay           time.Duration `yaml:"drain_delay" range:"0s..10m"`                                                 // still accepting after SIGTERM
	DrainTimeout         time.Duration `yaml:"drain_timeout" range:"1ms..1h" default:"25s"`                                 // from SIGTERM to the end, including DrainDelay
	UpgradeTimeout       time.Duration `yaml:"upgrade_timeout" range:"1s..7d" default:"10m"`                                // from SIGUSR2, to finish what the old process still has
}

// Log says what to log and how.
type Log struct {
	Level   zapcore.Level `yaml:"level" oneof:"debug info warn error" default:"info" env:"LOG_LEVEL" flag:"log-level"`
	Console bool          `yaml:"format" oneof:"json console" default:"json" env:"LOG_FORMAT" flag:"log-format"` // lines for people instead of JSON
}
