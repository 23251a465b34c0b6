package e2e

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"tlslift/test/certs"
	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
	"tlslift/test/wire"
)

const plainGet = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"

// corporateProxy is a parent proxy: every CONNECT leads to one address.
type corporateProxy struct {
	listener net.Listener
	mu       sync.Mutex
	heads    []wire.Head
}

// startCorporateProxy answers CONNECT with the given status line; "200 OK"
// opens the tunnel.
func startCorporateProxy(t *testing.T, leadsTo, status string) *corporateProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &corporateProxy{listener: listener}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.serve(conn, leadsTo, status) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	return c
}

func (c *corporateProxy) serve(near net.Conn, leadsTo, status string) {
	defer near.Close()
	reader := bufio.NewReader(near)
	raw, err := wire.ReadHead(reader)
	if err != nil {
		return
	}
	head, err := wire.ParseHead(raw)
	if err != nil {
		return
	}
	c.mu.Lock()
	c.heads = append(c.heads, head)
	c.mu.Unlock()
	_, _ = io.WriteString(near, "HTTP/1.1 "+status+"\r\nContent-Length: 0\r\n\r\n")
	if status != "200 OK" {
		return
	}
	far, err := net.Dial("tcp", leadsTo)
	if err != nil {
		return
	}
	defer far.Close()
	go func() { _, _ = io.Copy(far, reader); _ = far.Close() }()
	_, _ = io.Copy(near, far)
}

func (c *corporateProxy) seen() []wire.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]wire.Head(nil), c.heads...)
}

func TestParentProxy(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	password := harness.TempFile(t, "password", "opensesame\n")
	start := func(t *testing.T, address string) *harness.Process {
		return harness.Start(t, harness.Options{Config: fmt.Sprintf(`
upstream: {parent_proxy: "http://alibaba@%s", parent_proxy_password_file: %s, warm_connections: 0}
upstreams: [{host: api.smsportal.com, ca_file: %s}]`, address, password, caFile)})
	}
	t.Run("leads on", func(t *testing.T) {
		t.Parallel()
		parent := startCorporateProxy(t, server.Addr(), "200 OK")
		p := start(t, parent.listener.Addr().String())
		if answer := p.Ask(plainGet); answer.Problem() != "" {
			t.Fatalf("%d %q", answer.StatusCode, answer.Problem())
		}
		head := parent.seen()[0]
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("alibaba:opensesame"))
		if head.Method != "CONNECT" || head.Target != "api.smsportal.com:443" || head.Header.Get("Proxy-Authorization") != want {
			t.Errorf("the parent was asked %s %s %v", head.Method, head.Target, head.Header)
		}
		harness.Secrets{"opensesame"}.Search(t, "the log", p.Output())
	})
	for name, status := range map[string]string{"wants other credentials": "407 Proxy Authentication Required", "refuses": "403 Forbidden", "cannot": "502 Bad Gateway"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, startCorporateProxy(t, server.Addr(), status).listener.Addr().String())
			notSent(t, p, []int{502}, []string{"parent_proxy"})
		})
	}
	t.Run("is not there", func(t *testing.T) {
		t.Parallel()
		there := startCorporateProxy(t, "", "200 OK")
		notSent(t, start(t, deserted(t, there.listener.Addr().String())), []int{502}, []string{"parent_proxy"})
	})
}

// TestEnvironmentProxiesAreNeverRead: they point at tlslift itself, where it
// runs beside the application.
func TestEnvironmentProxiesAreNeverRead(t *testing.T) {
	t.Parallel()
	dead := "http://127.0.0.1:1"
	p := harness.Start(t, harness.Options{
		Upstream: startPortal(t, smsportal.Options{}),
		Env:      []string{"http_proxy=" + dead, "https_proxy=" + dead, "HTTP_PROXY=" + dead, "HTTPS_PROXY=" + dead, "all_proxy=" + dead, "ALL_PROXY=" + dead},
	})
	if answer := p.Ask(plainGet); answer.Problem() != "" {
		t.Errorf("%d %q", answer.StatusCode, answer.Problem())
	}
}

