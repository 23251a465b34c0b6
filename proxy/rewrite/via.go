package rewrite

import (
	"net/http"
	"slices"
	"strings"
)

// Via adds an element (see ViaElement) to the Via field (RFC 9110 7.6.3). It adds a
// field line, which means the same as appending to the last one.
func Via(h http.Header, element string) {
	h["Via"] = append(h["Via"], element)
}

// ViaElement returns the element for a message received over HTTP version proto,
// "1.0" or "1.1", by an intermediary called name.
func ViaElement(proto, name string) string {
	return strings.TrimPrefix(proto, "HTTP/") + " " + name
}

// HasVia reports whether the message passed through name before, ignoring case.
// Comments do not count. It takes time linear in the field.
func HasVia(h http.Header, name string) bool {
	return slices.ContainsFunc(h["Via"], func(v string) bool { return viaNames(v, name) })
}

// viaNames looks for name as the received-by of an element. After an unterminated
// comment, parentheses are ordinary bytes: a caller must not hide our name behind a
// "(" of its own.
func viaNames(v, name string) bool {
	comments := true
	for v != "" {
		v = strings.TrimLeft(v, ", \t")
		protocol := token(v)
		v = strings.TrimLeft(v[protocol:], " \t")
		by := token(v)
		if strings.EqualFold(v[:by], name) {
			return true
		}
		for v = v[by:]; v != "" && v[0] != ','; {
			skip := 1
			if comments && v[0] == '(' {
				skip = comment(v)
				comments = skip > 0
			}
			v = v[skip:]
		}
	}
	return false
}

// token returns how far s goes without white space, a comma or a comment.
func token(s string) int {
	if i := strings.IndexAny(s, " \t,("); i >= 0 {
		return i
	}
	return len(s)
}

// comment returns the length of the comment that s begins with (RFC 9110 5.6.5), or 0
// if it does not end.
func comment(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
