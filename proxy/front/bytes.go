package front

import "encoding/binary"

// tchar marks the bytes of a token (RFC 9110 5.6.2): methods and field names.
var tchar = classOf("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// hostchar marks the bytes of a host name as it is seen in practice: letters,
// digits, hyphen, dot, and the underscore of internal names. The tilde is in
// RFC 3986's unreserved set and harmless.
var hostchar = classOf("-._~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

// userchar marks the bytes of a userinfo (RFC 3986 3.2.1), and the at sign
// that net/url lets stand in a password. A backslash is none of them: others
// might end the host there.
var userchar = classOf("-._~!$&'()*+,;=:%@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

func classOf(set string) (class [256]bool) {
	for i := range len(set) {
		class[set[i]] = true
	}
	return class
}

func isToken(b []byte) bool { return len(b) > 0 && all(b, &tchar) }

func all(b []byte, class *[256]bool) bool {
	for _, c := range b {
		if !class[c] {
			return false
		}
	}
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// suspects reports whether one of the eight bytes of x is below limit (at
// most 0x80) or is DEL.
func suspects(x uint64, limit byte) bool {
	del := x ^ (ones * 0x7f)
	return ((x-ones*uint64(limit))&^x|(del-ones)&^del)&highs != 0
}

// cleanValue reports whether b may stand in a field value: no control
// characters but the tab (RFC 9110 5.5). Bytes above 0x7f pass.
func cleanValue(b []byte) bool {
	for len(b) >= 8 {
		if suspects(binary.LittleEndian.Uint64(b), ' ') && !cleanValueSlow(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return cleanValueSlow(b)
}

func cleanValueSlow(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// scanTarget reports whether b holds raw spaces or tabs, and whether it holds
// control characters other than the tab.
func scanTarget(b []byte) (blanks, control bool) {
	for len(b) >= 8 {
		if suspects(binary.LittleEndian.Uint64(b), ' '+1) {
			s, c := scanTargetSlow(b[:8])
			blanks, control = blanks || s, control || c
		}
		b = b[8:]
	}
	s, c := scanTargetSlow(b)
	return blanks || s, control || c
}

func scanTargetSlow(b []byte) (blanks, control bool) {
	for _, c := range b {
		switch {
		case c == ' ' || c == '\t':
			blanks = true
		case c < ' ' || c == 0x7f:
			control = true
		}
	}
	return blanks, control
}

// fold compares b with lower, which is in lower case, ignoring the case of
// ASCII letters. Both are tokens, where |0x20 maps no other byte onto a letter
// of lower.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c != lower[i] && (c|0x20 != lower[i] || c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// trim removes optional white space (RFC 9110 5.6.3) from both ends of b.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f'
}
