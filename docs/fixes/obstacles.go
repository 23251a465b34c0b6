package fixes

// Obstacle is what keeps a client from speaking TLS 1.2 by itself.
type Obstacle string

// Obstacles that are a client's verdict; see package ledger for their meanings.
const (
	ShutOut           Obstacle = "shut-out"
	DistrustsCA       Obstacle = "distrusts-ca"
	DistrustsUpstream Obstacle = "distrusts-upstream"
	NoSharedCipher    Obstacle = "no-shared-cipher"
	NoServerName      Obstacle = "no-server-name"
	SSLv2Framed       Obstacle = "sslv2-framed"
	LegacyOnly        Obstacle = "legacy-only"
	NamesWrongHost    Obstacle = "names-wrong-host"
	Capable           Obstacle = "capable"
	Plaintext         Obstacle = "plaintext"
)

// Cases that a verdict leaves open.
const (
	NeverCalls Obstacle = "no-calls"   // is capable, but never makes a call
	Terminated Obstacle = "terminated" // is capable, but has not shown that it can call by itself
)

// Obstacles that explain one failed handshake, for the log. Either the operator
// can do something about them, or nobody needs to.
const (
	NoCA            Obstacle = "no-ca"            // we have no CA to terminate its TLS with
	CANotValid      Obstacle = "ca-not-valid"     // that CA has expired, or is not valid yet
	CANotPermitted  Obstacle = "ca-not-permitted" // the host is outside that CA's name constraints
	VersionRefused  Obstacle = "version-refused"  // below legacy_tls.min_version
	FellBack        Obstacle = "fell-back"        // a second attempt with an old version (RFC 7507)
	NoCommonSuite   Obstacle = "no-common-suite"  // shares no suite with us
	NoSignature     Obstacle = "no-signature"     // cannot verify any signature of ours
	SSLv2Refused    Obstacle = "sslv2-refused"    // its framing is not accepted by tlslift
	SSLv2Upstream   Obstacle = "sslv2-upstream"   // its framing is not accepted by the upstream
	GaveUp          Obstacle = "gave-up"          // it sent an alert of its own
	TooSlow         Obstacle = "too-slow"         // did not finish in time
	HungUp          Obstacle = "hung-up"          // closed before it was shown a certificate
	HungUpHere      Obstacle = "hung-up-here"     // closed when it was shown tlslift's certificate
	HungUpUpstream  Obstacle = "hung-up-upstream" // closed when it was shown the upstream's certificate
	NotTLS          Obstacle = "not-tls"          // what it sent is not TLS
	UpstreamVersion Obstacle = "upstream-version" // the upstream supports none of its versions
	UpstreamName    Obstacle = "upstream-name"    // the upstream does not serve the name
	UpstreamAlert   Obstacle = "upstream-alert"   // the upstream sent another alert
	Unclear         Obstacle = "unclear"
)

// about says what a client's owner and the operator can do about an obstacle.
type about struct {
	sentence string // for the owner of the client
	silent   string // the sentence if only the client's silence suggests the obstacle; "" = that cannot be
	first    string // what to look at first if the client's hello was seen; "" = nothing
	unknown  string // what follows if neither program nor library is known
	operator string // what the operator of tlslift can do until then
	page     string // "" = none
	runtime  bool   // the runtime's own advice follows
	last     bool   // the obstacle's page comes after those of the runtime
	leave    bool   // the setting that leads the client to tlslift should be removed
	stands   bool   // a migrated client has to change it too
	stopgap  bool   // the advice has a step that lets it call today but does not give it TLS 1.2
}

