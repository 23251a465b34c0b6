package authority

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// maxCN is the maximum length of a CN (RFC 5280, ub-common-name).
const maxCN = 64

// mint signs one leaf. The leaf has no subject key identifier, because SChannel on
// old Windows rejects leaves that have one. The CN repeats the first name for
// clients that look at nothing else.
func (ca *CA) mint(key crypto.Signer, names []string, now time.Time, k Kind) (*tls.Certificate, error) {
	if err := ca.Valid(now); err != nil {
		return nil, fmt.Errorf("mint a leaf: the CA %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		NotBefore:             slices.MaxFunc([]time.Time{now.Add(-Backdate), ca.Cert.NotBefore}, time.Time.Compare),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SignatureAlgorithm:    x509.SHA256WithRSA,
	}
	template.NotAfter = slices.MinFunc([]time.Time{template.NotBefore.Add(LeafLife), ca.Cert.NotAfter}, time.Time.Compare)
	if len(names[0]) <= maxCN {
		template.Subject = pkix.Name{CommonName: names[0]}
	} else {
		template.Subject = pkix.Name{Organization: []string{"tlslift"}}
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	chain := ca.chain
	switch k {
	case RSASHA1:
		template.SignatureAlgorithm = x509.SHA1WithRSA
		chain = ca.sha1Chain
	case ECDSA:
		template.KeyUsage = x509.KeyUsageDigitalSignature // clients encrypt nothing for an ECDSA key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign a leaf: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read back a leaf: %w", err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, chain...), PrivateKey: key, Leaf: leaf}, nil
}

// renewal returns when to replace a leaf: after three quarters of its lifetime. If
// the leaf expires with the CA, a new one would not last longer.
func renewal(leaf *x509.Certificate, ca *CA) time.Time {
	if !leaf.NotAfter.Before(ca.Cert.NotAfter) {
		return leaf.NotAfter
	}
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 4 * 3)
}

// newSerial returns a random positive serial number of at most 16 bytes.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails: it crashes the program instead
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
