package configs

import (
	"net/netip"
	"time"

	"tlslift/proxy/host"
)

// Config is the whole configuration. It mirrors the YAML file key by key; a
// Config that Load returned has been validated and its paths and names normalised. It is not changed after Load: a reload makes a new one.
type Config struct {
	Listen    []Listen   // at least one
	Admin     Admin      //
	Upstreams []Upstream // whose requests are upgraded; at least one

	// Others says what happens to hosts that are no upstream.
	Others Others
	// AllowInternalAddresses lets upstream names, and the foreign hosts of callers
	// that are not on this host, be private or loopback addresses.
	AllowInternalAddresses bool

	Upstream  Outbound
	LegacyTLS LegacyTLS
	Clients   Clients
	Policy    Policy
	Rewrite   Rewrite
	State     State
	Limits    Limits
	Log       Log

	origins origins // where each key was given, for Problem
}

// Listen is one listening address and what is done there.
type Listen struct {
	Address     string // host:port; port 0 picks one
	Accept      []Way  // ways in, at least one; default all
	Transparent bool   // original destinations are taken from the kernel
	// ProxyProtocolFrom lists who sends the PROXY protocol: it is required from
	// them and an error from others.
	ProxyProtocolFrom []netip.Prefix
	Client            string         // everything on this port is this client; "" = not set
	Allow             []netip.Prefix // who may connect; empty = everyone who can reach the address
	// Unauthenticated lists ways in that stay open beside Clients.UsersFile
	// although they cannot carry proxy credentials: gateway, tls, transparent.
	Unauthenticated []Way
	DefaultUpstream host.Name // for callers that name no host at all; zero = none
}

// Admin is the operator's side.
type Admin struct {
	Address   string      // host:port of everything; "" = off
	TokenFile string      // path of the bearer token; required when Address is not loopback
	Public    string      // host:port of metrics and probes alone; "" = off
	Hosts     []host.Name // names that are accepted as Host there, besides this machine's
	Quit      bool        // POST /quit ends the process
	Pprof     bool        // serve /debug/pprof/
}

// Upstream is a host, or a pattern of hosts, whose requests are upgraded.
type Upstream struct {
	Host    host.Pattern // international names in ASCII (RFC 5891)
	To      host.Name    // host to use instead for connecting, SNI, verification and Host; zero = Host
	Address string       // host:port to connect to instead of resolving; "" = resolve
	CAFile  string       // path of PEM certificates trusted here besides the system's; "" = none
	// Pins are SHA-256 digests of SubjectPublicKeyInfo (RFC 7469 2.4): one of
	// them must be in the verified chain. Empty = no pinning.
	Pins              [][32]byte
	ClientCertificate *KeyPair // nil = none
	Port              uint16   // 1 to 65535, default 443
}

// KeyPair names a PEM certificate chain and its private key.
type KeyPair struct {
	CertFile, KeyFile string // paths
}

// Outbound is the TLS side towards the upstreams.
type Outbound struct {
	MinTLS                  TLSVersion       // 1.2 or 1.3
	ParentProxy             string           // http or https://[user@]host:port to CONNECT through; "" = none
	ParentProxyPasswordFile string           // path; "" = no password
	ParentProxyExcept       []ParentExcept   // reached without the parent proxy
	DNSServers              []netip.AddrPort // empty = those of resolv.conf
	WarmConnections         int              // kept ready per host in use; 0 to 64, 0 = off
	MaxConnections          int              // per host; 1 to 65536
	IdleTimeout             time.Duration    // upper bound for an idle connection
	DialTimeout             time.Duration    // name, connect and parent proxy together
	TLSTimeout              time.Duration    // one TLS handshake
	ResponseTimeout         time.Duration    // from the request's last byte to the response head
}

// LegacyTLS is the TLS side towards old clients.
type LegacyTLS struct {
	MinVersion           TLSVersion    // 1.0, 1.1 or 1.2 (1.2 = terminate nobody below)
	CA                   *KeyPair      // nil: legacy hellos are refused, counted and explained
	HandshakeTimeout     time.Duration //
	SSLv2Hello           bool          // accept the SSLv2-framed hello
	RC4                  bool          // offer RC4 suites
	SHA1Leaf             bool          // a second, SHA-1 signed leaf
	TerminateClients     []string      // clients that are terminated even at 1.2 and above
	AllowUnconstrainedCA bool          // take a CA without name constraints
}

// Clients says how callers are told apart.
type Clients struct {
	Names          []ClientName  // names for addresses; the longest prefix wins
	Workload       string        // everything on this instance is this one client; "" = not set
	ProxyUser      ProxyUserMode // off or name
	UsersFile      string        // path of a bcrypt htpasswd; "" = no proxy authentication
	Account        AccountMode   // off, plain or hash
	AccountKeyFile string        // path of the key for hash, at least 16 bytes; "" = one made at start
	Track          int           // ledger rows; 1 to 1,000,000
	LabelLimit     int           // discovered clients with a metric label; 0 to 10,000, at most Track
}

// ClientName is a name for addresses and ranges.
type ClientName struct {
	Name  string
	Match []netip.Prefix // masked, IPv4-mapped addresses unmapped; at least one
}

// Policy is by when all clients shall be migrated, and when one counts as
// migrated.
type Policy struct {
	Target        time.Time               // the end of the day, in UTC, by which all shall be done; zero = none
	MigratedAfter time.Duration           // secure, and nothing insecure for this long: migrated
	Clients       map[string]ClientPolicy // by client name; nil = none
}

// ClientPolicy is what the configuration says of one client.
type ClientPolicy struct {
	Migrated time.Time // declared migrated by its owner then; zero = not declared
}

// Rewrite says what is rewritten in answers to clients that see http.
type Rewrite struct {
	Location bool // Location, Content-Location, Refresh, Link
	Cookies  bool // Secure and SameSite=None of Set-Cookie
	HSTS     bool // Strict-Transport-Security, Alt-Svc, CSP upgrade-insecure-requests
	WSDL     bool // addresses in WSDL and XML schema documents
}

// State is what survives a restart.
type State struct {
	File string // path of the ledger; "" = memory only
}

// Limits bound what callers can cost. Sizes are in bytes.
type Limits struct {
	HeaderBytes          int64         // request head; 1 KiB to 1 MiB
	BodyBytes            int64         // request body; 1 to 1 GiB
	ResponseBuffer       int64         // answers held until complete; 1 to 64 MiB
	Memory               int64         // held for callers in sum; 8 MiB to 64 GiB, 0 = auto
	Connections          int           // 1 to 1,000,000
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64; 1 to Connections
	HeaderTimeout        time.Duration // until the head is complete
	BodyTimeout          time.Duration // without progress of a body
	IdleTimeout          time.Duration // between two requests
	TunnelIdleTimeout    time.Duration // without a byte in either direction
	DrainDelay           time.Duration // still accepting after SIGTERM; 0 to 10 minutes
	DrainTimeout         time.Duration // from SIGTERM to the end, DrainDelay included
	UpgradeTimeout       time.Duration // from SIGUSR2, for what the old process still has
}

// Log is what is logged and how.
type Log struct {
	Level  LogLevel  // debug, info, warn or error
	Format LogFormat // json or console
}
