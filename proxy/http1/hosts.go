package http1

import (
	"strings"

	"tlslift/proxy/host"
)

// Hosts returns every host that the head names: that of its target, and that of
// each Host field. certain reports that it names no others: a refused head may not
// be complete, and a host in it may not be readable.
//
// It serves callers that must not overlook a host in a head that cannot be
// served. What is not valid is read as any server might read it.
func (r *Request) Hosts() (hosts []host.Name, certain bool) {
	from := 0
	head, whole := r.raw, false
	if end := headEnd([]byte(head), &from); end > 0 {
		head, whole = head[:end], true
	}
	hosts, readable := hostsOf(head)
	return hosts, r.Refusal == nil || whole && readable
}

// hostsOf reads the hosts of a head, complete or not. readable reports that
// none was skipped.
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

// lineAuthority is the authority in a request line; false if it has none.
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

// OtherProtocol reports that a refused request is no HTTP at all. A request that
// any server could read as HTTP is not meant: one with a broken or missing
// version, for example.
func (r *Request) OtherProtocol() bool {
	if r.Refusal == nil || r.raw == "" {
		return false
	}
	line, _, whole := strings.Cut(r.raw, "\n")
	switch {
	case !beginsMethod([]byte(line)):
		return true
	case !whole: // it could still become a request line
		return false
	}
	words := strings.Fields(line)
	if len(words) > 1 && (words[1][0] == '/' || strings.Contains(words[1], "://")) {
		return false
	}
	return !strings.Contains(strings.ToUpper(line), "HTTP/")
}

// beginsMethod reports whether a line that may not be complete can begin with a
// method (RFC 9112 section 3): a binary protocol shows itself before a line end.
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

// maxMethod bounds how far the end of a method is looked for, in bytes.
const maxMethod = 64
