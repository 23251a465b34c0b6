package authority

import (
	"crypto/x509"
	"net"
	"strings"
)

// normalise gives a host or *.domain in lower case without a trailing dot, or
// "" when it is neither a DNS name nor an IP address.
func normalise(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if net.ParseIP(host) != nil {
		return host
	}
	if !dnsName(strings.TrimPrefix(host, "*.")) {
		return ""
	}
	return host
}

// dnsName reports whether s can be a DNS name (RFC 1035 2.3.4, and the
// underscore that is found in practice).
func dnsName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// permits applies one certificate's name constraints to a normalised host
// (RFC 5280 4.2.1.10).
func permits(cert *x509.Certificate, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return permitsIP(cert, ip)
	}
	for _, c := range cert.ExcludedDNSDomains {
		if within(host, c) {
			return false
		}
	}
	for _, c := range cert.PermittedDNSDomains {
		if within(host, c) {
			return true
		}
	}
	return len(cert.PermittedDNSDomains) == 0
}

func permitsIP(cert *x509.Certificate, ip net.IP) bool {
	for _, r := range cert.ExcludedIPRanges {
		if r.Contains(ip) {
			return false
		}
	}
	for _, r := range cert.PermittedIPRanges {
		if r.Contains(ip) {
			return true
		}
	}
	return len(cert.PermittedIPRanges) == 0
}

// within reports whether host is the constraint's domain or below it. A
// constraint that begins with a dot, which RFC 5280 does not know for DNS
// names and verifiers accept, is for what is below alone.
func within(host, constraint string) bool {
	constraint = strings.ToLower(constraint)
	if constraint == "" {
		return true
	}
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint)
	}
	return host == constraint || strings.HasSuffix(host, "."+constraint)
}
