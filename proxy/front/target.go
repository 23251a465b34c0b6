package front

import (
	"bytes"
	"net/netip"
)

// form is the form of a request target (RFC 9112 3.2).
type form uint8

const (
	originForm    form = iota // /path?query
	absoluteForm              // http://host/path?query
	authorityForm             // host:port, of CONNECT alone
	asteriskForm              // *, of OPTIONS alone
)

const (
	maxMethod = 32  // bytes; the longest registered one has 17
	maxHost   = 255 // bytes of a host name (RFC 1035 2.3.4)
)

// requestLine judges the request line, which comes without its line end, and
// fills in method, target, form, version and (but for origin-form) host.
//
// The target is everything between the first space after the method and the
// last one before HTTP/1.x: PHP streams and Java send message texts with raw
// spaces. Extra spaces before the target are skipped, trailing ones are part
// of it (RFC 9112 3 leaves both to the recipient).
func (v *verdict) requestLine(line []byte) {
	sp := bytes.IndexByte(line, ' ')
	if sp <= 0 {
		v.refuse(malformed(detailRequestLine))
		return
	}
	v.method = line[:sp]
	if sp > maxMethod || !isToken(v.method) {
		v.refuse(malformed(detailMethod))
		return
	}
	end := len(line) - len(" HTTP/1.1")
	if end <= sp || !version1(line[end:]) {
		v.refuse(malformed(detailVersion))
		return
	}
	v.http10 = line[len(line)-1] == '0'
	target := line[sp+1 : end]
	for len(target) > 0 && target[0] == ' ' {
		target = target[1:]
		v.fix |= fixTarget
	}
	v.target = target
	v.judgeTarget()
}

// version1 reports whether b, of the length of " HTTP/1.1", ends a request
// line of HTTP/1.0 or 1.1. The name is case-sensitive (RFC 9112 2.3).
func version1(b []byte) bool {
	return string(b[:8]) == " HTTP/1." && (b[8] == '1' || b[8] == '0')
}

func (v *verdict) judgeTarget() {
	if len(v.target) == 0 {
		v.refuse(malformed(detailRequestLine))
		return
	}
	blanks, control := scanTarget(v.target)
	if control {
		v.refuse(malformed(detailControl))
		return
	}
	if blanks {
		v.fix |= fixTarget
	}
	switch {
	case string(v.method) == "CONNECT":
		v.form = authorityForm
		v.host = v.target
		if !validAuthority(v.host, true) {
			v.refuse(malformed(detailAuthority))
		}
	case v.target[0] == '/':
		v.form = originForm
		v.judgePath(v.target)
	case string(v.target) == "*" && string(v.method) == "OPTIONS":
		v.form = asteriskForm
	default:
		v.form = absoluteForm
		v.judgeAbsolute()
	}
}

// judgeAbsolute takes scheme://[userinfo@]host[:port] off the target. The
// userinfo is dropped from what is passed on.
func (v *verdict) judgeAbsolute() {
	scheme := bytes.Index(v.target, schemeEnd)
	if !validScheme(v.target, scheme) {
		v.refuse(malformed(detailTarget))
		return
	}
	start := scheme + len(schemeEnd)
	rest := v.target[start:]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	if at := bytes.LastIndexByte(authority, '@'); at >= 0 {
		if !all(authority[:at], &userchar) {
			v.refuse(malformed(detailAuthority))
			return
		}
		authority = authority[at+1:]
		v.fix |= fixTarget
	}
	if !validAuthority(authority, false) {
		v.refuse(malformed(detailAuthority))
		return
	}
	v.scheme, v.host, v.path = v.target[:start], authority, rest[end:]
	v.judgePath(v.path)
}

var schemeEnd = []byte("://")

// validScheme reports whether b[:n] is a scheme (RFC 3986 3.1).
func validScheme(b []byte, n int) bool {
	if n <= 0 || b[0]|0x20 < 'a' || b[0]|0x20 > 'z' {
		return false
	}
	for _, c := range b[:n] {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// judgePath refuses a percent sign without two hex digits in the path. The
// query is not looked at: it passes byte for byte, bad escapes included.
//
// net/url cannot represent such a path, so net/http would answer 400 itself;
// IIS, which serves the API, answers 400 too. Hence nothing is lost by saying
// so here, in the caller's language.
func (v *verdict) judgePath(path []byte) {
	if q := bytes.IndexByte(path, '?'); q >= 0 {
		path = path[:q]
	}
	if !validEscapes(path) {
		v.refuse(malformed(detailEscape))
	}
}

func validEscapes(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if len(path) < i+3 || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return false
		}
		path = path[i+3:]
	}
}

// validAuthority reports whether b is host[:port] (RFC 3986 3.2.2), the host
// being a name, an IPv4 address or an IPv6 literal without zone. With
// needPort, as for CONNECT (RFC 9110 9.3.6), the port must be there.
func validAuthority(b []byte, needPort bool) bool {
	var port []byte
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || !validIPv6(b[1:end]) {
			return false
		}
		port = b[end+1:]
	} else {
		end := 0
		for end < len(b) && hostchar[b[end]] {
			end++
		}
		if end == 0 || end > maxHost {
			return false
		}
		port = b[end:]
	}
	if len(port) == 0 {
		return !needPort
	}
	return port[0] == ':' && validPort(port[1:], needPort)
}

func validPort(b []byte, need bool) bool {
	if len(b) == 0 {
		return !need
	}
	if len(b) > 5 {
		return false
	}
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n >= 1 && n <= 65535
}

func validIPv6(b []byte) bool {
	if len(b) < 2 || len(b) > 45 || bytes.IndexByte(b, '%') >= 0 {
		return false
	}
	addr, err := netip.ParseAddr(string(b))
	return err == nil && addr.Is6()
}
