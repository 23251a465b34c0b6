package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// tlsStage is a tlslift with a listener for each client and way in, and
// everything the clients need laid out in a directory.
type tlsStage struct {
	*harness.Process
	portal *smsportal.Server
	dir    string
	root   string // that the clients trust
}

// trusted says whose root the clients are given.
type trusted bool

const (
	ourRoot      trusted = false
	upstreamRoot trusted = true
)

// startTLS starts it. config is laid over what the test needs.
func startTLS(t *testing.T, listeners int, config string, root trusted) *tlsStage {
	t.Helper()
	return startTLSAt(t, 0, listeners, config, root)
}

// startTLSAt has an upstream that speaks no higher TLS version; 0 = 1.3.
func startTLSAt(t *testing.T, highest uint16, listeners int, config string, root trusted) *tlsStage {
	t.Helper()
	server, err := smsportal.New(smsportal.Options{RSA: true, MaxVersion: highest, Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Target == "/large" {
			return smsportal.Response{Body: []byte(bigAnswer)}, true
		}
		return smsportal.Response{Body: []byte(echo(r.Method, r.Target, string(r.Body)))}, true
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	dir := readableDir(t)
	files, err := authority.Init(authority.InitOptions{Dir: filepath.Join(dir, "ca"), Domains: []string{"mymobileapi.com", "smsportal.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s := &tlsStage{portal: server, dir: dir, root: files.Root}
	if root == upstreamRoot {
		s.root = filepath.Join(dir, "upstream.pem")
		harness.WriteFile(t, s.root, string(server.CAPEM()))
	}
	var b strings.Builder
	b.WriteString("listen:\n")
	for i := range listeners {
		fmt.Fprintf(&b, "- {address: '127.0.0.1:0', client: c%d}\n", i)
	}
	b.WriteString("others: refuse\n") // no test needs the Internet, but browsers try
	s.Process = harness.Start(t, harness.Options{
		Upstream: server, Config: b.String() + config,
		Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
	})
	s.layOut(t)
	return s
}

// readableDir can be read from another user namespace too.
func readableDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// layOut puts the root into every kind of store, and compiles.
func (s *tlsStage) layOut(t *testing.T) {
	t.Helper()
	harness.WriteFile(t, filepath.Join(s.dir, "hosts"), "127.0.0.1 localhost "+tlsHost+"\n")
	harness.WriteFile(t, filepath.Join(s.dir, "java.security"), "jdk.tls.disabledAlgorithms=\njdk.tls.legacyAlgorithms=\njdk.certpath.disabledAlgorithms=\n")
	result := harness.Run(t, nil, "ca", "export", "--cert", s.root, "--format", "pkcs12", "--out", filepath.Join(s.dir, "root.p12"))
	if result.Code != 0 {
		t.Fatalf("exporting the root: %s", result.Stderr)
	}
	nss := filepath.Join(s.dir, "nss")
	trust := filepath.Join(s.dir, "home", ".config", ".mono", "new-certs", "Trust")
	browser := filepath.Join(s.dir, "home", ".pki", "nssdb")
	for _, dir := range []string{nss, trust, browser} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for tool, script := range map[string]string{
		"certutil": "certutil -N -d sql:" + nss + " --empty-password && certutil -A -d sql:" + nss + " -n root -t C,, -i " + s.root +
			" && cp " + nss + "/* " + browser,
		"mono":  "cp " + s.root + " " + trust + "/$(openssl x509 -noout -subject_hash -in " + s.root + ").0",
		"javac": "javac -nowarn -d " + s.dir + " " + filepath.Join(own, "Client.java"),
		"mcs":   "mcs -out:" + filepath.Join(s.dir, "client.exe") + " " + filepath.Join(own, "client.cs"),
	} {
		if _, err := exec.LookPath(tool); err != nil {
			continue // its client says so
		}
		if output, err := exec.Command("sh", "-c", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tool, err, output)
		}
	}
}

// call makes the call and the command for a way in.
func (s *tlsStage) call(t *testing.T, c tlsClient, way string, n int) (tlsCall, []string) {
	t.Helper()
	listener := s.ListenAddr(n)
	what := tlsCall{dir: s.dir, host: tlsHost, port: "443", proxy: listener, root: s.root}
	switch {
	case way == "tls":
		_, what.port = hostPort(listener)
		what.proxy = ""
	case c.piped:
		what.port, what.proxy = tunneller(t, listener, tlsHost), ""
	}
	what.base = "https://" + tlsHost
	if way == "tls" {
		what.base += ":" + what.port
	}
	command := c.command(what)
	if what.proxy == "" {
		command = asHostsFile(s.dir, command)
	}
	return what, command
}

func (s *tlsStage) env(c tlsClient, what tlsCall) []string {
	env := append(os.Environ(), "TLSLIFT_PROXY="+what.proxy, "TLSLIFT_TLS="+c.tls, "TLSLIFT_CA="+what.root, "no_proxy=", "NO_PROXY=", "https_proxy=", "HTTPS_PROXY=")
	if c.env != nil {
		env = append(env, c.env(what)...)
	}
	return env
}

// ledgerRow is a row of /api/v1/clients, as far as it is looked at.
type ledgerRow struct {
	Client, State, Verdict, Library, Fix, JA4 string
	Failures                                  map[string]int `json:"handshake_failures"`
	Failing                                   bool
}

func (s *tlsStage) row(t *testing.T, name string) ledgerRow {
	t.Helper()
	_, body := s.In(t).Get("/api/v1/clients")
	var answer struct{ Clients []ledgerRow }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(errors.Join(err, errors.New(body)))
	}
	for _, row := range answer.Clients {
		if row.Client == name {
			return row
		}
	}
	t.Fatalf("no client %s", name)
	return ledgerRow{}
}
