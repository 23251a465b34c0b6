package form

import "strings"

// maxBoundary is the maximum length of a boundary (RFC 2046 5.1.1).
const maxBoundary = 70

// Parts calls each for the parts of a multipart form (RFC 7578) until it returns
// false. complete reports whether raw holds the part's end. Parts decodes nothing
// and stops at anything malformed.
func Parts(raw, boundary string, each func(name, value string, complete bool) bool) {
	if boundary == "" || len(boundary) > maxBoundary {
		return
	}
	_, rest, ok := delimiter(raw, boundary)
	for ok {
		var part, name string
		part, rest, ok = delimiter(rest, boundary)
		_, part, _ = strings.Cut(part, "\n") // skip the rest of the delimiter's line
		for {
			line, more, found := strings.Cut(part, "\n")
			if !found {
				return
			}
			part = more
			line = strings.TrimSuffix(line, "\r")
			if line == "" {
				break
			}
			if key, value, _ := strings.Cut(line, ":"); strings.EqualFold(key, "Content-Disposition") {
				name = Attribute(value, "name")
			}
		}
		if !each(name, part, ok) {
			return
		}
	}
}

// delimiter splits raw at the next line that begins with "--" and the boundary. If
// there is none, before is all of raw.
func delimiter(raw, boundary string) (before, after string, found bool) {
	for from := 0; ; {
		i := strings.Index(raw[from:], boundary)
		if i < 0 {
			return raw, "", false
		}
		i += from
		start := i - len("--")
		if start >= 0 && raw[start:i] == "--" && (start == 0 || raw[start-1] == '\n') {
			before = strings.TrimSuffix(strings.TrimSuffix(raw[:start], "\n"), "\r")
			return before, raw[i+len(boundary):], true
		}
		from = i + 1
	}
}

// Attribute returns the value of a parameter in "type; a=b; c=\"d\"" (RFC 9110
// 5.6.6), without quotes. It returns "" if there is none or its quotes are not
// closed.
func Attribute(value, name string) string {
	_, s, _ := strings.Cut(value, ";")
	for s != "" {
		s = strings.TrimLeft(s, "; \t")
		i := strings.IndexAny(s, "=;")
		if i < 0 {
			return ""
		}
		key := strings.TrimRight(s[:i], " \t")
		if s[i] == ';' {
			s = s[i:]
			continue
		}
		value := strings.TrimLeft(s[i+1:], " \t")
		if strings.HasPrefix(value, `"`) {
			end := quoteEnd(value)
			if end < 0 {
				return ""
			}
			value, s = value[1:end], value[end+1:]
		} else {
			value, s, _ = strings.Cut(value, ";")
			value = strings.TrimRight(value, " \t")
		}
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// quoteEnd returns the index of the quote that closes the one at the start of s, or
// -1.
func quoteEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
