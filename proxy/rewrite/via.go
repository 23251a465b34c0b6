package rewrite

import (
	"net/http"
	"strings"
)

// Via adds an element to the Via field (RFC 9110 7.6.3), see ViaElement. It is a
// field line of its own, which means the same as joining it to the last one.
func Via(h http.Header, element string) {
	h["Via"] = append(h["Via"], element)
}

// ViaElement is the version of HTTP that was received, "1.0" or "1.1", and the
// name we go by.
func ViaElement(proto, name string) string {
	return strings.TrimPrefix(proto, "HTTP/") + " " + name
}

// HasVia reports whether the message passed through name before, whatever the
// case. Comments are no names. It takes time linear in the field.
func HasVia(h http.Header, name string) bool {
	for _, v := range h["Via"] {
		if viaNames(v, name) {
			return true
		}
	}
	return false
}

// viaNames looks for name as the received-by of an element. After a comment
// that does not end, parentheses are ordinary bytes: a caller must not hide
// our name behind a "(" of its own that was joined with ours.
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

// token is how far s goes without white space, a comma or a comment.
func token(s string) int {
	if i := strings.IndexAny(s, " \t,("); i >= 0 {
		return i
	}
	return len(s)
}

// comment is the length of the comment that s begins with (RFC 9110 5.6.5),
// 0 when it does not end.
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
