package redact

import "strings"

// param finds the pairs called name (lower case) in a query or an urlencoded
// form, given raw. Pairs are parted by '&', as ASP.NET does it; only when no
// pair of that name is found, ';' parts them too. each gets the raw value and
// whether the pair is the last one; it returns whether to go on.
func param(raw, name string, each func(value string, last bool) bool) {
	found := false
	rest, pair, more := raw, "", raw != ""
	for more {
		pair, rest, more = strings.Cut(rest, "&")
		if value, ok := named(pair, name); ok {
			found = true
			if !each(value, !more) {
				return
			}
		}
	}
	if found || strings.IndexByte(raw, ';') < 0 {
		return
	}
	rest, more = raw, true
	for more {
		if i := strings.IndexAny(rest, "&;"); i >= 0 {
			pair, rest = rest[:i], rest[i+1:]
		} else {
			pair, more = rest, false
		}
		if value, ok := named(pair, name); ok && !each(value, !more) {
			return
		}
	}
}

// named is the value of a pair if its name, once unescaped, is name.
func named(pair, name string) (value string, ok bool) {
	if len(pair) < len(name) || lower(pair[0]) != name[0] && pair[0] != '%' {
		return "", false
	}
	key, value, _ := strings.Cut(pair, "=")
	return value, is(key, name)
}

// is reports whether raw, unescaped as in a form, equals word (lower case),
// whatever raw's case.
func is(raw, word string) bool {
	i := 0
	for n := range len(word) {
		if i >= len(raw) {
			return false
		}
		c := raw[i]
		i++
		if c == '%' {
			if d, ok := unhex(raw[i:]); ok {
				c, i = d, i+2
			}
		}
		if lower(c) != word[n] {
			return false
		}
	}
	return i == len(raw)
}
