// Package certs makes throw-away certification authorities and leaves for the
// pretend upstreams of the tests and of `tlslift demo`. Nothing is written to
// disk and no key outlives the process.
package certs

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// KeyType is the type of key that a CA and its leaves have.
type KeyType uint8

// The key types. Making an ECDSA key takes microseconds, an RSA key (2048 bits)
// tens of milliseconds.
const (
	ECDSA KeyType = iota // P-256
	RSA
)

// CA is a self-signed root and its key.
type CA struct {
	cert *x509.Certificate
	key  crypto.Signer
	kind KeyType
}

// Leaf describes a leaf certificate. Zero times mean from an hour ago to
// a day from now.
type Leaf struct {
	Names     []string // DNS names and IP addresses; the first DNS name is the CN too
	NotBefore time.Time
	NotAfter  time.Time
}

// NewCA makes a root that is valid for ten days.
func NewCA(name string, kind KeyType) (*CA, error) {
	key, err := newKey(kind)
	if err != nil {
		return nil, fmt.Errorf("making the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(10 * 24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing %s: %w", name, err)
	}
	return &CA{cert: cert, key: key, kind: kind}, nil
}

// Issue signs a leaf that has its own key, of the CA's type.
func (c *CA) Issue(leaf Leaf) (tls.Certificate, error) {
	key, err := newKey(c.kind)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("making a leaf's key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		NotBefore:    cmp.Or(leaf.NotBefore, time.Now().Add(-time.Hour)),
		NotAfter:     cmp.Or(leaf.NotAfter, time.Now().Add(24*time.Hour)),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range leaf.Names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, name)
	}
	if len(template.DNSNames) > 0 {
		template.Subject.CommonName = template.DNSNames[0]
	}
	cert, err := sign(template, c.cert, key.Public(), c.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("signing a leaf: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// PEM returns the root's certificate, in the form of a ca_file.
func (c *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// Pool returns a pool with only the root.
func (c *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.cert)
	return pool
}

func newKey(kind KeyType) (crypto.Signer, error) {
	if kind == RSA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// serial returns a random number, because two CAs with the same name must not
// share serial numbers.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
