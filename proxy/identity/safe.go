package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the greatest length of a client's name, in bytes.
const MaxName = 128

// Safe makes a discovered name fit for a label, a log line and a page: what is
// not printable becomes "?" (bidirectional controls and line breaks with it),
// surrounding space goes, a leading "_" becomes "-" because such names are
// tlslift's own, and the rest is cut to MaxName bytes at a whole character.
// The result is empty when nothing is left.
func Safe(s string) string {
	if plain(s) {
		return s
	}
	if len(s) > 4*MaxName {
		s = s[:4*MaxName]
	}
	s = strings.TrimSpace(s)
	var b strings.Builder
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		if r == '_' && b.Len() == 0 {
			r = '-'
		}
		if b.Len()+utf8.RuneLen(r) > MaxName {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimRight(b.String(), " ")
}

// plain reports whether s is safe as it stands, for the usual
// names: short, visible ASCII.
func plain(s string) bool {
	if s == "" || len(s) > MaxName || s[0] == '_' {
		return s == ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
