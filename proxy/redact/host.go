package redact

import "strings"

// Invalid is what Host returns for what cannot be a host.
const Invalid = "_invalid"

// maxHost is the longest name DNS allows and a port (RFC 1035 2.3.4).
const maxHost = 253 + len(":65535")

// Host is what may be logged of a host, with or without a port: lower case,
// at most 259 bytes of letters, digits, '-', '.', '_', ':', '[' and ']', or
// Invalid. An empty host stays empty.
func Host(h string) string {
	if len(h) > maxHost {
		return Invalid
	}
	for i := range len(h) {
		c := lower(h[i])
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte("-._:[]", c) < 0 {
			return Invalid
		}
	}
	return strings.ToLower(h)
}
