package authority

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

func TestExportForms(t *testing.T) {
	t.Parallel()
	root := testCA().Root()
	certs := []*x509.Certificate{root}
	for name, format := range map[string]Format{"pem": PEM, "DER": DER, "pkcs12": PKCS12} {
		f, err := ParseFormat(name)
		if err != nil || f != format {
			t.Fatalf("%s: %v, %v", name, f, err)
		}
		data, err := Export(certs, format)
		if err != nil {
			t.Fatal(err)
		}
		var back []*x509.Certificate
		if format == PKCS12 {
			back, err = pkcs12.DecodeTrustStore(data, trustStorePassword)
		} else {
			back, err = ParseCertificates(data)
		}
		if err != nil || len(back) != 1 || !back[0].Equal(root) {
			t.Errorf("%s: %v", name, err)
		}
		text := Instructions(certs, "out/file", format)
		for word, forms := range map[string]string{
			"keytool -importcert": "pem DER", "keytool -list": "pkcs12", "trustStoreType=PKCS12": "pkcs12", "certutil": "pem DER", "Group Policy": "pem DER", "SSL_CERT_FILE": "pem",
			"CURLOPT_CAINFO": "pem", "cert-sync": "pem", "certmgr": "DER", "NODE_EXTRA_CA_CERTS": "pem", root.Subject.CommonName: "pem DER pkcs12",
		} {
			if got, want := strings.Contains(text, word), strings.Contains(forms, name); got != want {
				t.Errorf("%s: the instructions speak of %s: %v", name, word, got)
			}
		}
		if strings.Contains(text, "ROOT") || !strings.Contains(text, "out/file") {
			t.Errorf("%s: the instructions do not name the file", name)
		}
	}
	if _, err := ParseFormat("jks"); err == nil {
		t.Error("an unknown form was accepted")
	}
}

// TestRootIsTakenOutOfAChain: ca.pem, which tlslift signs with, begins with the
// intermediate.
func TestRootIsTakenOutOfAChain(t *testing.T) {
	t.Parallel()
	ca := testCA()
	if got := Roots([]*x509.Certificate{ca.Cert, ca.Root()}); len(got) != 1 || !got[0].Equal(ca.Root()) {
		t.Errorf("%d certificates", len(got))
	}
	alone := []*x509.Certificate{ca.Cert}
	if got := Roots(alone); len(got) != 1 || !got[0].Equal(ca.Cert) {
		t.Errorf("an intermediate alone: %d", len(got))
	}
	if text := Instructions(alone, "out/file", PEM); !strings.Contains(text, "This is not a root") {
		t.Errorf("an intermediate passes for the root:\n%s", text)
	}
}

// A root is signed with its own key, however weak the signature is: clients do not
// verify that. Its name as the issuer is not enough.
func TestWhatIsARoot(t *testing.T) {
	t.Parallel()
	key := testCA().key
	other, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signer *rsa.PrivateKey
		edit   func(*x509.Certificate)
		issuer string
	}{
		"own signature":     {key, nil, "itself"},
		"SHA-1":             {key, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }, "itself"},
		"another signature": {other, nil, "CN=Company CA"},
	} {
		certs, err := ParseCertificates(selfSignedCA(t, c.signer, &key.PublicKey, c.edit))
		if err != nil {
			t.Fatal(name, err)
		}
		var out bytes.Buffer
		if err := Describe(&out, certs[0], testNow); err != nil || !strings.Contains(out.String(), "issuer       "+c.issuer+"\n") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
		text := Instructions(certs, "out/file", PEM)
		if root := !strings.Contains(text, "This is not a root"); root != (c.issuer == "itself") {
			t.Errorf("%s: a root %v:\n%s", name, root, text)
		}
	}
}

func TestJavaReadsTheTrustStore(t *testing.T) {
	t.Parallel()
	have(t, "keytool")
	data, err := Export([]*x509.Certificate{testCA().Root()}, PKCS12)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trust.p12")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("keytool", "-J-Duser.language=en", "-list", "-keystore", path, "-storepass", trustStorePassword).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "trustedCertEntry") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cert *x509.Certificate
		now  time.Time
		want []string
	}{
		{testCA().Cert, testNow, []string{
			"CA           yes, for leaf certificates only", "smsportal.com, mymobileapi.com, check.tlslift.test and below, IP addresses excluded (not critical)",
			"RSA 2048 bits", "2026-11-18 to 2036-11-17 (3650 days left)", "SHA256-RSA",
		}},
		{testCA().Root(), testCA().Root().NotAfter, []string{"issuer       itself", "constraints  none", "(EXPIRED)"}},
		{testCA().Root(), testNow.AddDate(-1, 0, 0), []string{"(not valid yet)"}},
	} {
		var out bytes.Buffer
		if err := Describe(&out, c.cert, c.now); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("no %q in\n%s", w, out.String())
			}
		}
	}
}
