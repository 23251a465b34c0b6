package fixes

// Obstacle is what stands between a client and speaking TLS 1.2 by itself.
type Obstacle string

// Obstacles that are a client's verdict; package ledger says what each means.
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

// What a verdict leaves open.
const (
	NeverCalls Obstacle = "no-calls"   // is capable, and never makes a call
	Terminated Obstacle = "terminated" // is capable, and has not shown that it can call by itself
)

// Obstacles that are why one handshake failed, for the log: the operator can do
// something about them, or nobody need.
const (
	NoCA            Obstacle = "no-ca"            // we have no CA to terminate its TLS with
	CANotValid      Obstacle = "ca-not-valid"     // that CA has expired, or is not valid yet
	CANotPermitted  Obstacle = "ca-not-permitted" // that CA may not speak for the host
	VersionRefused  Obstacle = "version-refused"  // below legacy_tls.min_version
	FellBack        Obstacle = "fell-back"        // a second try with an old version (RFC 7507)
	NoCommonSuite   Obstacle = "no-common-suite"  // shares no suite with us
	NoSignature     Obstacle = "no-signature"     // verifies no signature of ours
	SSLv2Refused    Obstacle = "sslv2-refused"    // its framing is not accepted here
	SSLv2Upstream   Obstacle = "sslv2-upstream"   // its framing is not read by the upstream
	GaveUp          Obstacle = "gave-up"          // an alert of its own
	TooSlow         Obstacle = "too-slow"         // did not finish in time
	HungUp          Obstacle = "hung-up"          // closed before it was shown a certificate
	HungUpHere      Obstacle = "hung-up-here"     // closed when it was shown tlslift's certificate
	HungUpUpstream  Obstacle = "hung-up-upstream" // closed when it was shown the upstream's certificate
	NotTLS          Obstacle = "not-tls"          // is no TLS
	UpstreamVersion Obstacle = "upstream-version" // the upstream has none of its versions
	UpstreamName    Obstacle = "upstream-name"    // the upstream does not serve the name
	UpstreamAlert   Obstacle = "upstream-alert"   // the upstream sent another alert
	Unclear         Obstacle = "unclear"
)

// about says of each obstacle what its owner and the operator can do.
type about struct {
	sentence string // for the owner of the client
	silent   string // the same where the client never said so itself; "" = it always does
	first    string // what to look at first in a client whose hello was seen; "" = nothing
	unknown  string // what follows when neither program nor library is known
	operator string // what helps until then, for the operator of tlslift
	page     string // "" = none
	runtime  bool   // the runtime's own advice follows
	last     bool   // the obstacle's page comes after those of the runtime
	leave    bool   // what leads the client to tlslift is to be taken out
	stands   bool   // a client that is migrated has to change it, too
	stopgap  bool   // the sentence has a step that lets it call today, and does not give it TLS 1.2
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
		sentence: "It cannot get in: it has SSL 3.0 alone, or only ciphers that SMSPortal and tlslift refuse, such as export, DES, DHE and RC4-MD5. Until it is updated, have it call http:// addresses through tlslift, which works today.",
		page:     "shut-out", stopgap: true,
	},
	NoServerName: {
		sentence: "It offers TLS 1.2 and names no server (SNI), so tlslift cannot tell where to pass it on: have the client name the host, or call by CONNECT.",
		first:    "If its URL or its proxy setting begins with https:// and tlslift's address, write http:// there.",
		operator: "Or set default_upstream on the listener.",
		page:     "no-server-name",
	},
	NamesWrongHost: {
		sentence: "Its TLS hello names another host than the one it calls: have it name the API's host, not localhost or an alias.",
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

	NeverCalls: {sentence: "Nothing to change: it connects, and never makes a call (a scanner or a health check)."},
	Terminated: {
		sentence: "It offers TLS 1.2, but tlslift terminates its TLS (legacy_tls.terminate_clients), so it is not known whether it can call SMSPortal by itself: have the operator of tlslift take it out of that list, and see whether its calls still succeed.",
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
		sentence: "It hung up when it was shown tlslift's certificate, as programs do that do not trust it: install the CA where it looks, or change the client to TLS 1.2.",
		operator: "The root to trust is /ca.pem on the admin address, or `tlslift ca export`; see docs/certificates.md.",
	},
	HungUpUpstream: {sentence: "It hung up when it was shown SMSPortal's certificate, as programs do that do not trust it: update its root certificates."},
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
