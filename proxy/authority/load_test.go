package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/host"
)

// selfSignedCA makes a CA as a company or cert-manager would; edit changes
// its template.
func selfSignedCA(t *testing.T, key any, public any, edit func(*x509.Certificate)) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Company CA"},
		NotBefore: testNow.Add(-day), NotAfter: testNow.Add(day),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign,
		PermittedDNSDomains: []string{"smsportal.com"},
	}
	if edit != nil {
		edit(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestLoadRefusals(t *testing.T) {
	t.Parallel()
	key := testCA().key
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	ecPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecDER})
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	smallPEM := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)})
	pub := &key.PublicKey
	for name, c := range map[string]struct {
		cert, key []byte
		allow     bool
		want      string // "" = loads
	}{
		"root alone, though constrained": {selfSignedCA(t, key, pub, nil), pkcs1, false, "no name constraints"},
		"the same, allowed":              {selfSignedCA(t, key, pub, nil), pkcs1, true, ""},
		"an intermediate of ours":        {encodePEM(testCA().all()...), pkcs1, false, ""},
		"another key":                    {selfSignedCA(t, key, pub, nil), smallPEM, true, "does not belong to the key"},
		"a small key":                    {selfSignedCA(t, small, &small.PublicKey, nil), smallPEM, true, "1024 bits"},
		"ECDSA certificate":              {selfSignedCA(t, ec, &ec.PublicKey, nil), pkcs1, true, "RSA alone"},
		"ECDSA key":                      {selfSignedCA(t, key, pub, nil), ecPEM, true, "not an RSA key"},
		"no CA":                          {selfSignedCA(t, key, pub, func(c *x509.Certificate) { c.IsCA = false; c.PermittedDNSDomains = nil }), pkcs1, true, "not a CA"},
		"may not sign":                   {selfSignedCA(t, key, pub, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), pkcs1, true, "may not sign"},
		"expired":                        {selfSignedCA(t, key, pub, func(c *x509.Certificate) { c.NotAfter = testNow.Add(-time.Hour) }), pkcs1, true, ""},
		"not yet valid":                  {selfSignedCA(t, key, pub, func(c *x509.Certificate) { c.NotBefore = testNow.Add(time.Hour) }), pkcs1, true, ""},
		"no certificate":                 {[]byte("x"), pkcs1, true, "no PEM block CERTIFICATE"},
		"swapped":                        {pkcs1, selfSignedCA(t, key, pub, nil), true, "it is a private key, not a certificate: are cert_file and key_file swapped?"},
		"a certificate for a key":        {selfSignedCA(t, key, pub, nil), selfSignedCA(t, key, pub, nil), true, "it is a certificate, not a private key: key_file is ca-key.pem"},
		"DER":                            {testCA().Cert.Raw, pkcs1, true, "convert it to PEM with openssl x509 -inform der"},
		"no key":                         {selfSignedCA(t, key, pub, nil), []byte("x"), true, "no PEM block PRIVATE KEY"},
		"an encrypted key":               {selfSignedCA(t, key, pub, nil), []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), true, "plain RSA key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			read, o := inMemory(c.cert, c.key)
			o.AllowUnconstrained = c.allow
			_, errs := Load(read, o)
			if c.want == "" && len(errs) > 0 || c.want != "" && (len(errs) == 0 || !strings.Contains(errs[0].Error(), c.want)) {
				t.Errorf("%q, want %q", errs, c.want)
			}
		})
	}
}

// All that is wrong with a CA is said at once, each with its file.
func TestLoadNamesAllProblems(t *testing.T) {
	t.Parallel()
	key := testCA().key
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := selfSignedCA(t, small, &small.PublicKey, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign })
	for name, c := range map[string]struct {
		cert, key []byte
		want      []string
	}{
		"neither file":     {nil, nil, []string{"ca.pem", "ca-key.pem"}},
		"swapped":          {pkcs1, encodePEM(testCA().Cert), []string{"ca.pem: it is a private key", "ca-key.pem: it is a certificate"}},
		"weak, and no key": {weak, []byte("x"), []string{"ca-key.pem: no PEM block", "ca.pem: its key has 1024 bits", "ca.pem: the first certificate may not sign", "ca.pem: the CA has no name constraints"}},
		"weak, not its key": {weak, pkcs1, []string{
			"ca.pem: its key has 1024 bits", "does not belong to the key ca-key.pem", "may not sign", "no name constraints",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errs := Load(inMemory(c.cert, c.key))
			if !slices.EqualFunc(errs, c.want, func(err error, want string) bool { return strings.Contains(err.Error(), want) }) {
				t.Errorf("%q, want %q", errs, c.want)
			}
		})
	}
}

// TestExcludesAddresses: ours does; names alone, or one family, are not enough.
func TestExcludesAddresses(t *testing.T) {
	t.Parallel()
	if !testCA().ExcludesAddresses() {
		t.Error("the CA that tlslift makes lets addresses in")
	}
	_, all4, _ := net.ParseCIDR("0.0.0.0/0")
	_, all6, _ := net.ParseCIDR("::/0")
	_, ten, _ := net.ParseCIDR("10.0.0.0/8")
	for _, ranges := range [][]*net.IPNet{nil, {all4}, {all6}, {ten, all6}} {
		cert := *testCA().Cert
		cert.ExcludedIPRanges = ranges
		if ca := (&CA{Cert: &cert}); ca.ExcludesAddresses() {
			t.Errorf("%v excludes all", ranges)
		}
	}
}

func TestPermitsFollowsRFC5280(t *testing.T) {
	t.Parallel()
	_, ten, _ := net.ParseCIDR("10.0.0.0/8")
	for _, c := range []struct {
		cert x509.Certificate
		host string
		want bool
	}{
		{x509.Certificate{}, "any.example", true},
		{x509.Certificate{PermittedDNSDomains: []string{"a.example"}}, "a.example", true},
		{x509.Certificate{PermittedDNSDomains: []string{"A.Example"}}, "b.a.example", true},
		{x509.Certificate{PermittedDNSDomains: []string{"a.example"}}, "ba.example", false},
		{x509.Certificate{PermittedDNSDomains: []string{".a.example"}}, "a.example", false},
		{x509.Certificate{PermittedDNSDomains: []string{".a.example"}}, "b.a.example", true},
		{x509.Certificate{PermittedDNSDomains: []string{""}}, "b.a.example", true},
		{x509.Certificate{PermittedDNSDomains: []string{"a.example"}, ExcludedDNSDomains: []string{"x.a.example"}}, "y.x.a.example", false},
		{x509.Certificate{PermittedDNSDomains: []string{"a.example"}}, "10.1.2.3", true},
		{x509.Certificate{ExcludedIPRanges: []*net.IPNet{ten}}, "10.1.2.3", false},
		{x509.Certificate{PermittedIPRanges: []*net.IPNet{ten}}, "10.1.2.3", true},
		{x509.Certificate{PermittedIPRanges: []*net.IPNet{ten}}, "192.0.2.1", false},
	} {
		if got := permits(&c.cert, host.MustParse(c.host)); got != c.want {
			t.Errorf("%v %v, %s: %t", c.cert.PermittedDNSDomains, c.cert.ExcludedDNSDomains, c.host, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	key := testCA().key
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	f.Add(encodePEM(testCA().all()...), pkcs1)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), pkcs1)
	f.Fuzz(func(t *testing.T, cert, key []byte) {
		ca, errs := Load(inMemory(cert, key))
		if len(errs) == 0 && (!ca.Constrained() || len(ca.chain) == 0) {
			t.Error("an unconstrained CA was taken")
		}
	})
}
