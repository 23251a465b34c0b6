package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestLoopsAreRefused: whichever way a request would come back to us.
func TestLoopsAreRefused(t *testing.T) {
	t.Parallel()
	for _, others := range []string{"pass", "tunnel", "refuse"} {
		t.Run("others "+others, func(t *testing.T) {
			t.Parallel()
			server, p := portal(t, smsportal.Options{}, "others: "+others+"\nlisten: [{address: '127.0.0.1:0'}, {address: '127.0.0.1:0'}]")
			_, port, err := net.SplitHostPort(p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			for name, host := range map[string]string{
				"itself":       p.Addr(),
				"its sibling":  p.ListenAddr(1),
				"its admin":    p.AdminAddr(),
				"by name":      "localhost:" + port,
				"IPv4-mapped":  "[::ffff:127.0.0.1]:" + port,
				"upper case":   "LOCALHOST:" + port,
				"trailing dot": "localhost.:" + port,
			} {
				for form, request := range map[string]string{
					"forward": "GET http://" + host + "/metrics HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
					"connect": "CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
				} {
					t.Run(name+" "+form, func(t *testing.T) {
						refusal{name, request, 508, "loop", false}.check(t, p, server, dial(t, p))
					})
				}
			}
		})
	}
}

// TestOwnViaIsALoop: a request with our own Via has passed through us. Another
// instance's is no loop.
func TestOwnViaIsALoop(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	via := server.Requests()[0].Header.Get("Via")
	ask := func(value string) string {
		return "GET " + api + "/a HTTP/1.1\r\nHost: x\r\nVia: " + value + "\r\n\r\n"
	}
	refusal{"own", ask(via), 508, "loop", false}.check(t, p, server, dial(t, p))
	refusal{"own, for a tunnel", "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: x\r\nVia: " + via + "\r\n\r\n", 508, "loop", false}.check(t, p, server, dial(t, p))
	refusal{"own among others", ask("1.0 fred, " + via + ", 1.1 joe (x)"), 508, "loop", false}.check(t, p, server, dial(t, p))

	behind, sidecar := portal(t, smsportal.Options{}, "")
	sidecar.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	foreign := behind.Requests()[0].Header.Get("Via")
	if foreign == via {
		t.Fatalf("two instances share the Via %q", via)
	}
	server.Reset()
	if answer := p.Ask(ask(foreign)); answer.Problem() != "" {
		t.Errorf("another instance's Via: %d %q", answer.StatusCode, answer.Problem())
	}
	if got := server.Requests()[0].Header["Via"]; !strings.Contains(strings.Join(got, ","), foreign) {
		t.Errorf("the chain of Vias is broken: %q", got)
	}
}

// TestUpstreamThatIsOurselves: an address that leads back to our own listener
// is seen by the connection itself.
func TestUpstreamThatIsOurselves(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	mark := p.Mark()
	p.Reconfigure(fmt.Sprintf(`upstreams: [{host: api.smsportal.com, address: "%s"}]`, p.Addr()))
	p.Signal(syscall.SIGHUP)
	p.WaitLogAfter(mark, reloaded)
	answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.Delivery() != "not_sent" || answer.StatusCode < 500 {
		t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
	if n := server.Count(); n != 0 {
		t.Errorf("%d requests arrived somewhere", n)
	}
	if lines := p.Lines(mark, harness.Match{"msg": "request"}); len(lines) > 3 {
		t.Errorf("one request became %d", len(lines))
	}
}

// TestASplicedLoop: a modern client's hello comes back by way of something else. That says
// nothing of the client, and its tunnel says what is to be corrected.
func TestASplicedLoop(t *testing.T) {
	t.Parallel()
	between, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Options{Upstream: stranger{between.Addr().String(), startFault(t, fault.Options{}).CAPEM()}})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			near, err := between.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", p.Addr())
			if err != nil {
				_ = near.Close()
				continue
			}
			running.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
			running.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
		}
	})
	t.Cleanup(func() { _ = between.Close(); running.Wait() })
	n := 0.0
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, by := range []string{"connect", "tls"} {
			mark := p.Mark()
			c := dial(t, p)
			if by == "connect" {
				c.Tunnel(legacyHost + ":443")
			}
			client := tls.Client(c.Bytes(), &tls.Config{ServerName: legacyHost, MinVersion: version, MaxVersion: version})
			if err := client.Handshake(); err == nil {
				t.Error("the handshake succeeded")
			}
			c.Close()
			line := p.WaitLogAfter(mark, harness.Match{"msg": "tunnel", "handling": "spliced", "ingress": by, "level": "warn", "error": "loop", "host": legacyHost, "origin": "tlslift"})
			if !strings.Contains(line.String("detail"), "the upstream's address leads back to tlslift") || line.String("handshake") != "" {
				t.Errorf("%v", line)
			}
			n += 2 // the other is where it came back
			p.WaitMetric(n, "tlslift_denied_total", "reason", "loop")
		}
	}
	if failures := p.Metrics().Sum("tlslift_client_handshake_failures_total"); failures != 0 {
		t.Errorf("%v handshakes of the client failed", failures)
	}
	if out := p.Output(); strings.Contains(out, "refused a spliced client") {
		t.Error(out)
	}
}

