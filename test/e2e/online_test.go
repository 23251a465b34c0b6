package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"tlslift/test/certs"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
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
	for _, want := range []string{"other.test: FAILED: tls_verify", "correct the upstream's address: " + server.Addr() + "; if it is right,", "*.other.test: not tried, because it is a pattern; to try one of its hosts, add --upstream HOST"} {
		if got.Code != 1 || !strings.Contains(got.Stdout, want) {
			t.Errorf("status %d; no %q in %q", got.Code, want, got.Stdout)
		}
	}
}

// Patterns alone leave nothing to try, and the output says so.
func TestCheckOnlineOfPatternsAlone(t *testing.T) {
	t.Parallel()
	got := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", `upstreams: ["*.other.test"]`+"\n"))
	for _, want := range []string{"*.other.test: not tried, because it is a pattern; to try one of its hosts, add --upstream HOST\n", "no connection was tried, because every upstream is a pattern"} {
		if got.Code != 0 || !strings.Contains(got.Stdout, want) {
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
		"api.smsportal.co":    {2, "--upstream api.smsportal.co: with --online, name a host of upstreams; this is not one of them"},
		"*.mymobileapi.com":   {2, `--upstream "*.mymobileapi.com": write a host to connect to`},
	} {
		got := harness.Run(t, nil, "check", "--online", "--config", config, "--upstream", name)
		if text := got.Stdout + got.Stderr; got.Code != want.code || !strings.Contains(text, want.text) || strings.Count(text, ": ok\n") > 1 {
			t.Errorf("%s: status %d\n%s", name, got.Code, text)
		}
	}
}

// A name that does not resolve is named, with the key that holds it and each that
// was asked. An answer to a caller names neither servers nor hosts of the operator.
// Go asks no server for a name below onion.
func TestNamesThatDoNotResolve(t *testing.T) {
	t.Parallel()
	dns := harness.StartDNS(t, nil).Addr()
	asked := "look up other.onion: DNS server " + dns + ": the name has no address"
	const usual = "The name api.smsportal.com could not be resolved."
	const other = "The name of the server that is used for api.smsportal.com could not be resolved."
	for name, tt := range map[string]struct{ entry, upstream, reason, cause, key, text string }{
		"host":    {"{host: api.smsportal.com}", "", "dns", "look up api.smsportal.com: DNS server " + dns + ": the name has no address\n", "check resolv.conf, set upstream.dns_servers", usual},
		"to":      {"{host: api.smsportal.com, to: other.onion}", "", "dns", asked + "\n", "correct other.onion in the to: of upstream api.smsportal.com;", other},
		"address": {"{host: api.smsportal.com, address: 'other.onion:443'}", "", "dns", asked + "; the system's resolver: ", "correct other.onion in the address: of upstream api.smsportal.com;", other},
		"another's address": {
			"{host: api.smsportal.com, to: gone.example}, {host: gone.example, address: 'other.onion:443'}", "",
			"dns", asked + "; the system's resolver: ", "correct other.onion in the address: of upstream gone.example;", other,
		},
		"parent proxy": {
			"{host: api.smsportal.com}", ", parent_proxy: 'http://other.onion:3128'",
			"parent_proxy", "the parent proxy: " + asked + "; the system's resolver: ", "correct other.onion in upstream.parent_proxy;", "The name of the parent proxy could not be resolved, so it opened no tunnel to api.smsportal.com.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := fmt.Sprintf("upstream: {dns_servers: ['%s']%s}\nupstreams: [%s]\n", dns, tt.upstream, tt.entry)
			got := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", config))
			for _, want := range []string{"api.smsportal.com: FAILED: " + tt.reason + "\n", "cause       " + tt.cause, "what to do  " + tt.key} {
				if got.Code != 1 || !strings.Contains(got.Stdout, want) {
					t.Errorf("status %d; no %q in %q", got.Code, want, got.Stdout)
				}
			}
			p := harness.Start(t, harness.Options{Config: config})
			answer := p.Ask(plainGet)
			if answer.Problem() != tt.reason || !strings.Contains(answer.Text, tt.text) || strings.Contains(answer.Text, "onion") {
				t.Errorf("%s: %s", answer.Problem(), answer.Text)
			}
			line := p.WaitLog(harness.Match{"msg": "request", "error": tt.reason})
			if want := "upstream: " + tt.reason + " (not_sent): " + strings.TrimSpace(tt.cause); !strings.HasPrefix(fmt.Sprint(line["detail"]), want) {
				t.Errorf("detail %q, want %s", line["detail"], want)
			}
		})
	}
}

