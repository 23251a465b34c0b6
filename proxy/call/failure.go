package call

// HandshakeFailure says why a client's TLS handshake failed. Its String is the
// value of the label "reason" of tlslift_client_handshake_failures_total.
type HandshakeFailure uint8

// The failures. HandshakeOK is the zero value: no failure.
const (
	HandshakeOK                     HandshakeFailure = iota
	HandshakeVersion                                 // offers no version that we may negotiate
	HandshakeNoSharedCipher                          // shares no cipher suite with us, or with the upstream when spliced
	HandshakeSignature                               // no signature algorithm in common
	HandshakeSSLv2Hello                              // an SSLv2-framed hello that was not accepted
	HandshakeClientRejectedCA                        // the client does not trust the certificate it was shown
	HandshakeClientRejectedUpstream                  // the same for the upstream's certificate, when spliced
	HandshakeNoServerName                            // offers TLS 1.2, names no server (SNI), and the listener has no answer for such callers
	HandshakeClientAlert                             // the client gave up with another alert
	HandshakeTimeout                                 // did not finish in time
	HandshakeEOF                                     // closed without an alert
	HandshakeNotTLS                                  // neither HTTP nor TLS
	HandshakeNoCall                                  // it succeeded, but the client left without a call
	HandshakeOther
	numHandshakeFailures
)

// HandshakeFailures lists every failure.
var HandshakeFailures = [...]HandshakeFailure{
	HandshakeVersion, HandshakeNoSharedCipher, HandshakeSignature, HandshakeSSLv2Hello,
	HandshakeClientRejectedCA, HandshakeClientRejectedUpstream, HandshakeNoServerName, HandshakeNoCall,
	HandshakeClientAlert, HandshakeTimeout, HandshakeEOF,
	HandshakeNotTLS, HandshakeOther,
}

var handshakeWords = [numHandshakeFailures]string{
	HandshakeOK: "", HandshakeVersion: "version", HandshakeNoSharedCipher: "no_shared_cipher",
	HandshakeSignature: "signature", HandshakeSSLv2Hello: "sslv2_hello",
	HandshakeClientRejectedCA: "client_rejected_ca", HandshakeClientRejectedUpstream: "client_rejected_upstream",
	HandshakeNoServerName: "no_server_name", HandshakeNoCall: "no_call", HandshakeClientAlert: "client_alert",
	HandshakeTimeout: "timeout", HandshakeEOF: "eof", HandshakeNotTLS: "not_tls", HandshakeOther: "other",
}

func (f HandshakeFailure) String() string {
	if f >= numHandshakeFailures {
		return handshakeWords[HandshakeOther]
	}
	return handshakeWords[f]
}

// ParseHandshakeFailure is the inverse of String, for stored values. It reports false
// for any other word.
func ParseHandshakeFailure(word string) (HandshakeFailure, bool) {
	for f, w := range handshakeWords {
		if w == word && w != "" {
			return HandshakeFailure(f), true
		}
	}
	return HandshakeOther, false
}