// TestAnotherTarget: `to` is what is connected to, verified and named.
func TestAnotherTarget(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	for i, config := range []string{
		"[{host: www.mymobileapi.com, to: api.smsportal.com, address: %q, ca_file: %s}]",
		// What the entry does not say is as for the host that it sends to.
		"[{host: www.mymobileapi.com, to: api.smsportal.com}, {host: api.smsportal.com, address: %q, ca_file: %s}]",
		"[{host: www.mymobileapi.com, to: api.smsportal.com}, {host: '*.smsportal.com', address: %q, ca_file: %s}]",
	} {
		p := harness.Start(t, harness.Options{Config: "upstreams: " + fmt.Sprintf(config, server.Addr(), caFile)})
		p.Ask("GET http://www.mymobileapi.com/a HTTP/1.1\r\nHost: x\r\n\r\n")
		if got := server.Requests(); len(got) != i+1 || got[i].Host() != "api.smsportal.com" || got[i].ServerName != "api.smsportal.com" {
			t.Errorf("%s: received %+v", config, got)
		}
		p.WaitMetric(1, "tlslift_client_requests_total", "client", "127.0.0.1") // it counts after its answer
		if _, page := p.Get("/clients/127.0.0.1"); !strings.Contains(page, "After this change, it calls https://api.smsportal.com over") {
			t.Errorf("%s: its owner is asked to call another host: %s", config, page)
		}
	}
}

func TestPins(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	block, _ := pem.Decode(server.CAPEM())
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(root.RawSubjectPublicKeyInfo)
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	config := func(pin [sha256.Size]byte) string {
		return fmt.Sprintf("upstreams: [{host: api.smsportal.com, address: %q, ca_file: %s, pins: [sha256/%s]}]",
			server.Addr(), caFile, base64.StdEncoding.EncodeToString(pin[:]))
	}
	right := harness.Start(t, harness.Options{Config: config(sum)})
	if answer := right.Ask(plainGet); answer.Problem() != "" {
		t.Errorf("the right pin: %d %q", answer.StatusCode, answer.Problem())
	}
	pin := "pin sha256/" + base64.StdEncoding.EncodeToString(sum[:])
	sum[0]++
	notSent(t, harness.Start(t, harness.Options{Config: config(sum)}), []int{502}, []string{"tls_verify"})
	check := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", config(sum)))
	for _, want := range []string{"matches a pin", pin + "\n", "put one of them into upstreams[].pins"} {
		if check.Code != 1 || !strings.Contains(check.Stdout, want) {
			t.Errorf("check --online, status %d: no %q in %q", check.Code, want, check.Stdout)
		}
	}

	// Connections and sessions of the old pin are of no use for the new one.
	mark := right.Mark()
	right.Reconfigure(config(sum))
	right.WaitLogAfter(mark, reloaded)
	notSent(t, right, []int{502}, []string{"tls_verify"})
}

