package http1

import "strings"

// isTokenByte reports whether c may occur in a token, such as a method or a field
// name (RFC 9110 section 5.6.2).
func isTokenByte(c byte) bool {
	const mask = 0 |
		(1<<10-1)<<'0' | (1<<26-1)<<'a' | (1<<26-1)<<'A' |
		1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' |
		1<<'-' | 1<<'.' | 1<<'^' | 1<<'_' | 1<<'`' | 1<<'|' | 1<<'~'
	return uint64(1)<<c&(mask&(1<<64-1))|uint64(1)<<(c-64)&(mask>>64) != 0
}

// isUserinfoByte reports whether c may occur in userinfo (RFC 3986 section 3.2.1).
// It also allows the at sign, which many clients leave unescaped in a password, but
// not the backslash, where some parsers end the host.
func isUserinfoByte(c byte) bool {
	const mask = 0 |
		(1<<10-1)<<'0' | (1<<26-1)<<'a' | (1<<26-1)<<'A' |
		1<<'!' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'*' | 1<<'+' |
		1<<',' | 1<<'-' | 1<<'.' | 1<<':' | 1<<';' | 1<<'=' | 1<<'@' | 1<<'_' | 1<<'~'
	return uint64(1)<<c&(mask&(1<<64-1))|uint64(1)<<(c-64)&(mask>>64) != 0
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

func isUserinfo(s string) bool {
	for i := range len(s) {
		if !isUserinfoByte(s[i]) {
			return false
		}
	}
	return true
}

// isFieldValue reports whether s is a valid field value: it has no control
// characters other than tab (RFC 9110 section 5.5). Bytes above 0x7f are allowed.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// fold reports whether s equals lower, ignoring the case of ASCII letters. lower
// must be in lower case.
func fold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c != lower[i] && (c|0x20 != lower[i] || c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// trim removes optional whitespace (RFC 9110 section 5.6.3) from both ends.
func trim(s string) string { return strings.Trim(s, " \t") }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
