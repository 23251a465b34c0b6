package authority

import (
	"bytes"
	"crypto/x509"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// Format is a file format that clients import the root in.
type Format uint8

// Formats of Export.
const (
	PEM Format = iota
	DER
	PKCS12 // a trust store without a key, password trustStorePassword
)

// trustStorePassword is the password of the PKCS #12 export, which holds nothing
// secret. It is Java's default.
const trustStorePassword = "changeit"

// ParseFormat returns the format of a name, ignoring case.
func ParseFormat(s string) (Format, error) {
	switch strings.ToLower(s) {
	case "pem":
		return PEM, nil
	case "der":
		return DER, nil
	case "pkcs12":
		return PKCS12, nil
	default:
		return 0, fmt.Errorf("--format %q: write pem, der or pkcs12", s)
	}
}

// Export encodes the certificates. DER holds only the first. PKCS #12 marks them as
// trusted in the way that Java 8 and later require, with the old ciphers that every
// Java and Windows can read.
func Export(certs []*x509.Certificate, format Format) ([]byte, error) {
	switch format {
	case DER:
		return certs[0].Raw, nil
	case PKCS12:
		var entries []pkcs12.TrustStoreEntry
		for _, cert := range certs {
			entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: cert.Subject.CommonName})
		}
		data, err := pkcs12.LegacyDES.EncodeTrustStoreEntries(entries, trustStorePassword)
		if err != nil {
			return nil, fmt.Errorf("encode PKCS #12: %w", err)
		}
		return data, nil
	default:
		return encodePEM(certs...), nil
	}
}

// Roots returns the certificates of a file that clients must install: the
// self-signed ones or, if there are none, all of them.
func Roots(certs []*x509.Certificate) []*x509.Certificate {
	roots := slices.Clone(certs)
	roots = slices.DeleteFunc(roots, func(cert *x509.Certificate) bool { return !selfSigned(cert) })
	if len(roots) == 0 {
		return certs
	}
	return roots
}

// Replaceable reports whether an export of certs may overwrite a file that holds
// data: the file is empty, is an earlier export of certs, or holds one root of any
// CA.
func Replaceable(data []byte, certs []*x509.Certificate) bool {
	if len(data) == 0 {
		return true
	}
	there, err := pkcs12.DecodeTrustStore(data, trustStorePassword)
	if err != nil {
		there, err = ParseCertificates(data)
	}
	if err != nil || len(there) != 1 && !slices.EqualFunc(there, certs, (*x509.Certificate).Equal) {
		return false
	}
	root := selfSigned(there[0]) && (there[0].IsCA || there[0].Version < 3) // no other root says what it is
	if !root && !there[0].Equal(certs[0]) {
		return false
	}
	// A PEM file may also hold other blocks and text.
	return !bytes.Contains(data, []byte("-----BEGIN")) || bytes.Equal(unspaced(encodePEM(there...)), unspaced(data))
}

func unspaced(text []byte) []byte { return bytes.Join(bytes.Fields(text), nil) }

//go:embed instructions.txt
var instructions string

// Instructions says what was exported to path, and how to make clients trust it,
// for each kind of client that imports the format.
func Instructions(certs []*x509.Certificate, path string, format Format) string {
	var b strings.Builder
	form := [...]string{PEM: "in PEM form", DER: "in DER form", PKCS12: "as a PKCS #12 trust store, password " + trustStorePassword}[format]
	fmt.Fprintf(&b, "%s holds %s, %s.\n", path, certs[0].Subject, form)
	if !selfSigned(certs[0]) {
		fmt.Fprintf(&b, "This is not a root: %s issued it, and most clients need that certificate.\n", certs[0].Issuer)
	}
	word := [...]string{PEM: "pem", DER: "der", PKCS12: "pkcs12"}[format]
	for section := range strings.SplitSeq(strings.TrimSpace(instructions), "\n\n") {
		if forms, rest, marked := strings.Cut(section, "] "); marked && section[0] == '[' {
			if !slices.Contains(strings.Fields(forms[1:]), word) {
				continue
			}
			section = rest
		}
		b.WriteString("\n" + strings.ReplaceAll(section, "ROOT", path) + "\n")
	}
	return b.String()
}
