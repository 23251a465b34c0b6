package authority

import (
	"crypto/x509"
	_ "embed"
	"fmt"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// Format is a form in which clients take the root.
type Format uint8

// The formats.
const (
	PEM Format = iota
	DER
	PKCS12 // a trust store without a key, password TrustStorePassword
)

// TrustStorePassword protects the PKCS #12 export, which holds nothing
// secret: it is what Java uses unless told otherwise.
const TrustStorePassword = "changeit"

// ParseFormat reads a format's name.
func ParseFormat(s string) (Format, error) {
	switch strings.ToLower(s) {
	case "pem":
		return PEM, nil
	case "der":
		return DER, nil
	case "pkcs12":
		return PKCS12, nil
	default:
		return 0, fmt.Errorf("unknown format %q: pem, der or pkcs12", s)
	}
}

// Export encodes the certificates; DER holds the first alone. The PKCS #12
// form marks them as trusted in the way Java 8 and later want, with the old
// ciphers that every Java and Windows reads.
func Export(certs []*x509.Certificate, format Format) ([]byte, error) {
	switch format {
	case DER:
		return certs[0].Raw, nil
	case PKCS12:
		var entries []pkcs12.TrustStoreEntry
		for _, cert := range certs {
			entries = append(entries, pkcs12.TrustStoreEntry{Cert: cert, FriendlyName: cert.Subject.CommonName})
		}
		data, err := pkcs12.LegacyDES.EncodeTrustStoreEntries(entries, TrustStorePassword)
		if err != nil {
			return nil, fmt.Errorf("encode PKCS #12: %w", err)
		}
		return data, nil
	default:
		return encodePEM(certs...), nil
	}
}

//go:embed instructions.txt
var instructions string

// Instructions says how to make clients trust the certificate that was
// exported to path.
func Instructions(path string, format Format) string {
	header := fmt.Sprintf("%s holds the root in PEM form.\n", path)
	switch format {
	case DER:
		header = fmt.Sprintf("%s holds the root in DER form. OpenSSL, PHP, Python and curl need PEM.\n", path)
	case PKCS12:
		header = fmt.Sprintf("%s is a PKCS #12 trust store with the root, password %s.\n"+
			"Java 8 and later: -Djavax.net.ssl.trustStore=%s -Djavax.net.ssl.trustStoreType=PKCS12"+
			" -Djavax.net.ssl.trustStorePassword=%s\n"+
			"The commands below want the PEM or DER form.\n", path, TrustStorePassword, path, TrustStorePassword)
	}
	return header + "\n" + strings.ReplaceAll(instructions, "ROOT", path)
}
