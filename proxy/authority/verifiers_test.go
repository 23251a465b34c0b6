package authority

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/host"
)

// chainFiles are what a client would have before it: its root, and for each
// leaf what the handshake sends.
type chainFiles struct {
	root          string
	names, chains []string
	good          []bool
}

// writeChains makes a CA of today and leaves that it may and may not sign.
func writeChains(t *testing.T, critical bool) chainFiles {
	t.Helper()
	dir := t.TempDir()
	now := time.Now()
	files, err := Init(InitOptions{Dir: dir, Domains: []string{"smsportal.com", "*.mymobileapi.com"}, Critical: critical, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ca, errs := Load(os.ReadFile, LoadOptions{CertFile: files.CA, KeyFile: files.Key})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	key := testCA().key
	out := chainFiles{root: files.Root}
	for _, c := range []struct {
		names []string
		good  bool
	}{
		{[]string{"smsportal.com"}, true},
		{[]string{"api.smsportal.com", "www.mymobileapi.com"}, true},
		{[]string{"smsportal.com", "*.smsportal.com", "mymobileapi.com", "*.mymobileapi.com", host.SelfTest}, true},
		{[]string{"evil.example"}, false},
		{[]string{"api.smsportal.com", "evil.example"}, false},
		{[]string{"192.0.2.1"}, false},
		{[]string{"2001:db8::1"}, false},
	} {
		cert, err := ca.mint(key, c.names, now, RSA)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprintf("chain%d.pem", len(out.chains)))
		if err := os.WriteFile(path, chainPEM(t, cert), 0o600); err != nil {
			t.Fatal(err)
		}
		out.names, out.chains, out.good = append(out.names, strings.Join(c.names, " ")), append(out.chains, path), append(out.good, c.good)
	}
	return out
}

func chainPEM(t *testing.T, cert *tls.Certificate) []byte {
	t.Helper()
	var certs []*x509.Certificate
	for _, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		certs = append(certs, c)
	}
	return encodePEM(certs...)
}

// TestOthersObeyTheConstraints asks the verifiers that old clients have
// whether they take the leaves for permitted names, and refuse all others
// because of the constraints.
func TestOthersObeyTheConstraints(t *testing.T) {
	t.Parallel()
	for _, critical := range []bool{false, true} {
		files := writeChains(t, critical)
		for name, verifier := range map[string]func(*testing.T, chainFiles) []string{
			"openssl": byOpenSSL, "gnutls": byGnuTLS, "java": byJava,
		} {
			t.Run(fmt.Sprintf("%s critical=%t", name, critical), func(t *testing.T) {
				t.Parallel()
				for i, verdict := range verifier(t, files) {
					if ok := verdict == "ok"; ok != files.good[i] {
						t.Errorf("%s: %s", files.names[i], verdict)
					}
				}
			})
		}
	}
}

// have skips the test when a program is not installed.
func have(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
}

func byOpenSSL(t *testing.T, f chainFiles) []string {
	have(t, "openssl")
	var verdicts []string
	for _, chain := range f.chains {
		out, err := exec.Command("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", f.root, "-untrusted", chain, chain).CombinedOutput()
		verdicts = append(verdicts, verdict(t, err == nil, string(out), "permitted subtree violation", "excluded subtree violation"))
	}
	return verdicts
}

func byGnuTLS(t *testing.T, f chainFiles) []string {
	have(t, "certtool")
	var verdicts []string
	for _, chain := range f.chains {
		out, err := exec.Command("certtool", "--verify", "--verify-purpose", "1.3.6.1.5.5.7.3.1", "--load-ca-certificate", f.root, "--infile", chain).CombinedOutput()
		verdicts = append(verdicts, verdict(t, err == nil, string(out), "constraints"))
	}
	return verdicts
}

func byJava(t *testing.T, f chainFiles) []string {
	have(t, "java")
	have(t, "javac")
	out, err := exec.Command("java", append([]string{"testdata/Verify.java", f.root}, f.chains...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var verdicts []string
	for line := range strings.Lines(string(out)) {
		verdicts = append(verdicts, verdict(t, line == "ok\n", line, "name constraint"))
	}
	if len(verdicts) != len(f.chains) {
		t.Fatalf("%s", out)
	}
	return verdicts
}

// verdict is "ok", or why a chain was refused; that must be the constraints.
func verdict(t *testing.T, ok bool, out string, because ...string) string {
	t.Helper()
	if ok {
		return "ok"
	}
	for _, b := range because {
		if strings.Contains(strings.ToLower(out), b) {
			return "refused"
		}
	}
	t.Errorf("refused for another reason: %s", out)
	return out
}
