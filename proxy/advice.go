package proxy

import "tlslift/proxy/call"

// adviceNoSharedCipher is what the operator can do for a client that offers
// TLS 1.2 and none of the upstream's suites.
const adviceNoSharedCipher = "it offers TLS 1.2 but shares no cipher suite with the upstream: update its TLS library, or list it in legacy_tls.terminate_clients until then"

// adviceSSLv2Framed is for a client that offers TLS 1.2 in SSL 2.0 framing.
const adviceSSLv2Framed = "it offers TLS 1.2 but greets in SSL 2.0 framing, which the upstream does not read: turn SSLv2Hello (SSL 2.0) off in the client, or list it in legacy_tls.terminate_clients until then"

// What can be done about other alerts of an upstream's.
const (
	adviceUpstreamVersion = "the upstream does not speak the TLS versions that it offers: update its TLS library, or list it in legacy_tls.terminate_clients until then"
	adviceUpstreamName    = "the upstream does not serve the host that it names: compare the name in its configuration with the API's"
	adviceUpstreamAlert   = "the upstream refused it with the TLS alert of that number: tlslift passed both through untouched; listing it in legacy_tls.terminate_clients lets tlslift speak to the upstream instead"
)

// adviceUpstreamRoots is for a client that speaks modern TLS with old roots.
const adviceUpstreamRoots = "it does not trust the certificate of the real API: update its root certificates"

// adviceNoCA is for a client that would have to be terminated.
const adviceNoCA = "tlslift has no CA to answer it with: make one with `tlslift ca init`, set legacy_tls.ca and install the root at the client; or let the client call http through tlslift"

// adviceFor says what to do about a client that could not get in.
var adviceFor = map[call.HandshakeFailure]string{
	call.HandshakeVersion:          "it offers no version that legacy_tls.min_version permits, or fell back although it can do better: update its TLS library",
	call.HandshakeNoSharedCipher:   "it shares no cipher suite with tlslift: update its TLS library; if RC4 is all it has, legacy_tls.rc4 helps until then",
	call.HandshakeSignature:        "it verifies no signature that tlslift can make: update its TLS library",
	call.HandshakeSSLv2Hello:       "it greets in SSL 2.0 framing: allow that with legacy_tls.sslv2_hello, or turn SSLv2Hello off in the client",
	call.HandshakeClientRejectedCA: "it does not trust tlslift's CA: install the root (/ca.pem on the admin address, `tlslift ca export`) in the store this client uses; see docs/certificates.md",
	call.HandshakeClientAlert:      "the client gave up by itself: its own log says why",
	call.HandshakeTimeout:          "the client did not finish the handshake within legacy_tls.handshake_timeout",
	call.HandshakeEOF:              "the client hung up during the handshake: it may not trust tlslift's CA, see docs/certificates.md",
	call.HandshakeNotTLS:           "what it sent is no TLS",
	call.HandshakeOther:            "see the other fields of this line",
}
