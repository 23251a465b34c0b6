package configs

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"

	"tlslift/proxy/host"
)

// hostname is a DNS name alone.
var hostname = textForm("a host", "api.smsportal.com", `^[^*/:?#@\s]+$`, parseHost)

// hostPattern is a DNS name, or *.domain for every name below the domain.
var hostPattern = textForm("a host or *.domain", `"*.smsportal.com"`, `^(\*\.)?[^*/:?#@\s]+$`, parsePattern)

func parsePattern(text string) (host.Pattern, error) {
	domain, wild := strings.CutPrefix(text, "*.")
	if strings.Contains(domain, "*") {
		return host.Pattern{}, refuse(text, "is not a pattern", "write a host, or *.domain for all below it")
	}
	n, err := parseHost(domain)
	if err != nil || !wild {
		return host.Exact(n), err
	}
	return host.ParsePattern("*." + n.String())
}

// parseHost says what else than a DNS name a text is. What is left is package
// host's to judge.
func parseHost(text string) (host.Name, error) {
	const alone = "write the host alone"
	ascii, err := idna.Lookup.ToASCII(text) // RFC 5891
	if err != nil {
		ascii = text // such as a name with an underscore
	}
	n, err := host.Parse(ascii)
	return n, firstFlaw(text,
		flaw{text == "", "is empty", ""},
		flaw{strings.Contains(text, "://"), "has a scheme", alone},
		flaw{strings.ContainsAny(text, "/?#@"), "is more than a host", alone},
		flaw{isAddress(text), "is an address, not a host", "write the name that is in the server's certificate, and the address in upstreams[].address of the file"},
		flaw{strings.Contains(text, ":"), "has a port", alone + ", and the port as the entry's port"},
		flaw{err != nil || n.IsAddr(), "is not a host", ""})
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
