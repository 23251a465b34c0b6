package authority

import (
	"crypto/x509"
	"net"
	"strings"

	"tlslift/proxy/host"
)

// permits applies one certificate's name constraints to a host (RFC 5280
// 4.2.1.10).
func permits(cert *x509.Certificate, n host.Name) bool {
	if n.IsAddr() {
		return permitsIP(cert, n.Addr().AsSlice())
	}
	for _, c := range cert.ExcludedDNSDomains {
		if within(n.String(), c) {
			return false
		}
	}
	for _, c := range cert.PermittedDNSDomains {
		if within(n.String(), c) {
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

// within reports whether name is the constraint's domain or below it. A constraint
// with a leading dot permits only names below the domain. RFC 5280 does not define
// that form for DNS names, but verifiers accept it.
func within(name, constraint string) bool {
	constraint = strings.ToLower(constraint)
	if constraint == "" {
		return true
	}
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(name, constraint)
	}
	return name == constraint || strings.HasSuffix(name, "."+constraint)
}
