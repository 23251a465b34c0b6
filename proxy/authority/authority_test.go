package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tlslift/proxy/host"
)

var testNow = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// testCA makes one CA for all tests that only read it: its keys cost most of
// a test's time.
var testCA = sync.OnceValue(func() *CA {
	pair, err := makePair(InitOptions{Days: DefaultDays, Now: testNow, SHA1: true},
		[]string{"smsportal.com", "mymobileapi.com", host.SelfTest})
	if err != nil {
		panic(err)
	}
	ca, errs := Load(inMemory(encodePEM(pair.ca...), pair.key))
	if len(errs) > 0 {
		panic(errors.Join(errs...))
	}
	return ca
})

// inMemory are the arguments of load for two files.
func inMemory(cert, key []byte) (read func(string) ([]byte, error), o LoadOptions) {
	files := map[string][]byte{"ca.pem": cert, "ca-key.pem": key}
	return func(file string) ([]byte, error) {
		if data := files[file]; data != nil {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: file, Err: fs.ErrNotExist}
	}, LoadOptions{CertFile: "ca.pem", KeyFile: "ca-key.pem"}
}

func testKey() (crypto.Signer, error) { return testCA().key, nil }

// newTestAuthority has a key at once, and a clock that tests move.
func newTestAuthority(t *testing.T, o Options) (*Authority, *atomic.Pointer[time.Time]) {
	t.Helper()
	clock := new(atomic.Pointer[time.Time])
	clock.Store(&testNow)
	o.Now = func() time.Time { return *clock.Load() }
	if o.CA == nil {
		o.CA = testCA()
	}
	a := New(o)
	a.keys[RSA], a.keys[RSASHA1] = testKey, testKey
	return a, clock
}

func TestLeafECDSA(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	name := host.MustParse("api.smsportal.com")
	cert, err := a.Leaf(ECDSA, name)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := cert.Leaf.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || cert.Leaf.SignatureAlgorithm != x509.SHA256WithRSA || cert.Leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("%T, %s, usage %b", cert.Leaf.PublicKey, cert.Leaf.SignatureAlgorithm, cert.Leaf.KeyUsage)
	}
	roots := x509.NewCertPool()
	roots.AddCert(testCA().Cert)
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name.String(), CurrentTime: testNow}); err != nil {
		t.Error(err)
	}
	if again, err := a.Leaf(ECDSA, name); err != nil || again != cert {
		t.Errorf("it is signed anew: %v", err)
	}
	if other, err := a.Leaf(RSA, name); err != nil || other == cert {
		t.Errorf("the RSA leaf is the same: %v", err)
	}
}

func TestLeafIsWhatOldClientsTake(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	cert, err := a.Leaf(RSA, host.MustParse("API.SMSPortal.com."), host.MustParse("www.mymobileapi.com"), host.MustParse("evil.example"), host.Name{}, host.MustParse("api.smsportal.com"))
	if err != nil {
		t.Fatal(err)
	}
	leaf := cert.Leaf
	if got := leaf.Subject.CommonName; got != "api.smsportal.com" {
		t.Errorf("CN %q", got)
	}
	if got := strings.Join(leaf.DNSNames, " "); got != "api.smsportal.com www.mymobileapi.com" {
		t.Errorf("names %q", got)
	}
	if len(leaf.SubjectKeyId) != 0 {
		t.Error("it has a subject key identifier")
	}
	if leaf.PublicKey.(*rsa.PublicKey).N.BitLen() != 2048 || leaf.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("%d bits, %s", leaf.PublicKey.(*rsa.PublicKey).N.BitLen(), leaf.SignatureAlgorithm)
	}
	// 199 days are what client programs will take; so this is no LeafLife.
	if !leaf.NotBefore.Equal(testNow.Add(-Backdate)) || leaf.NotAfter.Sub(leaf.NotBefore) != 199*24*time.Hour {
		t.Errorf("valid %s to %s", leaf.NotBefore, leaf.NotAfter)
	}
	if len(cert.Certificate) != 2 {
		t.Errorf("%d certificates are sent, want the leaf and the intermediate", len(cert.Certificate))
	}
	verify(t, cert, testCA(), "api.smsportal.com", "")
	verify(t, cert, testCA(), "www.mymobileapi.com", "")
}

// verify has crypto/x509 judge what a handshake would send.
func verify(t *testing.T, cert *tls.Certificate, ca *CA, name, wantErr string) {
	t.Helper()
	roots, inter := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca.Root())
	for _, der := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		inter.AddCert(c)
	}
	_, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: inter, CurrentTime: testNow})
	if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
		t.Errorf("%s: %v, want %q", name, err, wantErr)
	}
}

