package rewrite

import (
	"strconv"
	"strings"

	"tlslift/proxy/host"
)

// url returns a reference that the caller can follow. Every other byte stays the
// same: user information, the host's case, path, query, fragment. A default port is
// dropped, as is the upstream's own. Requests to any other port are not upgraded, so
// such a URL stays, as do URLs to other hosts.
func (v View) url(u string) (string, bool) {
	scheme, authority, rest := splitURL(u)
	if authority == "" {
		return v.reference(u)
	}
	secured := v.HTTP && scheme == "https" // the caller needs http instead
	if v.Base == nil && !secured && !v.renamed() {
		return u, false
	}
	if strings.HasPrefix(rest, `\`) {
		return u, false // a slash to browsers, part of the host to others
	}
	user, text := "", authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, text = authority[:i+1], authority[i+1:]
	}
	port := ""
	// A colon inside brackets belongs to an IPv6 address.
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		text, port = text[:i], text[i+1:]
	}
	n, err := host.Parse(text)
	defaultPort := port == "" || port == "443" && scheme != "http" || port == "80" && scheme != "https"
	own := !defaultPort && n == v.Target && scheme != "http" && port == strconv.Itoa(int(v.Port))
	if err != nil || !defaultPort && !own {
		return u, false
	}
	if called := v.called(n); called != n {
		n, text = called, called.String()
	} else if v.Base == nil && !secured {
		return u, false
	}
	switch {
	case !v.Upgraded(n):
		return u, false
	case v.Base != nil:
		return v.below(user, n, rest), true
	case secured:
		return "http://" + user + text + rest, true
	case own && !v.HTTP:
		text += ":" + port // a caller over TLS used the port too
	}
	return u[:strings.Index(u, "//")+2] + user + text + rest, true
}

// called returns the name by which the caller knows a host in an answer. The name
// that the upstream was given is replaced by the one that the caller called.
func (v View) called(n host.Name) host.Name {
	if n == v.Target {
		return v.Host
	}
	return n
}

// below returns the URL of a host's path below the caller's base URL.
func (v View) below(user string, n host.Name, rest string) string {
	b := v.Base
	prefix := "/" + n.String()
	if n == v.Host {
		prefix = v.prefix(rest)
	}
	if prefix == "" && !strings.HasPrefix(rest, "/") {
		prefix = "/"
	}
	switch {
	case b.Authority == "":
		return prefix + rest
	case v.HTTP:
		return "http://" + user + b.Authority + prefix + rest
	default:
		return "https://" + user + b.Authority + prefix + rest
	}
}

// prefix returns what precedes a path of the called host below the caller's base URL.
// The upstream does not know about it, however its path begins. Without a prefix, a
// path that begins with a host would lead to that host.
func (v View) prefix(path string) string {
	if v.scoped() || !strings.HasPrefix(path, "/") {
		return v.Base.Prefix
	}
	first := path[1:]
	if i := strings.IndexAny(first, "/?#"); i >= 0 {
		first = first[:i]
	}
	if n, _, err := host.ParseAuthority(first); err != nil || n.IsZero() || !v.Upgraded(n) {
		return ""
	}
	return "/" + v.Host.String()
}

// reference changes a reference without a host, which the caller resolves against the
// URL that it called. Below a base URL of the path form, path-absolute references,
// and those that climb with "..", would leave the host. So would any reference if the
// URL is the prefix alone, which means "/".
func (v View) reference(u string) (string, bool) {
	if v.Base == nil || u == "" {
		return u, false
	}
	path, rest := u, ""
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		path, rest = u[:i], u[i:]
	}
	switch {
	case path == "" || strings.HasPrefix(path, "//") || strings.ContainsRune(path, '\\'):
		return u, false
	case path[0] == '/':
	case v.Base.Path == "" || hasScheme(path) || v.scoped() && !climbs(path) && v.Base.Path != "/":
		return u, false
	default:
		path = resolve(v.Base.Path, path)
	}
	prefix := v.prefix(path)
	if prefix == "" {
		return u, false
	}
	return prefix + path + rest, true
}

// hasScheme reports whether path may be a URL with a scheme, and so is not a relative
// path.
func hasScheme(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ":")
}

// climbs reports whether a relative path has a ".." segment.
func climbs(path string) bool { return strings.Contains("/"+path+"/", "/../") }

// resolve resolves a relative path against another path (RFC 3986, 5.2.3 and 5.2.4).
func resolve(from, path string) string {
	var out []string
	segments := strings.Split(from[:strings.LastIndexByte(from, '/')+1]+path, "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			out = out[:max(min(len(out), 1), len(out)-1)]
		default:
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "")
		}
	}
	if joined := strings.Join(out, "/"); strings.HasPrefix(joined, "/") {
		return joined
	}
	return "/" + strings.Join(out, "/")
}

// splitURL splits a URL with a host into its scheme ("http", "https" or ""), its
// authority, and the rest. For any other reference, the authority is "".
func splitURL(u string) (scheme, authority, rest string) {
	i := strings.Index(u, "//")
	switch {
	case i == 0:
	case i == len("https:") && strings.EqualFold(u[:i], "https:"):
		scheme = "https"
	case i == len("http:") && strings.EqualFold(u[:i], "http:"):
		scheme = "http"
	default:
		return "", "", ""
	}
	authority = u[i+2:]
	if i := strings.IndexAny(authority, "/?#\\"); i >= 0 {
		authority, rest = authority[:i], authority[i:]
	}
	return scheme, authority, rest
}

// refresh changes the value of a Refresh field (HTML, 4.2.5.3, "shared declarative
// refresh steps"): seconds, then ';' or ',', then a URL, which may follow "url=" and
// may be quoted.
func (v View) refresh(f string) (string, bool) {
	i := strings.IndexAny(f, ";,")
	if i < 0 {
		return f, false
	}
	i += 1 + blanks(f[i+1:])
	if after := f[i:]; len(after) >= 3 && strings.EqualFold(after[:3], "url") {
		equals := 3 + blanks(after[3:])
		if equals < len(after) && after[equals] == '=' {
			i += equals + 1 + blanks(after[equals+1:])
		}
	}
	end := len(f)
	if i < len(f) && (f[i] == '"' || f[i] == '\'') {
		i++
		if n := strings.IndexByte(f[i:], f[i-1]); n >= 0 {
			end = i + n
		}
	}
	changed, ok := v.url(f[i:end])
	if !ok {
		return f, false
	}
	return f[:i] + changed + f[end:], true
}

func blanks(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }

// link changes the value of a Link field (RFC 8288 3). The URLs in angle brackets
// change; parameters, which may quote anything, do not.
func (v View) link(f string) (string, bool) {
	var out []byte
	done := 0 // f[:done] is in out, or unchanged
	for i := 0; i < len(f); {
		switch f[i] {
		case '"':
			i += quoted(f[i:])
		case '<':
			end := strings.IndexByte(f[i:], '>')
			if end < 0 {
				i = len(f)
				break
			}
			if changed, ok := v.url(f[i+1 : i+end]); ok {
				out = append(append(out, f[done:i+1]...), changed...)
				done = i + end
			}
			i += end + 1
		default:
			i++
		}
	}
	if done == 0 {
		return f, false
	}
	return string(append(out, f[done:]...)), true
}

// quoted returns the length of the quoted string that s begins with (RFC 9110 5.6.4).
// Without a closing quote, it extends to the end of s.
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
