package http1

import (
	"strings"

	"tlslift/proxy/host"
)

// requestLine parses the request line, without its line ending, into r. The method
// may be any token: the caller decides which ones to serve.
//
// The target is everything between the first space after the method and the
// last one before HTTP/1.x: PHP streams and Java send message texts with raw
// spaces. Extra spaces before the target are skipped; trailing ones are part of it
// (RFC 9112 section 3 leaves both to the recipient).
func (r *Request) requestLine(line string) *Refusal {
	sp := strings.IndexByte(line, ' ')
	if sp <= 0 {
		return malformed(detailRequestLine)
	}
	method := line[:sp]
	if !isToken(method) {
		return malformed(detailMethod)
	}
	end := len(line) - len(" HTTP/1.1")
	// HTTP-name is case-sensitive (RFC 9112 section 2.3).
	if end <= sp || line[end:] != " HTTP/1.1" && line[end:] != " HTTP/1.0" {
		return malformed(detailVersion)
	}
	r.Method = method
	r.version(line[len(line)-1] == '0')
	return r.target(strings.TrimLeft(line[sp+1:end], " "))
}

func (r *Request) version(http10 bool) {
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.1", 1, 1
	if http10 {
		r.Proto, r.ProtoMinor = "HTTP/1.0", 0
	}
}

// target parses the request target into r.
func (r *Request) target(raw string) *Refusal {
	if raw == "" {
		return malformed(detailRequestLine)
	}
	blanks, control := scanTarget(raw)
	r.Blanks = blanks
	if control {
		return malformed(detailControl)
	}
	switch {
	case r.Method == "CONNECT":
		r.Form = AuthorityForm
		if !r.authority(raw) || r.Port == 0 {
			return malformed(detailAuthority)
		}
		r.RequestURI = raw
	case raw[0] == '/':
		r.Form = OriginForm
		r.RequestURI = escapeBlanks.Replace(raw)
		r.Target = r.RequestURI
		return judgePath(raw)
	case raw == "*" && r.Method == "OPTIONS":
		r.Form, r.RequestURI, r.Target = AsteriskForm, raw, raw
	default:
		r.Form = AbsoluteForm
		return r.absolute(raw, blanks)
	}
	return nil
}

// absolute parses a target in absolute form, scheme://[userinfo@]host[:port]/path.
// It drops the userinfo.
func (r *Request) absolute(raw string, blanks bool) *Refusal {
	const separator = "://"
	scheme, rest, found := strings.Cut(raw, separator)
	if !found || !isScheme(scheme) {
		return malformed(detailTarget)
	}
	authority, path := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, path = rest[:end], rest[end:]
	}
	at := strings.LastIndexByte(authority, '@')
	if at >= 0 {
		if !isUserinfo(authority[:at]) {
			return malformed(detailAuthority)
		}
		authority = authority[at+1:]
	}
	if !r.authority(authority) || r.Name.IsZero() {
		return malformed(detailAuthority)
	}
	r.Scheme = strings.ToLower(scheme)
	escaped := escapeBlanks.Replace(path)
	switch {
	case path == "":
		r.Target = "/"
	case path[0] == '?':
		r.Target = "/" + escaped
	default:
		r.Target = escaped
	}
	r.RequestURI = raw
	if blanks || at >= 0 {
		r.RequestURI = scheme + separator + authority + escaped
	}
	return judgePath(path)
}

// authority parses host[:port] into r and reports whether it is valid. An IPv6
// address must be in brackets (RFC 3986 section 3.2.2). A missing or empty port is
// 0.
func (r *Request) authority(s string) bool {
	name, port, err := host.ParseAuthority(s)
	if err != nil || strings.Count(s, ":") > 1 && s[0] != '[' {
		return false
	}
	if name.IsZero() && s != "" {
		return false
	}
	r.Host, r.Name, r.Port = s, name, port
	return true
}

// isScheme reports whether s is a scheme (RFC 3986 section 3.1).
func isScheme(s string) bool {
	if s == "" || s[0]|0x20 < 'a' || s[0]|0x20 > 'z' {
		return false
	}
	for _, c := range []byte(s) {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// scanTarget reports whether s contains raw spaces or tabs, and whether it contains
// other control characters.
func scanTarget(s string) (blanks, control bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c > ' ' && c != 0x7f:
		case c == ' ' || c == '\t':
			blanks = true
		default:
			control = true
		}
	}
	return blanks, control
}

// escapeBlanks percent-encodes raw spaces and tabs.
var escapeBlanks = strings.NewReplacer(" ", "%20", "\t", "%09")

// judgePath refuses a path with a malformed percent escape. The query passes byte
// for byte, bad escapes included. IIS, which serves the API, also answers such a
// path with 400, so refusing it here only gives the caller an answer in its own
// language.
func judgePath(s string) *Refusal {
	path, _, _ := strings.Cut(s, "?")
	for {
		i := strings.IndexByte(path, '%')
		if i < 0 {
			return nil
		}
		if len(path) < i+3 || !isHex(path[i+1]) || !isHex(path[i+2]) {
			return malformed(detailEscape)
		}
		path = path[i+3:]
	}
}