func TestForeignHostGetsNoLeaf(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	for _, name := range []string{"evil.example", "smsportal.com.evil.example", "xsmsportal.com", "com", "192.0.2.1", "::1"} {
		if _, err := a.Leaf(RSA, host.MustParse(name)); err == nil {
			t.Errorf("a leaf for %q", name)
		}
	}
	// Were one signed all the same, clients would refuse it.
	key := testCA().key
	for _, name := range []string{"evil.example", "192.0.2.1"} {
		cert, err := testCA().mint(key, []string{name}, testNow, RSA)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, cert, testCA(), name, "constraint")
	}
}

func patterns(texts ...string) []host.Pattern {
	all := make([]host.Pattern, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = host.ParsePattern(text); err != nil {
			panic(err)
		}
	}
	return all
}

func TestLeafWithoutAHostHasAllNames(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{Names: patterns(host.SelfTest, "smsportal.com", "*.smsportal.com", "elsewhere.example", "*.mymobileapi.com")})
	cert, err := a.Leaf(RSA, host.Name{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cert.Leaf.DNSNames); got != "[smsportal.com *.smsportal.com *.mymobileapi.com check.tlslift.test]" {
		t.Errorf("names %s", got)
	}
	if got := cert.Leaf.Subject.CommonName; got != "smsportal.com" {
		t.Errorf("CN %s", got)
	}
	for meant, want := range map[string]string{
		"api.smsportal.com": "[api.smsportal.com smsportal.com *.smsportal.com *.mymobileapi.com check.tlslift.test]",
		"smsportal.com":     "[smsportal.com *.smsportal.com *.mymobileapi.com check.tlslift.test]",
		"elsewhere.example": "[smsportal.com *.smsportal.com *.mymobileapi.com check.tlslift.test]",
	} {
		cert, err := a.Leaf(RSA, host.Name{}, host.MustParse(meant))
		if err != nil || fmt.Sprint(cert.Leaf.DNSNames) != want || cert.Leaf.Subject.CommonName != cert.Leaf.DNSNames[0] {
			t.Errorf("%s is meant: %v, CN %s", meant, cert.Leaf.DNSNames, cert.Leaf.Subject.CommonName)
		}
	}
	for _, name := range []string{"smsportal.com", "api.smsportal.com", "www.mymobileapi.com"} {
		verify(t, cert, testCA(), name, "")
	}
	none, _ := newTestAuthority(t, Options{Names: patterns("elsewhere.example")})
	if _, err := none.Leaf(RSA, host.Name{}); err == nil {
		t.Error("a leaf without names")
	}
}

func TestLeavesAreKeptRenewedAndBounded(t *testing.T) {
	t.Parallel()
	var minted atomic.Int32
	a, clock := newTestAuthority(t, Options{OnMint: func() { minted.Add(1) }})
	a.size = 3
	mustLeaf := func(name string) *tls.Certificate {
		t.Helper()
		cert, err := a.Leaf(RSA, host.MustParse(name))
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	first := mustLeaf("api.smsportal.com")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if mustLeaf("api.smsportal.com") != first || mustLeaf("rest.smsportal.com") == nil {
				t.Error("another leaf for the same host")
			}
		})
	}
	wg.Wait()
	if n := minted.Load(); n != 2 {
		t.Fatalf("%d leaves minted, want 2", n)
	}
	soon := testNow.Add(LeafLife * 3 / 4)
	clock.Store(&soon)
	if mustLeaf("api.smsportal.com") == first {
		t.Error("a leaf near its end was not renewed")
	}
	for i := range 10 {
		mustLeaf(fmt.Sprintf("h%d.smsportal.com", i))
	}
	if n := len(a.current.Load().leaves); n != 3 {
		t.Errorf("%d leaves kept, want 3", n)
	}
	before := minted.Load()
	mustLeaf("h9.smsportal.com")
	if minted.Load() != before {
		t.Error("the leaf used last was pushed out")
	}
}

func TestLeafEndsWithItsCA(t *testing.T) {
	t.Parallel()
	var minted atomic.Int32
	a, clock := newTestAuthority(t, Options{OnMint: func() { minted.Add(1) }})
	end := testCA().Cert.NotAfter
	near := end.Add(-24 * time.Hour)
	clock.Store(&near)
	for range 3 {
		cert, err := a.Leaf(RSA, host.MustParse("smsportal.com"))
		if err != nil {
			t.Fatal(err)
		}
		if !cert.Leaf.NotAfter.Equal(end) {
			t.Errorf("ends %s, the CA %s", cert.Leaf.NotAfter, end)
		}
	}
	if minted.Load() != 1 {
		t.Errorf("minted %d times, though a new one would end no later", minted.Load())
	}
	early := testCA().Cert.NotBefore.Add(-time.Second)
	for at, want := range map[time.Time]string{end: "the CA expired on " + end.Format(time.DateOnly), early: "the CA is not valid before "} {
		clock.Store(&at)
		_, err := a.Leaf(RSA, host.MustParse("www.smsportal.com"))
		if reason := NotValidError(""); !errors.As(err, &reason) || !strings.Contains(err.Error(), want) {
			t.Errorf("at %s: %v", at, err)
		}
	}
}

