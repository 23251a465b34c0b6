package authority

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tlslift/proxy/host"
)

// CA is a loaded signing CA. It is immutable.
type CA struct {
	Cert      *x509.Certificate   // the CA that signs leaves
	Issuers   []*x509.Certificate // the rest of the file, in the same order
	key       *rsa.PrivateKey
	chain     [][]byte // sent after a leaf: Cert and its Issuers, without roots
	sha1Chain [][]byte // the same, with the SHA-1 signed twin of Cert if the file has one
}

// Fingerprint identifies the CA by the SHA-256 sum of what is sent after a leaf.
func (ca *CA) Fingerprint() [sha256.Size]byte {
	return sha256.Sum256(slices.Concat(slices.Concat(ca.chain, ca.sha1Chain)...))
}

// LoadOptions says what Load accepts.
type LoadOptions struct {
	CertFile, KeyFile  string // PEM
	AllowUnconstrained bool   // accept a CA that may sign for any host
}

// Load reads a CA with read: its certificate, first in CertFile, then its issuers
// if they must be sent or exported, and its RSA key. A company's own CA and
// cert-manager's secrets work as well as the files of Init. Load returns all
// errors, each with the file and what to do. It accepts a CA that has expired or is
// not valid yet: it signs nothing, but clients that need no leaf are not affected.
func Load(read func(file string) ([]byte, error), o LoadOptions) (*CA, []error) {
	certs, errCert := parseFile(read, o.CertFile, parseCertificates)
	key, errKey := parseFile(read, o.KeyFile, parseKey)
	if errors.Is(errCert, errIsKey) {
		errCert = fmt.Errorf("%w: are cert_file and key_file swapped?", errCert)
	}
	if errCert != nil {
		return nil, present(errCert, errKey)
	}
	ca := &CA{Cert: certs[0], Issuers: certs[1:], key: key}
	if errs := append(present(errKey), ca.validate(o)...); len(errs) > 0 {
		return nil, errs
	}
	ca.chain = ca.sent(ca.Cert)
	ca.sha1Chain = ca.chain
	if twin := ca.sha1Twin(); twin != nil {
		ca.sha1Chain = ca.sent(twin)
	}
	return ca, nil
}

// parseFile reads and parses a file. Its errors name the file.
func parseFile[T any](read func(string) ([]byte, error), file string, parse func([]byte) (T, error)) (parsed T, err error) {
	data, err := read(file)
	if err != nil {
		return parsed, err
	}
	if parsed, err = parse(data); err != nil {
		return parsed, fmt.Errorf("%s: %w", file, err)
	}
	return parsed, nil
}

