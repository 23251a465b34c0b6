// Package oldtls proves on the built binary what becomes of TLS that comes in:
// modern clients are spliced untouched, old ones terminated, the rest counted
// and explained. Its clients are Go's crypto/tls and hellos spelled byte by
// byte; real old clients are the business of test/interop.
package oldtls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const (
	api    = "api.smsportal.com"
	legacy = "www.mymobileapi.com"
)

// signing is the CA that all tests share: its keys cost most of a start.
var signing struct {
	sync.Once
	dir   string
	files authority.Files
	err   error
}

func TestMain(m *testing.M) {
	code := harness.Main(m)
	if signing.dir != "" {
		_ = os.RemoveAll(signing.dir)
	}
	os.Exit(code)
}

// domains are what the CA of the tests may speak for.
var domains = []string{"smsportal.com", "mymobileapi.com"}

func sharedCA(t testing.TB) authority.Files {
	t.Helper()
	signing.Do(func() {
		if signing.dir, signing.err = os.MkdirTemp("", "tlslift-oldtls-"); signing.err != nil {
			return
		}
		signing.files, signing.err = authority.Init(authority.InitOptions{Dir: signing.dir, Domains: domains, Now: time.Now()})
	})
	if signing.err != nil {
		t.Fatal(signing.err)
	}
	return signing.files
}

// newCA makes one that may speak for these names.
func newCA(t testing.TB, names []string) authority.Files {
	t.Helper()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: names, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// stage is a pretend API with a tlslift in front of it, and what their
// clients trust.
type stage struct {
	*harness.Process
	portal *smsportal.Server
	ours   *x509.CertPool // tlslift's CA

	listener int    // that this client uses
	client   string // its name
}

// start sets the stage. Old TLS is terminated with the shared CA; config is
// laid over that.
func start(t testing.TB, options smsportal.Options, config string) *stage {
	t.Helper()
	s := &stage{portal: portal(t, options), client: "127.0.0.1"}
	files := sharedCA(t)
	s.ours = poolOf(t, files.Root)
	s.Process = harness.Start(t, harness.Options{
		Upstream: s.portal, Config: config,
		Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
	})
	return s
}

// bare is a stage without a CA, for an upstream of any kind.
func bare(t testing.TB, upstream harness.Upstream, config string) *stage {
	t.Helper()
	return &stage{client: "127.0.0.1", Process: harness.Start(t, harness.Options{Upstream: upstream, Config: config})}
}

// callers is a listener for each of so many clients, so that subtests can
// share a process and yet count for themselves.
func callers(n int) string {
	var b strings.Builder
	b.WriteString("listen:\n")
	for i := range n {
		fmt.Fprintf(&b, "- {address: '127.0.0.1:0', client: caller-%d}\n", i)
	}
	return b.String()
}

// caller is the stage as the n-th of its callers sees it.
func (s *stage) caller(t testing.TB, n int) *stage {
	view := s.in(t)
	view.listener, view.client = n, fmt.Sprintf("caller-%d", n)
	return view
}

// in is the same stage for a subtest.
func (s *stage) in(t testing.TB) *stage {
	view := *s
	view.Process = s.In(t)
	return &view
}

func portal(t testing.TB, options smsportal.Options) *smsportal.Server {
	t.Helper()
	server, err := smsportal.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func poolOf(t testing.TB, path string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", path)
	}
	return pool
}

// way is one way for TLS to come in.
type way struct {
	name string // the metrics' word for it
	open func(t testing.TB, s *stage, host string) net.Conn
}

var (
	connect = way{"connect", func(t testing.TB, s *stage, host string) net.Conn {
		return harness.Dial(t, s.ListenAddr(s.listener)).Tunnel(host + ":443").Conn()
	}}
	direct = way{"tls", func(t testing.TB, s *stage, _ string) net.Conn {
		return harness.Dial(t, s.ListenAddr(s.listener)).Conn()
	}}
	ways = []way{connect, direct}
)

// oldVersions are those that are terminated.
var oldVersions = []uint16{tls.VersionTLS10, tls.VersionTLS11}

// words are the metrics' names of the versions.
var words = map[uint16]string{
	0x0300: "ssl3", tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3",
}

// oldSuites are what a client of those days offers.
var oldSuites = []uint16{
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
}

// speaking is a client's configuration for exactly one version.
func speaking(version uint16, roots *x509.CertPool, host string) *tls.Config {
	c := &tls.Config{MinVersion: version, MaxVersion: version, RootCAs: roots, ServerName: host}
	if version < tls.VersionTLS12 {
		c.CipherSuites = oldSuites
	}
	return c
}

// naming is speaking with another name in the hello ("" = none) than the one
// that the certificate must be for.
func naming(version uint16, roots *x509.CertPool, sni, host string) *tls.Config {
	c := speaking(version, roots, sni)
	c.InsecureSkipVerify = true // replaced by the line below
	c.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host, Intermediates: rest(state)})
		return err
	}
	return c
}

func rest(state tls.ConnectionState) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		pool.AddCert(c)
	}
	return pool
}

// secured is a Caller inside TLS.
type secured struct {
	*harness.Caller
	tls *tls.Conn
}

// hello does the handshake, which must succeed.
func (s *stage) hello(t testing.TB, w way, host string, config *tls.Config) secured {
	t.Helper()
	conn := tls.Client(w.open(t, s.in(t), host), config)
	if err := conn.Handshake(); err != nil {
		t.Fatalf("%s, %s: %v", w.name, words[config.MaxVersion], err)
	}
	return secured{harness.NewCaller(t, conn), conn}
}

// ask spells a GET in origin form.
func ask(host, path string) string { return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }

// standing is a row of /api/v1/clients, as far as it is looked at.
type standing struct {
	Client    string            `json:"client"`
	State     string            `json:"state"`
	Failing   bool              `json:"failing"`
	Suspected bool              `json:"suspected"`
	Verdict   string            `json:"verdict"`
	Library   string            `json:"library"`
	Program   string            `json:"program"`
	Fix       string            `json:"fix"`
	Pages     []string          `json:"fix_pages"`
	Failures  map[string]uint64 `json:"handshake_failures"`
}

// standing is how the client of a test stands.
func (s *stage) standing(t testing.TB) standing {
	t.Helper()
	_, body := s.Get("/api/v1/clients")
	var list struct {
		Clients []standing `json:"clients"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	for _, c := range list.Clients {
		if c.Client == s.client {
			return c
		}
	}
	t.Fatalf("no %s in %.300s", s.client, body)
	return standing{}
}

// failed waits until a handshake failure of the client was counted for the
// reason, and for no other one.
func (s *stage) failed(t testing.TB, reason string) {
	t.Helper()
	const name = "tlslift_client_handshake_failures_total"
	s.In(t).WaitMetric(1, name, "client", s.client, "reason", reason)
	if all := s.In(t).Metrics().Sum(name, "client", s.client); all != 1 {
		t.Errorf("%v handshake failures were counted", all)
	}
}

// says waits for a line of the log about the client.
func (s *stage) says(message string, more harness.Match) harness.Line {
	match := harness.Match{"msg": message, "client": s.client}
	for key, value := range more {
		match[key] = value
	}
	return s.WaitLog(match)
}

// wants is a metric and the value it must have.
type wants struct {
	value  float64
	name   string
	labels []string
}

// counts compares metrics.
func (s *stage) counts(t testing.TB, all ...wants) {
	t.Helper()
	m := s.In(t).Metrics()
	for _, want := range all {
		if got := m.Sum(want.name, want.labels...); got != want.value {
			t.Errorf("%s%v is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
}
