package http1

// isTokenByte reports whether c may stand in a token (RFC 9110 section 5.6.2):
// methods and field names.
func isTokenByte(c byte) bool {
	const mask = 0 |
		(1<<10-1)<<'0' | (1<<26-1)<<'a' | (1<<26-1)<<'A' |
		1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' |
		1<<'-' | 1<<'.' | 1<<'^' | 1<<'_' | 1<<'`' | 1<<'|' | 1<<'~'
	return uint64(1)<<c&(mask&(1<<64-1))|uint64(1)<<(c-64)&(mask>>64) != 0
}

// isUserinfoByte reports whether c may stand in a userinfo (RFC 3986 section
// 3.2.1), or is the at sign that many clients leave raw in a password. A
// backslash may not: some parsers end the host there.
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

// isFieldValue reports whether s may stand in a field value: no control
// characters except the tab (RFC 9110 section 5.5). Bytes above 0x7f pass.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// fold compares s with lower, which is in lower case, ignoring the case of
// ASCII letters.
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

// trim removes optional white space (RFC 9110 section 5.6.3) from both ends.
func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return trimRight(s)
}

// trimRight removes it from the end.
func trimRight(s string) string {
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
