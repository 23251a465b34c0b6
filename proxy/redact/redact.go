// Package redact says what may be written down of a request: of its target and
// its body. It never gives back a byte of a query, of a body or of
// an Authorization header; what it returns is a path with everything doubtful
// masked, a word out of a closed set, or a bit that says that a secret was
// there.
//
// Names are matched case-insensitively and on the raw bytes. url.ParseQuery
// will not do: it drops every pair with a ';' or a bad escape, and redaction
// built on it would miss exactly those.
//
// The package is pure, keeps nothing of what it is given, and takes time
// linear in it.
package redact

import "unsafe"

// Prefix is how many bytes of a body are looked at, whatever is handed over.
// A caller that peeks at a body should peek this far.
const Prefix = 4096

// view is b as a string without a copy. The callers only read it and return
// nothing that points into it.
func view(b []byte) string {
	if len(b) > Prefix {
		b = b[:Prefix]
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// unhex is the value of two hexadecimal digits at the start of s.
func unhex(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	hi, lo := nibble(s[0]), nibble(s[1])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 16
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
