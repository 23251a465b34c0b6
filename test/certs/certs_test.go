package certs

import (
	"crypto/x509"
	"encoding/pem"
	"testing"
	"time"
)

func TestLeafVerifiesForItsNamesOnly(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]KeyType{"ecdsa": ECDSA, "rsa": RSA} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ca, err := NewCA("test root", kind)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := ca.Issue(Leaf{Names: []string{"api.smsportal.com", "*.mymobileapi.com", "127.0.0.1"}})
			if err != nil {
				t.Fatal(err)
			}
			for host, want := range map[string]bool{
				"api.smsportal.com": true, "www.mymobileapi.com": true, "127.0.0.1": true,
				"mymobileapi.com": false, "evil.test": false,
			} {
				_, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: ca.Pool()})
				if (err == nil) != want {
					t.Errorf("%s: verified %v, want %v (%v)", host, err == nil, want, err)
				}
			}
		})
	}
}

func TestExpiredLeafDoesNotVerify(t *testing.T) {
	t.Parallel()
	ca, err := NewCA("test root", ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(Leaf{Names: []string{"a.test"}, NotAfter: time.Now().Add(-time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{DNSName: "a.test", Roots: ca.Pool()}); err == nil {
		t.Error("an expired leaf verified")
	}
}

func TestPEMIsTheRoot(t *testing.T) {
	t.Parallel()
	ca, err := NewCA("test root", ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(ca.PEM())
	if block == nil || len(rest) != 0 {
		t.Fatalf("not one PEM block: %q", ca.PEM())
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !cert.IsCA {
		t.Errorf("not a CA certificate: %v %v", cert, err)
	}
}