// present returns the errors that are not nil.
func present(errs ...error) []error {
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// validate returns every reason why the CA cannot sign leaves. Without a key, it
// checks only the certificate.
func (ca *CA) validate(o LoadOptions) (errs []error) {
	wrong := func(is bool, format string, args ...any) {
		if is {
			errs = append(errs, fmt.Errorf("%s: %w", o.CertFile, fmt.Errorf(format, args...)))
		}
	}
	cert := ca.Cert
	public, isRSA := cert.PublicKey.(*rsa.PublicKey)
	wrong(!isRSA, "its key is %s, and old clients verify RSA alone: use an RSA CA", cert.PublicKeyAlgorithm)
	if isRSA {
		wrong(public.N.BitLen() < keyBits, "its key has %d bits: at least %d are needed", public.N.BitLen(), keyBits)
		wrong(ca.key != nil && !public.Equal(&ca.key.PublicKey),
			"the first certificate does not belong to the key %s; cert_file is ca.pem of the same `tlslift ca init` as the key, not root.pem", o.KeyFile)
	}
	isCA := cert.BasicConstraintsValid && cert.IsCA
	wrong(!isCA, "the first certificate is not a CA's (basicConstraints CA:TRUE)")
	wrong(isCA && cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0, "the first certificate may not sign certificates (keyUsage keyCertSign)")
	wrong(isCA && !o.AllowUnconstrained && !ca.Constrained(), "the CA has no name constraints: anyone who steals its key can impersonate any site to every client that trusts it; "+
		"make a CA with tlslift ca init, or set legacy_tls.allow_unconstrained_ca")
	return errs
}

// NotPermittedError is the error for a leaf whose host the CA's name constraints
// exclude. It quotes at most 64 characters of the name, to keep log lines short.
type NotPermittedError string

func (e NotPermittedError) Error() string {
	return fmt.Sprintf("mint a leaf: the CA does not permit the host %.64q", string(e))
}

// NotValidError says why a CA signs nothing: it "expired on" a date, or "is not
// valid before" a time.
type NotValidError string

func (e NotValidError) Error() string { return string(e) }

// Valid returns a NotValidError if the CA has expired or is not valid yet.
func (ca *CA) Valid(now time.Time) error {
	switch {
	case now.Before(ca.Cert.NotBefore):
		return NotValidError("is not valid before " + ca.Cert.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(ca.Cert.NotAfter):
		return NotValidError("expired on " + ca.Cert.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

// ExpiresSoon reports whether the CA expires in less than 30 days. If its lifetime
// is below 90 days, the limit is a third of that.
func (ca *CA) ExpiresSoon(now time.Time) bool {
	left := ca.Cert.NotAfter.Sub(now)
	return left > 0 && left < min(30*day, ca.Cert.NotAfter.Sub(ca.Cert.NotBefore)/3)
}

// Constrained reports whether there are name constraints where clients look: in the
// signing CA or an intermediate above it. Java ignores those of a trust anchor.
func (ca *CA) Constrained() bool {
	return slices.ContainsFunc(ca.all(), func(cert *x509.Certificate) bool { return len(cert.PermittedDNSDomains) > 0 && !selfSigned(cert) })
}

// ExcludesAddresses reports whether IP addresses of both families are excluded
// where clients look (see Constrained): permitted names do not restrict
// certificates for an address (RFC 5280 4.2.1.10).
func (ca *CA) ExcludesAddresses() bool {
	v4, v6 := false, false
	for _, cert := range ca.all() {
		if selfSigned(cert) {
			continue
		}
		for _, r := range cert.ExcludedIPRanges {
			ones, bits := r.Mask.Size()
			v4 = v4 || ones == 0 && bits == 32
			v6 = v6 || ones == 0 && bits == 128
		}
	}
	return v4 && v6
}

// Permits reports whether the constraints of the CA and its issuers let it
// sign for n. It is false if n is zero.
func (ca *CA) Permits(n host.Name) bool {
	return !n.IsZero() && !slices.ContainsFunc(ca.all(), func(cert *x509.Certificate) bool { return !permits(cert, n) })
}

// Root returns the certificate that clients must trust: the self-signed one, else
// the last.
func (ca *CA) Root() *x509.Certificate {
	all := ca.all()
	if i := slices.IndexFunc(all, selfSigned); i >= 0 {
		return all[i]
	}
	return all[len(all)-1]
}

// RootPEM returns Root as PEM, for /ca.pem.
func (ca *CA) RootPEM() []byte { return encodePEM(ca.Root()) }

func (ca *CA) all() []*x509.Certificate {
	return append([]*x509.Certificate{ca.Cert}, ca.Issuers...)
}

// sent returns the chain to send after a leaf: without roots, which clients have or
// do not trust, and with only one of the CA's twins, which is cert.
func (ca *CA) sent(cert *x509.Certificate) [][]byte {
	var chain [][]byte
	if !selfSigned(cert) {
		chain = append(chain, cert.Raw)
	}
	for _, issuer := range ca.Issuers {
		if !selfSigned(issuer) && !ca.isTwin(issuer) {
			chain = append(chain, issuer.Raw)
		}
	}
	return chain
}

// SignedWithSHA1 reports whether a leaf's whole chain can be signed with SHA-1.
func (ca *CA) SignedWithSHA1() bool { return ca.sha1Twin() != nil }

// sha1Twin returns the issuer that is Cert signed with SHA-1, or nil.
func (ca *CA) sha1Twin() *x509.Certificate {
	for _, cert := range ca.Issuers {
		if ca.isTwin(cert) && cert.SignatureAlgorithm == x509.SHA1WithRSA {
			return cert
		}
	}
	return nil
}

func (ca *CA) isTwin(cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawSubject, ca.Cert.RawSubject) &&
		bytes.Equal(cert.RawSubjectPublicKeyInfo, ca.Cert.RawSubjectPublicKeyInfo)
}

// selfSigned reports whether a certificate is a root: it names itself as its issuer,
// and is signed with its own key. A signature that Go no longer verifies, such as one
// with MD5, counts as its own.
func selfSigned(cert *x509.Certificate) bool {
	if !bytes.Equal(cert.RawSubject, cert.RawIssuer) {
		return false
	}
	err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
	_, weak := errors.AsType[x509.InsecureAlgorithmError](err)
	return err == nil || weak
}

// ParseCertificates parses all certificates of a PEM file, or one certificate in
// DER.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if cert, err := x509.ParseCertificate(data); err == nil {
		return []*x509.Certificate{cert}, nil
	}
	return parseCertificates(data)
}

// errIsKey is the error for a private key where a certificate was expected.
var errIsKey = errors.New("it is a private key, not a certificate")

func parseCertificates(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, noCertificate(data)
	}
	return certs, nil
}

// noCertificate returns an error that says what data holds instead of PEM
// certificates.
func noCertificate(data []byte) error {
	if _, err := x509.ParseCertificate(data); err == nil {
		return errors.New("it is in DER form: convert it to PEM with openssl x509 -inform der -in FILE -out FILE.pem")
	}
	if HoldsKey(data) {
		return errIsKey
	}
	return errors.New("no PEM block CERTIFICATE in it")
}

// HoldsKey reports whether data holds a private key, in PEM or DER form.
func HoldsKey(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return true
		}
	}
	_, errPKCS8 := x509.ParsePKCS8PrivateKey(data)
	_, errPKCS1 := x509.ParsePKCS1PrivateKey(data)
	_, errEC := x509.ParseECPrivateKey(data)
	return errPKCS8 == nil || errPKCS1 == nil || errEC == nil
}

// parseKey parses an RSA key in PEM form, as PKCS #8 or PKCS #1.
func parseKey(data []byte) (*rsa.PrivateKey, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			if rsaKey, ok := key.(*rsa.PrivateKey); ok {
				return rsaKey, nil
			}
			return nil, errors.New("not an RSA key: old clients verify RSA alone")
		case "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY":
			return nil, fmt.Errorf("it holds a PEM block %s: a plain RSA key is needed", block.Type)
		}
	}
	if _, err := parseCertificates(data); err == nil {
		return nil, errors.New("it is a certificate, not a private key: key_file is ca-key.pem")
	}
	return nil, errors.New("no PEM block PRIVATE KEY in it")
}

func encodePEM(certs ...*x509.Certificate) []byte {
	var out []byte
	for _, cert := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return out
}
