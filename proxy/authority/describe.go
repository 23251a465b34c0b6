package authority

import (
	"crypto/sha1" // for the fingerprint that Windows shows
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"
)

// Describe writes a summary of a certificate for an operator.
func Describe(w io.Writer, cert *x509.Certificate, now time.Time) error {
	state := fmt.Sprintf("%d days left", int(cert.NotAfter.Sub(now)/day))
	switch {
	case !now.Before(cert.NotAfter):
		state = "EXPIRED"
	case now.Before(cert.NotBefore):
		state = "not valid yet"
	}
	sum256, sum1 := sha256.Sum256(cert.Raw), sha1.Sum(cert.Raw)
	_, err := fmt.Fprintf(w, `subject      %s
issuer       %s
serial       %x
valid        %s to %s (%s)
key          %s
signature    %s
CA           %s
constraints  %s
sha256       %s
sha1         %s
`, cert.Subject, issuer(cert), cert.SerialNumber,
		cert.NotBefore.UTC().Format(time.DateOnly), cert.NotAfter.UTC().Format(time.DateOnly), state,
		keyText(cert), cert.SignatureAlgorithm, caText(cert), constraintText(cert),
		fingerprint(sum256[:]), fingerprint(sum1[:]))
	return err
}

func issuer(cert *x509.Certificate) string {
	if selfSigned(cert) {
		return "itself"
	}
	return cert.Issuer.String()
}

func keyText(cert *x509.Certificate) string {
	if key, ok := cert.PublicKey.(interface{ Size() int }); ok {
		return fmt.Sprintf("%s %d bits", cert.PublicKeyAlgorithm, key.Size()*8)
	}
	return cert.PublicKeyAlgorithm.String()
}

func caText(cert *x509.Certificate) string {
	switch {
	case !cert.IsCA:
		return "no"
	case cert.MaxPathLenZero:
		return "yes, for leaf certificates only"
	default:
		return "yes"
	}
}

// constraintText returns a CA's name constraints, or a leaf's names.
func constraintText(cert *x509.Certificate) string {
	if !cert.IsCA {
		return "names " + strings.Join(cert.DNSNames, ", ")
	}
	if len(cert.PermittedDNSDomains) == 0 {
		return "none"
	}
	marked := "not critical"
	if cert.PermittedDNSDomainsCritical {
		marked = "critical"
	}
	ips := "IP addresses not excluded"
	if len(cert.ExcludedIPRanges) > 0 {
		ips = "IP addresses excluded"
	}
	return fmt.Sprintf("%s and below, %s (%s)", strings.Join(cert.PermittedDNSDomains, ", "), ips, marked)
}

// fingerprint returns sum in the form that browsers and Windows show.
func fingerprint(sum []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}