func TestSHA1LeafComesWithASHA1Chain(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	cert, err := a.Leaf(RSASHA1, host.MustParse("smsportal.com"))
	if err != nil {
		t.Fatal(err)
	}
	inter, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		t.Fatal(err)
	}
	if cert.Leaf.SignatureAlgorithm != x509.SHA1WithRSA || inter.SignatureAlgorithm != x509.SHA1WithRSA || len(cert.Certificate) != 2 {
		t.Errorf("leaf %s, intermediate %s, %d sent", cert.Leaf.SignatureAlgorithm, inter.SignatureAlgorithm, len(cert.Certificate))
	}
	usual, err := a.Leaf(RSA, host.MustParse("smsportal.com"))
	if err != nil || usual.Leaf.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("the usual leaf: %v", err)
	}
}

func TestReloadForgetsOldLeaves(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	old, err := a.Leaf(RSA, host.MustParse("smsportal.com"))
	if err != nil {
		t.Fatal(err)
	}
	a.Reload(testCA(), nil)
	if fresh, err := a.Leaf(RSA, host.MustParse("smsportal.com")); err != nil || fresh == old {
		t.Errorf("the leaf of the CA before: %v", err)
	}
}

func TestLongNameIsNoCN(t *testing.T) {
	t.Parallel()
	a, _ := newTestAuthority(t, Options{})
	long := strings.Repeat("a", 60) + ".smsportal.com"
	cert, err := a.Leaf(RSA, host.MustParse(long))
	if err != nil || cert.Leaf.Subject.CommonName != "" || cert.Leaf.DNSNames[0] != long {
		t.Errorf("%v, %v", cert, err)
	}
	verify(t, cert, testCA(), long, "")
}

func TestInitWritesAndNeverOverwrites(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	o := InitOptions{Dir: dir, Domains: []string{"*.SMSPortal.com", "smsportal.com"}, Days: 30, Critical: true, Now: testNow}
	files, err := Init(o)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(files.Key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v", info.Mode(), err)
	}
	ca, errs := Load(os.ReadFile, LoadOptions{CertFile: files.CA, KeyFile: files.Key})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := fmt.Sprint(ca.Cert.PermittedDNSDomains); got != "[smsportal.com check.tlslift.test]" {
		t.Errorf("permitted %s", got)
	}
	if !ca.Cert.PermittedDNSDomainsCritical || len(ca.Cert.ExcludedIPRanges) != 2 || !ca.Cert.MaxPathLenZero {
		t.Errorf("critical %t, excluded %v", ca.Cert.PermittedDNSDomainsCritical, ca.Cert.ExcludedIPRanges)
	}
	permits := func(name string) bool { return ca.Permits(host.MustParse(name)) }
	if !permits("api.smsportal.com") || !permits(host.SelfTest) || permits("mymobileapi.com") || permits("127.0.0.1") {
		t.Error("Permits does not follow the constraints")
	}
	root, err := os.ReadFile(files.Root)
	if err != nil || string(root) != string(ca.RootPEM()) {
		t.Errorf("root.pem is not the chain's root: %v", err)
	}
	if strings.Contains(string(root), "PRIVATE") {
		t.Error("the root's key was kept")
	}
	if _, err := Init(o); !errors.Is(err, ErrExists) {
		t.Errorf("second time: %v", err)
	}
	if err := os.Remove(files.CA); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(o); !errors.Is(err, ErrExists) {
		t.Errorf("with the key still there: %v", err)
	}
	if _, err := os.Stat(files.CA); err == nil {
		t.Error("a refused Init left a file")
	}
}

func TestInitRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]InitOptions{
		"no domain":  {},
		"an address": {Domains: []string{"192.0.2.1"}},
		"no name":    {Domains: []string{"a b"}},
		"all":        {Domains: []string{"*"}},
		"too long":   {Domains: []string{"a.example"}, Days: MaxDays + 1},
		"in a file":  {Domains: []string{"a.example"}, Dir: os.Args[0]},
		"negative":   {Domains: []string{"a.example"}, Days: -1},
	} {
		o.Now = testNow
		if o.Dir == "" {
			o.Dir = t.TempDir()
		}
		if _, err := Init(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