// startPlain starts what answers anything as a server of plain HTTP answers a
// ClientHello, and returns its address.
func startPlain(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Read(make([]byte, 1))
				_, _ = io.WriteString(c, "HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String()
}

// A server, or a parent proxy, that speaks plain HTTP where TLS is expected is
// named as such, with the key to correct.
func TestPlainHTTPInPlaceOfTLS(t *testing.T) {
	t.Parallel()
	plain := startPlain(t)
	_, port, _ := net.SplitHostPort(plain)
	dns := harness.StartDNS(t, map[string][]string{"plain.example": {"127.0.0.1"}}).Addr()
	const server = "The server that answers for %s speaks plain HTTP, not TLS. Nothing was sent."
	for name, tt := range map[string]struct{ host, config, reason, detail, advice, text string }{
		"address": {
			"api.smsportal.com", "upstreams: [{host: api.smsportal.com, address: '" + plain + "'}]",
			"tls", "the server speaks plain HTTP, not TLS: see address and port of the upstream",
			"in the upstream's address: " + plain + ", write the port that the server has for HTTPS", server,
		},
		"port": {
			"plain.example", "upstreams: [{host: plain.example, port: " + port + "}]\nallow_internal_addresses: true\nupstream: {dns_servers: ['" + dns + "']}",
			"tls", "the server speaks plain HTTP, not TLS: see address and port of the upstream",
			"in the upstream's port: " + port + ", write the port that the server has for HTTPS", server,
		},
		"parent proxy": {
			"api.smsportal.com", "upstreams: [api.smsportal.com]\nupstream: {parent_proxy: 'https://" + plain + "'}",
			"parent_proxy", "TLS with the parent proxy: the server speaks plain HTTP, not TLS: see the https:// in upstream.parent_proxy",
			"in upstream.parent_proxy, write http:// instead of https://", "The parent proxy speaks plain HTTP, not TLS, so it opened no tunnel to %s. Nothing was sent.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", tt.config))
			for _, want := range []string{tt.host + ": FAILED: " + tt.reason + "\n", "cause       " + tt.detail + "\n", "what to do  " + tt.advice + "\n"} {
				if got.Code != 1 || !strings.Contains(got.Stdout, want) {
					t.Errorf("status %d; no %q in %q", got.Code, want, got.Stdout)
				}
			}
			p := harness.Start(t, harness.Options{Config: tt.config})
			answer := p.Ask("GET http://" + tt.host + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
			if answer.Problem() != tt.reason || !strings.Contains(answer.Text, fmt.Sprintf(tt.text, tt.host)) {
				t.Errorf("%s: %s", answer.Problem(), answer.Text)
			}
			p.WaitLog(harness.Match{"msg": "request", "error": tt.reason, "detail": "upstream: " + tt.reason + " (not_sent): " + tt.detail})
			p.WaitMetric(1, "tlslift_upstream_failures_total", "reason", tt.reason)
		})
	}
}

