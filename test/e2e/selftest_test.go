package e2e

import (
	"crypto/tls"
	"encoding/json"
	"strings"
	"testing"

	"tlslift/metrics/ledger"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestASelfTestIsNoTraffic: a health check that asks the self-test host counts nowhere:
// not in the ledger, and not in the client series. Traffic to another host stays
// foreign, and a call on the same connection is a call.
func TestASelfTestIsNoTraffic(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Config: "listen: [{address: '127.0.0.1:0', client: checked}]"})
	const selfTest = "GET http://check.tlslift.test/ HTTP/1.1\r\nHost: check.tlslift.test\r\n\r\n"
	c := harness.Dial(t, p.Addr())
	for range 3 {
		if answer := c.Send(selfTest).Answer("GET"); answer.StatusCode != 200 {
			t.Fatalf("%d %s", answer.StatusCode, answer.Text)
		}
	}
	p.WaitLogs(0, harness.Match{"msg": "request", "decision": "self_test"}, 3)
	m := p.Metrics()
	for _, name := range []string{"tlslift_client_requests_total", "tlslift_client_connections_total"} {
		if n := m.Sum(name); n != 0 {
			t.Errorf("%s is %v after a self-test", name, n)
		}
	}
	c.Send("GET http://" + legacyHost + "/a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
	c.Close()
	p.WaitMetric(1, "tlslift_client_requests_total", "client", "checked", "insecure", "true")
	p.WaitMetric(1, "tlslift_client_connections_total", "client", "checked", "handling", "plain")
	var list struct{ Clients []ledger.Row }
	if _, body := p.Get("/api/v1/clients"); json.Unmarshal([]byte(body), &list) != nil || len(list.Clients) != 1 ||
		len(list.Clients[0].Requests) != 1 || list.Clients[0].Requests[0].Count != 1 || len(list.Clients[0].Connections) != 1 {
		t.Errorf("the API says %s", body)
	}
}

// TestASelfTestOverTLSNeedsTheRoot: a client whose calls are spliced is told that they need
// none. One that calls by old TLS needs it for its calls too.
func TestASelfTestOverTLSNeedsTheRoot(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Env: caFiles(t)})
	for _, tt := range []struct {
		version uint16
		host    string
		spliced bool // its calls are
	}{
		{tls.VersionTLS13, "check.tlslift.test", true},
		{tls.VersionTLS12, "check.tlslift.test", true},
		{tls.VersionTLS10, "check.tlslift.test", false},
		{tls.VersionTLS10, legacyHost, false},
	} {
		for _, by := range []string{"connect", "tls"} {
			mark := p.Mark()
			c := dial(t, p)
			if by == "connect" {
				c.Tunnel(tt.host + ":443")
			}
			client := tls.Client(c.Bytes(), &tls.Config{ServerName: tt.host, MinVersion: tls.VersionTLS10, MaxVersion: tt.version})
			if err := client.Handshake(); err == nil {
				t.Error("the certificate is trusted")
			}
			c.Close()
			line := p.WaitLogAfter(mark, harness.Match{"level": "warn", "host": tt.host, "reason": "client_rejected_ca"})
			advice := line.String("advice")
			if tt.spliced != strings.Contains(advice, "the client's calls do not") || tt.spliced == strings.Contains(advice, "change the client") {
				t.Errorf("%s with TLS %x for %s: %s", by, tt.version, tt.host, advice)
			}
		}
	}
}