func TestClientCertificate(t *testing.T) {
	t.Parallel()
	ca, err := certs.NewCA("clients", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	server := startFault(t, fault.Options{Configure: func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool()
	}})
	leaf, err := ca.Issue(certs.Leaf{Names: []string{"tlslift.test"}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile := harness.TempFile(t, "client.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]})))
	keyFile := harness.TempFile(t, "client-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	config := func(more string) string {
		return fmt.Sprintf("upstreams: [{host: api.smsportal.com, address: %q, ca_file: %s%s}]", server.Addr(), caFile, more)
	}
	start := func(t *testing.T, more string) *harness.Process {
		return harness.Start(t, harness.Options{Config: config(more)})
	}
	certificate := fmt.Sprintf(", client_certificate: {cert_file: %s, key_file: %s}", certFile, keyFile)
	with := start(t, certificate)
	if answer := with.Ask(plainGet); answer.StatusCode != 200 {
		t.Errorf("with: %d %q", answer.StatusCode, answer.Problem())
	}
	if answer := start(t, "").Ask(plainGet); answer.StatusCode != 502 || len(server.Requests()) != 1 {
		t.Errorf("without: %d %q, %d requests", answer.StatusCode, answer.Problem(), len(server.Requests()))
	}
	online := func(more string) harness.Result {
		return harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", config(more)))
	}
	if got := online(certificate); got.Code != 0 {
		t.Errorf("check with: status %d\n%s", got.Code, got.Stdout)
	}
	const advice = "what to do  the server requires a client certificate: set upstreams[].client_certificate\n"
	if got := online(""); got.Code != 1 || !strings.Contains(got.Stdout, "FAILED: tls\n") || !strings.Contains(got.Stdout, advice) {
		t.Errorf("check without: status %d\n%s", got.Code, got.Stdout)
	}
}

// TestWarmConnections: a caller that connects anew for each request finds the
// upstream's handshakes done, and sessions are resumed.
func TestWarmConnections(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{MaxRequests: 1}, "upstream: {warm_connections: 2}")
	p.Ask(plainGet)
	if err := server.WaitConnections(patience(t), 3); err != nil { // the first one's own, and two kept ready
		t.Fatalf("%d connections: %v", server.Connections(), err)
	}
	p.WaitMetric(2, "tlslift_upstream_pool_connections", "state", "idle")
	before := server.Connections()
	p.Ask(plainGet)
	if got := server.Requests(); got[1].Conn > before {
		t.Errorf("the second request waited for a connection of its own (%d of %d)", got[1].Conn, before)
	}
	p.WaitMetric(1, "tlslift_upstream_handshakes_total", "resumed", "true")
}

// TestCheckOnline tells of each upstream what it found.
func TestCheckOnline(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	entry := func(host string) string { return "  " + harness.UpstreamEntry(host, server, caFile, "") }
	good := harness.TempFile(t, "good.yaml", "upstreams:\n"+entry("api.smsportal.com")+entry("*.mymobileapi.com"))
	if got := harness.Run(t, nil, "check", "--online", "--config", good); got.Code != 0 ||
		!strings.Contains(got.Stdout, server.Addr()) || !strings.Contains(got.Stdout, "TLS 1.3") || !strings.Contains(got.Stdout, "days") {
		t.Errorf("status %d\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
	bad := harness.TempFile(t, "bad.yaml", "upstreams:\n"+entry("api.smsportal.com")+entry("other.test"))
	if got := harness.Run(t, nil, "check", "--online", "--config", bad); got.Code != 1 || !strings.Contains(got.Stdout+got.Stderr, "other.test") {
		t.Errorf("status %d\n%s%s", got.Code, got.Stdout, got.Stderr)
	}
	stranger := harness.TempFile(t, "stranger.yaml", "upstreams:\n- {host: api.smsportal.com, address: '"+server.Addr()+"'}\n")
	got := harness.Run(t, nil, "check", "--online", "--config", stranger)
	for _, want := range []string{"FAILED: tls_verify", "shown 0", "smsportal.com", "issued by", "what to do", "ca_file"} {
		if got.Code != 1 || !strings.Contains(got.Stdout, want) {
			t.Errorf("status %d, no %q in\n%s%s", got.Code, want, got.Stdout, got.Stderr)
		}
	}
	if server.Count() != 0 {
		t.Error("the check sent a request")
	}
}

// A server without TLS 1.3 is not a firewall, if upstream.min_tls asks for it.
func TestCheckOnlineNamesTheLowestVersion(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Configure: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }})
	config := fmt.Sprintf("upstream: {min_tls: '1.3'}\nupstreams: [{host: api.smsportal.com, address: %q, ca_file: %s}]",
		server.Addr(), harness.TempFile(t, "ca.pem", string(server.CAPEM())))
	got := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", config))
	if want := "what to do  upstream.min_tls is 1.3"; got.Code != 1 || !strings.Contains(got.Stdout, want) {
		t.Errorf("status %d, no %q in %s", got.Code, want, got.Stdout)
	}
}
