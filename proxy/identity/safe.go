package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the maximum length of a client's name, in bytes.
const MaxName = 128

// Safe makes a discovered name safe for a label, a log line and a page. Anything
// unprintable becomes "?", including bidirectional controls and line breaks.
// Surrounding space is trimmed. A leading "_" becomes "-", because such names are
// tlslift's own, and so does a lone "*". The result is cut to MaxName bytes at a whole character, and may be
// empty.
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
	if name := strings.TrimRight(b.String(), " "); name != "*" {
		return name
	}
	return "-"
}

// plain reports whether s is safe as it is. It is a fast path for the usual names:
// short, visible ASCII.
func plain(s string) bool {
	if s == "" || len(s) > MaxName || s[0] == '_' || s == "*" {
		return s == ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
