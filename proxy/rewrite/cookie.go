package rewrite

import (
	"strings"

	"tlslift/proxy/host"
)

// cookie returns the value of a Set-Cookie field (RFC 6265 5.2) in a form that the
// caller can keep.
//
// A caller that sees http gets it without Secure, and without SameSite=None, which is
// only valid with Secure. A name that begins with __Secure- or __Host- is left alone.
// A client that knows these prefixes rejects such a cookie over http with or without
// Secure. A client that does not, which is the kind that comes here, keeps it.
// Changing the name would hide the cookie from the server.
//
// Below a base URL, the cookie's Path begins with the prefix, so the cookie reaches
// only its own host. For Domain, see domain.
func (v View) cookie(f string) (string, bool) {
	i := strings.IndexByte(f, ';')
	if i < 0 {
		i = len(f)
	}
	var out []byte
	done, path := 0, "" // f[:done] is in out, or unchanged
	for i < len(f) {
		end := len(f)
		if n := strings.IndexByte(f[i+1:], ';'); n >= 0 {
			end = i + 1 + n
		}
		name, value, _ := strings.Cut(f[i+1:end], "=")
		name, value = strings.Trim(name, " \t"), strings.Trim(value, " \t")
		inPath := v.scoped() && strings.EqualFold(name, "Path")
		if inPath {
			path = value // the last one counts
		}
		instead, changed := "", inPath || v.HTTP && httpsOnly(name, value)
		switch {
		case strings.EqualFold(name, "Domain"):
			instead, changed = v.domain(value)
		case v.Base != nil && !inPath && strings.EqualFold(name, "Path") && v.prefix(value) != "":
			instead, changed = "; Path="+v.prefix(value)+value, true
		}
		if changed {
			out = append(append(out, f[done:i]...), instead...)
			done = end
		}
		i = end
	}
	if v.scoped() {
		if !strings.HasPrefix(path, "/") {
			path = defaultPath(v.Base.Path)
		}
		if path == "/" {
			path = ""
		}
		return string(out) + f[done:] + "; Path=" + v.prefix(path) + path, true
	}
	if done == 0 {
		return f, false
	}
	return string(append(out, f[done:]...)), true
}

// domain returns what replaces a Domain attribute that would keep the caller from
// storing the cookie; "" removes it. Below a base URL, no Domain is the caller's. A
// Domain that covers the upstream's own name, but not the host that the caller
// called, would have the cookie rejected (RFC 6265 5.3, step 6). Without a Domain,
// the cookie goes back to the host that set it.
func (v View) domain(value string) (instead string, changed bool) {
	if v.Base != nil {
		return "", true
	}
	if !v.renamed() {
		return "", false
	}
	n, err := host.Parse(strings.TrimPrefix(value, "."))
	switch called := v.called(n); {
	case called == n:
	case under(n, called): // else it would go to every name below the host that was called
		return "", true
	default:
		return "; Domain=" + called.String(), true
	}
	return "", err == nil && under(v.Target, n) && v.Host != n && !under(v.Host, n)
}

func under(n, domain host.Name) bool { return strings.HasSuffix(n.String(), "."+domain.String()) }

// scoped reports whether the caller uses the path form.
func (v View) scoped() bool { return v.Base != nil && v.Base.Prefix != "" }

// defaultPath returns the path of a cookie that names none (RFC 6265 5.1.4).
func defaultPath(path string) string {
	if i := strings.IndexByte(path, ';'); i >= 0 {
		path = path[:i] // a cookie's Path cannot contain one
	}
	return path[:max(0, strings.LastIndexByte(path, '/'))]
}

// httpsOnly reports whether a client may honour an attribute only over https.
func httpsOnly(name, value string) bool {
	return strings.EqualFold(name, "Secure") || strings.EqualFold(name, "SameSite") && strings.EqualFold(value, "None")
}
