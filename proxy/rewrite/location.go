package rewrite

import (
	"strings"

	"tlslift/proxy/host"
)

// url is an absolute https URL to an upgraded host as http, with every other
// byte as it was: user information, the host's case, path, query, fragment.
// Port 443 is dropped. Requests to another port are not upgraded, so such a URL
// stays, as do URLs to other hosts and relative references.
func (c *changer) url(u string) (string, bool) {
	const scheme = "https://"
	if len(u) < len(scheme) || !strings.EqualFold(u[:len(scheme)], scheme) {
		return u, false
	}
	authority, rest := u[len(scheme):], ""
	if i := strings.IndexAny(authority, "/?#\\"); i >= 0 {
		authority, rest = authority[:i], authority[i:]
	}
	if strings.HasPrefix(rest, `\`) {
		return u, false // a slash to browsers, a part of the host to others
	}
	text := authority[strings.LastIndexByte(authority, '@')+1:]
	// A colon inside brackets belongs to an IPv6 address.
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		if port := text[i+1:]; port != "" && port != "443" {
			return u, false
		}
		authority = authority[:len(authority)-len(text)+i]
		text = text[:i]
	}
	if n, err := host.Parse(text); err != nil || !c.upgraded(n) {
		return u, false
	}
	return "http://" + authority + rest, true
}

// refresh is the value of a Refresh field (HTML, 4.2.5.3, "shared declarative
// refresh steps"): seconds, then ';' or ',', then a URL that "url=" may
// precede and quotes may surround.
func (c *changer) refresh(v string) (string, bool) {
	i := strings.IndexAny(v, ";,")
	if i < 0 {
		return v, false
	}
	i += 1 + blanks(v[i+1:])
	if after := v[i:]; len(after) >= 3 && strings.EqualFold(after[:3], "url") {
		equals := 3 + blanks(after[3:])
		if equals < len(after) && after[equals] == '=' {
			i += equals + 1 + blanks(after[equals+1:])
		}
	}
	end := len(v)
	if i < len(v) && (v[i] == '"' || v[i] == '\'') {
		i++
		if n := strings.IndexByte(v[i:], v[i-1]); n >= 0 {
			end = i + n
		}
	}
	changed, ok := c.url(v[i:end])
	if !ok {
		return v, false
	}
	return v[:i] + changed + v[end:], true
}

func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }

// link is the value of a Link field (RFC 8288 3): the URLs in angle brackets
// change; parameters, which may quote anything, do not.
func (c *changer) link(v string) (string, bool) {
	var out []byte
	done := 0 // v up to here is in out, or clean
	for i := 0; i < len(v); {
		switch v[i] {
		case '"':
			i += quoted(v[i:])
		case '<':
			end := strings.IndexByte(v[i:], '>')
			if end < 0 {
				i = len(v)
				break
			}
			if changed, ok := c.url(v[i+1 : i+end]); ok {
				out = append(append(out, v[done:i+1]...), changed...)
				done = i + end
			}
			i += end + 1
		default:
			i++
		}
	}
	if done == 0 {
		return v, false
	}
	return string(append(out, v[done:]...)), true
}

// quoted is the length of the quoted string that s begins with (RFC 9110
// 5.6.4); one without an end goes on to the end of s.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
