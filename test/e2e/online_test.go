package e2e

import (
	"net"
	"strings"
	"testing"

	"tlslift/deploy/demo/smsportal"
	"tlslift/test/harness"
)

// A DNS server that keeps silent is named, in plain words.
func TestCheckOnlineWithASilentDNSServer(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	config := harness.TempFile(t, "tlslift.yaml", `upstream: {dns_servers: ["`+silent.LocalAddr().String()+`"]}`+"\n")
	got := harness.Run(t, nil, "check", "--online", "--config", config, "--upstream", "api.smsportal.com")
	want := "no answer from DNS server " + silent.LocalAddr().String() + " in time\n"
	if got.Code != 1 || !strings.Contains(got.Stdout, want) {
		t.Errorf("status %d; stdout %q", got.Code, got.Stdout)
	}
}

// An address that leads elsewhere fails at the certificate: the advice says so.
func TestCheckOnlineOfAnotherServer(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	config := harness.TempFile(t, "tlslift.yaml", `upstreams: [{host: other.test, address: "`+server.Addr()+`"}, "*.other.test"]`+"\n")
	got := harness.Run(t, nil, "check", "--online", "--config", config)
	for _, want := range []string{"other.test: FAILED: tls_verify", "or the upstream's address leads to another server", "*.other.test: a pattern, not connected to; to check one of its hosts, name it with --upstream HOST"} {
		if got.Code != 1 || !strings.Contains(got.Stdout, want) {
			t.Errorf("status %d; no %q in %q", got.Code, want, got.Stdout)
		}
	}
}

// With --online, --upstream chooses hosts. The configuration, by a pattern too,
// says how they are reached; nothing in it is replaced.
func TestCheckOnlineOfNamedHosts(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	entry := func(host string) string { return "  " + harness.UpstreamEntry(host, server, caFile, "") }
	config := harness.TempFile(t, "tlslift.yaml",
		"listen: [{address: '127.0.0.1:0', default_upstream: api.smsportal.com}]\nupstreams:\n"+entry("api.smsportal.com")+entry("*.mymobileapi.com"))
	for name, want := range map[string]struct {
		code int
		text string
	}{
		"www.mymobileapi.com": {0, "www.mymobileapi.com: ok"},
		"api.smsportal.com":   {0, "api.smsportal.com: ok"},
		"api.smsportal.co":    {2, "--upstream api.smsportal.co: with --online, name a host of upstreams; this one is none of them"},
		"*.mymobileapi.com":   {2, `--upstream "*.mymobileapi.com": write a host to connect to`},
	} {
		got := harness.Run(t, nil, "check", "--online", "--config", config, "--upstream", name)
		if text := got.Stdout + got.Stderr; got.Code != want.code || !strings.Contains(text, want.text) || strings.Count(text, ": ok\n") > 1 {
			t.Errorf("%s: status %d\n%s", name, got.Code, text)
		}
	}
}
