package problem

import (
	"strings"

	"tlslift/proxy/redact"
)

const (
	maxDetail = 200
	maxID     = 64
	maxLink   = 300
)

// cleanHost is a host that may be shown, or "".
func cleanHost(host string) string {
	host = redact.Host(host)
	if host == redact.Invalid {
		return ""
	}
	return host
}

// cleanID is a request ID that may be shown, or "".
func cleanID(id string) string {
	if len(id) > maxID {
		return ""
	}
	for i := range len(id) {
		if !alphanumeric(id[i]) && strings.IndexByte("-_.", id[i]) < 0 {
			return ""
		}
	}
	return id
}

// cleanText is at most maxDetail bytes of printable ASCII, anything else
// replaced by '?'.
func cleanText(s string) string {
	s = s[:min(len(s), maxDetail)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// cleanLink is an http(s) URL that may stand in a header and a body as it is,
// or "".
func cleanLink(link string) string {
	if len(link) > maxLink || !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return ""
	}
	for i := range len(link) {
		if link[i] <= ' ' || link[i] > '~' || strings.IndexByte("<>\"\\^`{|}", link[i]) >= 0 {
			return ""
		}
	}
	return link
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