var obstacles = map[Obstacle]about{
	Plaintext: {
		sentence: "Change its URL to the API's https address.",
		page:     "http-to-https", runtime: true,
	},
	LegacyOnly: {
		sentence: "It offers at most TLS 1.1.",
		unknown:  "Update its runtime or TLS library to one that has TLS 1.2. If it has TLS 1.2 already, remove what limits it.",
		page:     "other", runtime: true, last: true,
	},
	SSLv2Framed: {
		sentence: "Its hello has the SSL 2.0 format, which modern servers refuse.",
		unknown:  "Turn SSLv2Hello (SSL 2.0) off in it, and update its runtime or TLS library.",
		page:     "other", runtime: true, last: true,
	},
	Capable: {
		sentence: "It can speak TLS 1.2 already: let it use the API's https addresses without tlslift.",
		page:     "drop-the-proxy", leave: true,
	},
	NoSharedCipher: {
		sentence: "It offers TLS 1.2, but no cipher suite that SMSPortal accepts: update its TLS library or remove its cipher list.",
		operator: "Until then, list it in legacy_tls.terminate_clients.",
		page:     "shared-ciphers",
	},
	ShutOut: {
		sentence: "It cannot connect: it has only SSL 3.0, or only ciphers that SMSPortal and tlslift refuse, such as export, DES, DHE and RC4-MD5. Until it is updated, have it call http:// addresses through tlslift, which works today.",
		page:     "shut-out", stopgap: true,
	},
	NoServerName: {
		sentence: "It offers TLS 1.2 and names no server (SNI), so tlslift does not know where to send it: have the client name the host, or call by CONNECT.",
		first:    "If its URL or its proxy setting begins with https:// and tlslift's address, write http:// there.",
		operator: "Or set default_upstream on the listener.",
		page:     "no-server-name", stopgap: true,
	},
	NamesWrongHost: {
		sentence: "Its TLS hello does not name the API host that it calls: have it name that host, not localhost or an alias.",
		operator: "If it is a host of the API, add it to upstreams.",
		page:     "names-wrong-host", stands: true,
	},
	DistrustsCA: {
		sentence: "It rejects tlslift's certificate: install the CA where it looks, or change the client to TLS 1.2.",
		silent:   "It leaves after the TLS handshake without a word, so it may not trust tlslift's certificate: unless it is a health check, install the CA where it looks, or change the client to TLS 1.2.",
		operator: "The root to trust is /ca.pem on the admin address, or `tlslift ca export`; see docs/certificates.md.",
		page:     "trust-the-ca", stopgap: true,
	},
	DistrustsUpstream: {
		sentence: "It rejects SMSPortal's certificate: update its root certificates.",
		silent:   "It leaves after the TLS handshake without a word, so it may not trust SMSPortal's certificate: unless it is a health check, update its root certificates.",
		page:     "upstream-certificate",
	},

	NeverCalls: {sentence: "Nothing to change if it is a scanner or a health check, which connects and never makes a call. If it is an application, the log lines with its name say why its calls fail."},
	Terminated: {
		sentence: "It offers TLS 1.2, but tlslift terminates its TLS (legacy_tls.terminate_clients), so it is not known whether it can call SMSPortal by itself: have the operator of tlslift remove it from that list, and see whether its calls still succeed.",
		page:     "drop-the-proxy",
	},

	NoCA: {
		sentence: "It offers at most TLS 1.1, and tlslift has no CA to answer it with.",
		operator: "Make a CA with `tlslift ca init`, set legacy_tls.ca and install the root at the client; or let the client call http through tlslift.",
		runtime:  true,
	},
	CANotValid: {
		sentence: "tlslift's CA has expired, or is not valid yet, so tlslift has no certificate for it.",
		operator: "Replace the CA as docs/certificates.md says under Renewing and removing, or correct the clock of tlslift's machine.",
	},
	CANotPermitted: {
		sentence: "tlslift's CA may not speak for the host that it calls, so tlslift has no certificate for it.",
		operator: "Make a CA with `tlslift ca init --domain` for the host, and install its root at the client.",
	},
	VersionRefused: {
		sentence: "It offers no version that legacy_tls.min_version permits.",
		unknown:  "Update its TLS library.",
		runtime:  true,
	},
	FellBack: {
		sentence: "It can speak TLS 1.2, fell back to an older version, and was refused: find what breaks its first try, such as a firewall, or remove the list of versions in the program.",
		page:     "drop-the-proxy",
	},
	NoCommonSuite: {
		sentence: "It shares no cipher suite with tlslift: update its TLS library.",
		operator: "If RC4 is all it has, legacy_tls.rc4 helps until then.", runtime: true,
	},
	NoSignature: {sentence: "It verifies no signature that tlslift can make: update its TLS library.", runtime: true},
	SSLv2Refused: {
		sentence: "Its hello has the SSL 2.0 format: turn SSLv2Hello (SSL 2.0) off in it.",
		operator: "Or allow that with legacy_tls.sslv2_hello.", runtime: true,
	},
	SSLv2Upstream: {
		sentence: "It offers TLS 1.2, but its hello has the SSL 2.0 format, which SMSPortal does not read: turn SSLv2Hello (SSL 2.0) off in it.",
		operator: "Until then, list it in legacy_tls.terminate_clients.",
		page:     "other",
	},
	GaveUp:  {sentence: "It gave up by itself: its own log says why."},
	TooSlow: {sentence: "It did not finish the handshake in time.", operator: "The time is legacy_tls.handshake_timeout."},
	HungUp:  {sentence: "It hung up before it was shown a certificate."},
	HungUpHere: {
		sentence: "It hung up when it was shown tlslift's certificate, as programs that do not trust it do: install the CA where it looks, or change the client to TLS 1.2.",
		operator: "The root to trust is /ca.pem on the admin address, or `tlslift ca export`; see docs/certificates.md.",
	},
	HungUpUpstream: {sentence: "It hung up when it was shown SMSPortal's certificate, as programs that do not trust it do: update its root certificates."},
	NotTLS:         {sentence: "What it sent is not TLS."},
	UpstreamVersion: {
		sentence: "The upstream has none of the TLS versions that it offers: update its TLS library.",
		operator: "Until then, list it in legacy_tls.terminate_clients.",
	},
	UpstreamName: {sentence: "The upstream does not serve the host that it names: compare the name in its configuration with the API's."},
	UpstreamAlert: {
		sentence: "The upstream refused it with the TLS alert of that number; tlslift passed both through untouched.",
		operator: "With legacy_tls.terminate_clients, tlslift speaks to the upstream instead.",
	},
	Unclear: {sentence: "The other fields of this line say more."},
}
