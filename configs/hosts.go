package configs

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// hostname is a host alone: lower case, ASCII, no port, no trailing dot.
var hostname = kind[string]{
	noun: "a host", example: "api.smsportal.com", tags: []string{strTag},
	parse: parseHost,
}

// hostPattern is a host, or *.domain for every host below the domain.
var hostPattern = kind[string]{
	noun: "a host or *.domain", example: `"*.smsportal.com"`, tags: []string{strTag},
	parse: func(text string) (string, *fault) {
		domain, wild := strings.CutPrefix(text, "*.")
		if strings.Contains(domain, "*") {
			return "", faultf("write a host, or *.domain for all below it", "%s is not a pattern", quoted(text))
		}
		host, f := parseHost(domain)
		if f == nil && wild {
			host = "*." + host
		}
		return host, f
	},
}

// parseHost normalises a host's name and says what else a text is.
func parseHost(text string) (string, *fault) {
	switch {
	case text == "":
		return "", faultf("", "is empty")
	case strings.Contains(text, "://"):
		return "", faultf("write the host alone", "%s has a scheme", quoted(text))
	case strings.ContainsAny(text, "/?#@"):
		return "", faultf("write the host alone", "%s is more than a host", quoted(text))
	case isAddress(text):
		return "", faultf(
			"write the name that is in the server's certificate, and the address as the entry's address",
			"%s is an address, not a host", quoted(text))
	case strings.Contains(text, ":"):
		return "", faultf("write the host alone, and the port as the entry's port", "%s has a port", quoted(text))
	}
	host := strings.TrimSuffix(text, ".")
	if !ascii(host) {
		encoded, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", faultf("", "%s is not a host", quoted(text))
		}
		host = encoded
	}
	host = strings.ToLower(host)
	if !validHost(host) {
		return "", faultf("", "%s is not a host", quoted(text))
	}
	return host, nil
}

// isAddress reports whether text is an IP address, with or without brackets.
func isAddress(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, _, _ = strings.Cut(inner, "]")
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// validHost reports whether a lower-case name can be looked up: RFC 1123 2.1,
// and the underscore that hosts files and containers use. A last label of
// digits alone is left to addresses.
func validHost(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	digits := true
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		digits = true
		for _, c := range []byte(label) {
			number := '0' <= c && c <= '9'
			if !number && (c < 'a' || c > 'z') && c != '-' && c != '_' {
				return false
			}
			digits = digits && number
		}
	}
	return !digits
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// covered reports whether host, normalised, falls under one of the patterns.
func covered(patterns map[string]bool, host string) bool {
	if patterns[host] {
		return true
	}
	for {
		_, domain, ok := strings.Cut(host, ".")
		if !ok {
			return false
		}
		if patterns["*."+domain] {
			return true
		}
		host = domain
	}
}