// TestNamesThatLeadInside: an upstream's name that resolves to an internal
// address is refused, unless that is allowed. An explicit address is exempt,
// as every other test here shows.
func TestNamesThatLeadInside(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"loopback": "127.0.0.1", "loopback elsewhere": "127.9.9.9", "private 10": "10.1.2.3", "private 172": "172.16.0.1", "private 192": "192.168.1.1",
		"link-local": "169.254.1.1", "metadata": "169.254.169.254", "unspecified": "0.0.0.0", "carrier": "100.64.0.1",
		"IPv6 loopback": "::1", "IPv6 unique local": "fd00::1", "IPv6 link-local": "fe80::1", "IPv4 in IPv6": "::ffff:127.0.0.1",
		"multicast": "224.0.0.1", "broadcast": "255.255.255.255", "NAT64": "64:ff9b::7f00:1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dns := harness.StartDNS(t, map[string][]string{"api.smsportal.com": {address}})
			p := harness.Start(t, harness.Options{Config: "upstream: {dns_servers: ['" + dns.Addr() + "'], dial_timeout: 1s}"})
			answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
			if answer.StatusCode != 403 || answer.Problem() != "internal_address" || answer.Delivery() != "not_sent" {
				t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			p.WaitMetric(1, "tlslift_denied_total", "reason", "internal_address")
		})
	}
}

func TestNamesAreResolvedByTheConfiguredServers(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{Listen: "127.0.0.1:0"})
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	dns := harness.StartDNS(t, map[string][]string{"api.smsportal.com": {"127.0.0.1"}})
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	p := harness.Start(t, harness.Options{Config: fmt.Sprintf(`
allow_internal_addresses: true
upstream: {dns_servers: ['%s']}
upstreams:
  - {host: api.smsportal.com, port: %s, ca_file: %s}
  - {host: gone.smsportal.com, ca_file: %s}`, dns.Addr(), port, caFile, caFile)})
	if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Problem() != "" {
		t.Errorf("%d %q", answer.StatusCode, answer.Problem())
	}
	answer := p.Ask("GET http://gone.smsportal.com/a HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.StatusCode != 502 || answer.Problem() != "dns" || answer.Delivery() != "not_sent" {
		t.Errorf("a name that does not exist: %d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
}

// An upstream or a parent proxy that is this tlslift is refused at start, at a
// reload and by check, with one text.
func TestUpstreamsThatAreOurselvesAreRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0") // so that nothing of this test can listen there
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	at := taken.Addr().String()
	p := harness.Start(t, harness.Options{})
	for key, text := range map[string]string{
		"upstream.parent_proxy": "upstream: {parent_proxy: 'http://" + at + "'}",
		"upstreams[0].address":  "upstreams: [{host: api.smsportal.com, address: '" + at + "'}]",
	} {
		text = "listen: ['" + at + "']\n" + text + "\n"
		problem := key + ": " + at + " is where this tlslift listens: every request to it would be a loop; name the real server"
		config := harness.TempFile(t, "tlslift.yaml", text)
		for _, command := range []string{"run", "check"} {
			if got := harness.Run(t, nil, command, "--config", config); got.Code != 2 || !strings.Contains(got.Stderr, problem) {
				t.Errorf("%s, %s: status %d, %q", key, command, got.Code, got.Stderr)
			}
		}
		mark := p.Mark()
		p.Reconfigure(text)
		p.Signal(syscall.SIGHUP)
		line := p.WaitLogAfter(mark, harness.Match{"msg": "reload refused, the old configuration stays"})
		if problems := fmt.Sprint(line["problems"]); !strings.Contains(problems, problem) {
			t.Errorf("%s, reload: %s", key, problems)
		}
	}
}
