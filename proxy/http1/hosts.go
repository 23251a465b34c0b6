package http1

import (
	"strings"

	"tlslift/proxy/host"
)

// Hosts returns every host that the head names: in its target and in each Host
// field. certain reports whether the list is complete. It may not be for a refused
// head, which may be incomplete or name a host that cannot be parsed.
//
// Use it where no host in a head may be overlooked, even if the head cannot be
// served. It parses invalid syntax the way any server might.
func (r *Request) Hosts() (hosts []host.Name, certain bool) {
	from := 0
	head, whole := r.raw, false
	if end := headEnd([]byte(head), &from); end > 0 {
		head, whole = head[:end], true
	}
	hosts, readable := hostsOf(head)
	return hosts, r.Refusal == nil || whole && readable
}

// hostsOf returns the hosts of a head, complete or not. readable reports whether
// every host could be parsed.
func hostsOf(head string) (hosts []host.Name, readable bool) {
	readable = true
	add := func(authority string) {
		n, _, err := host.ParseAuthority(authority)
		switch {
		case err != nil:
			readable = false
		case !n.IsZero():
			hosts = append(hosts, n)
		}
	}
	line, rest, _ := strings.Cut(head, "\n")
	if authority, ok := lineAuthority(line); ok {
		add(authority)
	}
	afterHost := false
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(line, ":")
		if afterHost && (line[0] == ' ' || line[0] == '\t') {
			readable = false // the rest of a folded Host
		}
		if afterHost = fold(strings.TrimSpace(name), "host"); afterHost {
			add(strings.TrimSpace(value))
		}
	}
	return hosts, readable
}

// lineAuthority returns the authority in a request line. It reports false if there
// is none.
func lineAuthority(line string) (authority string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return "", false
	}
	target := words[1]
	if fold(words[0], "connect") {
		return target, true
	}
	scheme, rest, found := strings.Cut(target, "://")
	if !found || strings.ContainsAny(scheme, "/?#") {
		return "", false
	}
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:], true
}

// OtherProtocol reports whether a refused request is not HTTP at all. It reports
// false for a request that some server could read as HTTP, such as one with a
// broken or missing version.
func (r *Request) OtherProtocol() bool {
	if r.Refusal == nil || r.raw == "" {
		return false
	}
	line, _, whole := strings.Cut(r.raw, "\n")
	switch {
	case !beginsMethod([]byte(line)):
		return true
	case !whole: // it may still become a request line
		return false
	}
	words := strings.Fields(line)
	if len(words) > 1 && (words[1][0] == '/' || strings.Contains(words[1], "://")) {
		return false
	}
	return !strings.Contains(strings.ToUpper(line), "HTTP/")
}

// beginsMethod reports whether line, which may be incomplete, can begin with a
// method (RFC 9112 section 3). Binary protocols can be told apart before a line
// ends.
func beginsMethod(line []byte) bool {
	if len(line) == 0 || line[0] == ' ' || line[0] == '\t' || line[0] == '\r' || line[0] == '\n' {
		return true
	}
	if !isTokenByte(line[0]) {
		return false
	}
	for i := range min(len(line), maxMethod) {
		switch c := line[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			return true
		case c < ' ' || c > '~':
			return false
		}
	}
	return true
}

// maxMethod limits how many bytes are searched for the end of a method.
const maxMethod = 64
