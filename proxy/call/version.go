package call

import "crypto/tls"

// Version is the protocol that the client spoke to tlslift. Its String is the value
// of the metrics label and the log field "tls_version".
type Version uint8

// The versions, oldest first, so they can be compared.
const (
	VersionNone Version = iota // plaintext HTTP
	VersionSSL3
	Version10
	Version11
	Version12
	Version13
)

// Versions lists every version.
var Versions = [...]Version{VersionNone, VersionSSL3, Version10, Version11, Version12, Version13}

func (v Version) String() string {
	return [...]string{VersionNone: "none", VersionSSL3: "ssl3", Version10: "1.0", Version11: "1.1", Version12: "1.2", Version13: "1.3"}[v]
}

// Insecure reports whether the version is below what SMSPortal will accept:
// plaintext, SSL 3.0, TLS 1.0 or TLS 1.1.
func (v Version) Insecure() bool { return v < Version12 }

// Wire returns the number of a TLS version in the wire format, as crypto/tls uses it.
func (v Version) Wire() uint16 { return tls.VersionTLS10 + uint16(v-Version10) }

// VersionOf maps a version number of the TLS wire format (RFC 8446 4.1.2) to
// a Version. Numbers below 0x0301 are VersionSSL3, unknown higher ones
// Version13.
func VersionOf(wire uint16) Version {
	switch {
	case wire < tls.VersionTLS10:
		return VersionSSL3
	case wire == tls.VersionTLS10:
		return Version10
	case wire == tls.VersionTLS11:
		return Version11
	case wire == tls.VersionTLS12:
		return Version12
	default:
		return Version13
	}
}
