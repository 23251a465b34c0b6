package configs

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"tlslift/proxy/host"
)

// hostname is a DNS name alone.
var hostname = kind[host.Name]{
	noun: "a host", example: "api.smsportal.com", tags: []string{strTag},
	parse: parseHost,
}

// hostPattern is a DNS name, or *.domain for every name below the domain.
var hostPattern = kind[host.Pattern]{
	noun: "a host or *.domain", example: `"*.smsportal.com"`, tags: []string{strTag},
	parse: func(text string) (host.Pattern, *fault) {
		domain, wild := strings.CutPrefix(text, "*.")
		if strings.Contains(domain, "*") {
			return host.Pattern{}, faultf("write a host, or *.domain for all below it", "%s is not a pattern", quoted(text))
		}
		n, f := parseHost(domain)
		if f != nil || !wild {
			return host.Exact(n), f
		}
		p, err := host.ParsePattern("*." + n.String())
		if err != nil {
			return host.Pattern{}, faultf("", "%s is not a host", quoted(text))
		}
		return p, nil
	},
}

// parseHost says what else than a DNS name a text is. What is left is package
// host's to judge.
func parseHost(text string) (host.Name, *fault) {
	switch {
	case text == "":
		return host.Name{}, faultf("", "is empty")
	case strings.Contains(text, "://"):
		return host.Name{}, faultf("write the host alone", "%s has a scheme", quoted(text))
	case strings.ContainsAny(text, "/?#@"):
		return host.Name{}, faultf("write the host alone", "%s is more than a host", quoted(text))
	case isAddress(text):
		return host.Name{}, faultf(
			"write the name that is in the server's certificate, and the address as the entry's address",
			"%s is an address, not a host", quoted(text))
	case strings.Contains(text, ":"):
		return host.Name{}, faultf("write the host alone, and the port as the entry's port", "%s has a port", quoted(text))
	}
	n, err := host.Parse(inASCII(text))
	if err != nil || n.IsAddr() {
		return host.Name{}, faultf("", "%s is not a host", quoted(text))
	}
	return n, nil
}

// isAddress reports whether text is an IP address, with or without brackets and
// zone.
func isAddress(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, _, _ = strings.Cut(inner, "]")
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// inASCII encodes an international name (RFC 5891). Any other text stays as it
// is.
func inASCII(text string) string {
	for i := range len(text) {
		if text[i] < 0x80 {
			continue
		}
		if encoded, err := idna.Lookup.ToASCII(strings.TrimSuffix(text, ".")); err == nil {
			return encoded
		}
		break
	}
	return text
}

// hostSet is the hosts that some patterns match.
type hostSet struct{ exact, below map[host.Name]bool }

func newHostSet(upstreams []Upstream) hostSet {
	s := hostSet{exact: make(map[host.Name]bool), below: make(map[host.Name]bool)}
	for _, u := range upstreams {
		if u.Host.Wild() {
			s.below[u.Host.Domain()] = true
		} else {
			s.exact[u.Host.Domain()] = true
		}
	}
	return s
}

// has reports whether n is one of the hosts.
func (s hostSet) has(n host.Name) bool {
	if s.exact[n] {
		return true
	}
	for domain := range n.Parents {
		if s.below[domain] {
			return true
		}
	}
	return false
}
