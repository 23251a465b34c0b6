// Package form finds values in the queries and bodies that callers of the API send:
// urlencoded and multipart forms, and XML such as SOAP envelopes.
//
// It works on the raw text. It cannot use url.ParseQuery, which drops every pair
// with a ';' or a bad escape, and real callers send those.
//
// The package does no I/O, keeps none of its input, and takes time linear in the
// input.
package form

import "strings"

// Prefix is how many bytes of a body are examined. A prefix of exactly that length
// may be cut short.
const Prefix = 4096

// Params finds the pairs called name (lower case) in a raw query or urlencoded
// form. Pairs are separated by any byte of separators; for ASP.NET that is "&".
// Params calls each with the raw value and whether the pair is the last one, until
// each returns false. Params reports whether there was such a pair.
func Params(raw, separators, name string, each func(value string, last bool) bool) (found bool) {
	for more := raw != ""; more; {
		pair := raw
		i := strings.IndexAny(raw, separators)
		if more = i >= 0; more {
			pair, raw = raw[:i], raw[i+1:]
		}
		value, ok := named(pair, name)
		if !ok {
			continue
		}
		if found = true; !each(value, !more) {
			return true
		}
	}
	return found
}

// named returns the value of a pair if its unescaped name is name.
func named(pair, name string) (value string, ok bool) {
	if len(pair) < len(name) || lower(pair[0]) != name[0] && pair[0] != '%' {
		return "", false
	}
	key, value, _ := strings.Cut(pair, "=")
	return value, Is(key, name)
}

// Is reports whether raw, with percent escapes decoded, equals word, ignoring case.
// word must be in lower case.
func Is(raw, word string) bool {
	i := 0
	for n := range len(word) {
		if i >= len(raw) {
			return false
		}
		c := raw[i]
		i++
		if c == '%' {
			if d, ok := Unhex(raw[i:]); ok {
				c, i = d, i+2
			}
		}
		if lower(c) != word[n] {
			return false
		}
	}
	return i == len(raw)
}

// Unescape decodes percent and plus escapes and leaves bad ones as they are.
func Unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = ' '
		case '%':
			if d, ok := Unhex(s[i+1:]); ok {
				c, i = d, i+2
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// Unhex returns the value of the two hexadecimal digits at the start of s.
func Unhex(s string) (byte, bool) {
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