// A server, or a parent proxy, that accepts and says nothing is told from one that
// cannot be connected to, whatever time it is that passes.
func TestASilentServer(t *testing.T) {
	t.Parallel()
	// The system accepts for it; nobody reads.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	const advice = "what to do  look for a firewall that accepts connections in place of the server"
	for name, tt := range map[string]struct{ config, flag, reason, cause, advice string }{
		"tls_timeout":  {"upstreams: [{host: api.smsportal.com, address: '%s'}]\nupstream: {tls_timeout: 300ms}", "10s", "tls", "no answer to the TLS hello within 300ms (upstream.tls_timeout)", advice},
		"--timeout":    {"upstreams: [{host: api.smsportal.com, address: '%s'}]", "300ms", "tls", "no answer to the TLS hello within 300ms (--timeout)", advice},
		"parent proxy": {"upstreams: [api.smsportal.com]\nupstream: {tls_timeout: 300ms, parent_proxy: 'https://%s'}", "10s", "parent_proxy", "TLS with the parent proxy: no answer to the TLS hello within 300ms (upstream.tls_timeout)", "what to do  look at upstream.parent_proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := fmt.Sprintf(tt.config, silent.Addr())
			got := harness.Run(t, nil, "check", "--online", "--timeout", tt.flag, "--config", harness.TempFile(t, "tlslift.yaml", config))
			for _, want := range []string{"api.smsportal.com: FAILED: " + tt.reason + "\n", "cause       " + tt.cause + "\n", tt.advice} {
				if got.Code != 1 || !strings.Contains(got.Stdout, want) {
					t.Errorf("status %d; no %q in %q", got.Code, want, got.Stdout)
				}
			}
			if name == "--timeout" {
				return
			}
			p := harness.Start(t, harness.Options{Config: config})
			if answer := p.Ask(plainGet); answer.Problem() != tt.reason {
				t.Errorf("%s: %s", answer.Problem(), answer.Text)
			}
			p.WaitLog(harness.Match{"msg": "request", "error": tt.reason, "detail": "upstream: " + tt.reason + " (not_sent): " + tt.cause})
		})
	}
}

// What to do about a certificate depends on what is wrong with it.
func TestCheckOnlineOfWrongCertificates(t *testing.T) {
	t.Parallel()
	ca, err := certs.NewCA("root", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	other, err := certs.NewCA("other root", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	const asked = "api.smsportal.com"
	now := time.Now()
	past, future := now.Add(-24*time.Hour), now.Add(24*time.Hour)
	day := func(at time.Time) string { return at.UTC().Format(time.DateOnly) }
	for name, tt := range map[string]struct {
		ca     *certs.CA
		leaf   certs.Leaf
		advice string
	}{
		"expired":  {ca, certs.Leaf{Names: []string{asked}, NotBefore: past.Add(-time.Hour), NotAfter: past}, "check the clock: the certificate was valid until " + day(past) + "; if the clock is right, the server's owner has to renew it: contact SMSPortal"},
		"early":    {ca, certs.Leaf{Names: []string{asked}, NotBefore: future, NotAfter: future.Add(time.Hour)}, "check the clock: the certificate is valid from " + day(future) + " on; if the clock is right, contact SMSPortal"},
		"misnamed": {ca, certs.Leaf{Names: []string{"www.example.com"}}, "the certificate is for another host: correct the upstream's address: ADDRESS; if it is right, look for a firewall that answers in place of the server"},
		"unknown":  {other, certs.Leaf{Names: []string{asked}}, "a firewall that intercepts TLS needs its CA in the upstream's ca_file; or the upstream's address leads to another server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaf, err := tt.ca.Issue(tt.leaf)
			if err != nil {
				t.Fatal(err)
			}
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{leaf}})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_ = c.(*tls.Conn).Handshake()
					_ = c.Close()
				}
			}()
			config := "upstreams: [{host: " + asked + ", address: '" + l.Addr().String() + "', ca_file: " + harness.TempFile(t, "ca.pem", string(ca.PEM())) + "}]"
			got := harness.Run(t, nil, "check", "--online", "--config", harness.TempFile(t, "tlslift.yaml", config))
			advice := strings.ReplaceAll(tt.advice, "ADDRESS", l.Addr().String())
			for _, want := range []string{asked + ": FAILED: tls_verify\n", "what to do  " + advice + "\n"} {
				if got.Code != 1 || !strings.Contains(got.Stdout, want) {
					t.Errorf("status %d; no %q in\n%s", got.Code, want, got.Stdout)
				}
			}
		})
	}
}
