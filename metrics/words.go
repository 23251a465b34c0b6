package metrics

import (
	"strings"
	"unicode/utf8"
)

// Label values outside every configured set. They begin with an underscore, so
// that no host and no client can be taken for them.
const (
	// OtherUpstream is foreign traffic passed or tunnelled.
	OtherUpstream = "_other"
	// DeniedUpstream is traffic that was refused before it had an upstream.
	DeniedUpstream = "_denied"
	// OverflowClient is every client beyond the label limit.
	OverflowClient = "_overflow"
)

// HandshakeReason says why a client's TLS handshake failed. Its String is the
// value of the label "reason" of tlslift_client_handshake_failures_total.
type HandshakeReason uint8

// The reasons. HandshakeOther is the zero value.
const (
	HandshakeOther            HandshakeReason = iota
	HandshakeVersion                          // offers nothing we may speak
	HandshakeNoSharedCipher                   // shares no cipher suite with us, or with the upstream when spliced
	HandshakeSignature                        // no signature algorithm in common
	HandshakeSSLv2Hello                       // an SSLv2-framed hello that was not accepted
	HandshakeClientRejectedCA                 // the client does not trust our CA
	HandshakeClientAlert                      // the client gave up with another alert
	HandshakeTimeout
	HandshakeEOF    // closed without an alert
	HandshakeNotTLS // neither HTTP nor TLS
	numHandshakeReasons
)

// HandshakeReasons lists every reason.
var HandshakeReasons = [numHandshakeReasons]HandshakeReason{
	HandshakeVersion, HandshakeNoSharedCipher, HandshakeSignature, HandshakeSSLv2Hello,
	HandshakeClientRejectedCA, HandshakeClientAlert, HandshakeTimeout, HandshakeEOF,
	HandshakeNotTLS, HandshakeOther,
}

var handshakeWords = [numHandshakeReasons]string{
	HandshakeOther: "other", HandshakeVersion: "version", HandshakeNoSharedCipher: "no_shared_cipher",
	HandshakeSignature: "signature", HandshakeSSLv2Hello: "sslv2_hello",
	HandshakeClientRejectedCA: "client_rejected_ca", HandshakeClientAlert: "client_alert",
	HandshakeTimeout: "timeout", HandshakeEOF: "eof", HandshakeNotTLS: "not_tls",
}

func (r HandshakeReason) String() string {
	if r >= numHandshakeReasons {
		return handshakeWords[HandshakeOther]
	}
	return handshakeWords[r]
}

// HandshakeReasonOf returns the reason with that word, HandshakeOther for any
// other word.
func HandshakeReasonOf(word string) HandshakeReason {
	for r, w := range handshakeWords {
		if w == word {
			return HandshakeReason(r)
		}
	}
	return HandshakeOther
}

// words is a closed set of label values; a value's index is its place.
type words []string

// The closed sets that other rooms pass as words, in the order of the contract.
var (
	decisions   = words{"allow", "warn", "brownout", "refuse"}
	credentials = words{"query", "basic", "bearer", "form", "soap"}
	framings    = words{"tls", "sslv2"}
	origins     = words{"upstream", "tlslift"}
	phases      = words{"dns", "connect", "tls", "first_byte"}
	poolStates  = words{"idle", "busy"}
	rewrites    = words{
		"location", "content_location", "refresh", "link", "cookie", "hsts", "alt_svc", "csp",
	}
)

// index returns the place of word, -1 when the set has no such word. The sets
// are short: comparing is faster than hashing.
func (w words) index(word string) int {
	for i, s := range w {
		if s == word {
			return i
		}
	}
	return -1
}

// maxLabel bounds the label values that callers choose (client names taken
// from credentials, accounts), in bytes.
const maxLabel = 128

// clean returns s as a label value: valid UTF-8 and bounded. What is clean
// already is returned as it is.
func clean(s string) string {
	if len(s) > maxLabel {
		s = strings.ToValidUTF8(s[:maxLabel], "")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func trueFalse(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
