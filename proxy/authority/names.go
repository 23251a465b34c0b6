package authority

import (
	"crypto/x509"
	"net"
	"slices"
	"strings"

	"tlslift/proxy/host"
)

// permits applies one certificate's name constraints to a host (RFC 5280
// 4.2.1.10).
func permits(cert *x509.Certificate, n host.Name) bool {
	if n.IsAddr() {
		has := func(r *net.IPNet) bool { return r.Contains(n.Addr().AsSlice()) }
		return allowed(cert.PermittedIPRanges, cert.ExcludedIPRanges, has)
	}
	has := func(constraint string) bool { return within(n.String(), constraint) }
	return allowed(cert.PermittedDNSDomains, cert.ExcludedDNSDomains, has)
}

// allowed reports whether no excluded constraint has a host, and a permitted one has
// it or there is none.
func allowed[C any](permitted, excluded []C, has func(C) bool) bool {
	return !slices.ContainsFunc(excluded, has) && (len(permitted) == 0 || slices.ContainsFunc(permitted, has))
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
