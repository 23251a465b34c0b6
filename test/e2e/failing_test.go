package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"tlslift/deploy/demo/smsportal"
	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/test/harness"
)

// TestAClientThatCannotCallIsNoSuccess: page, API and report show a client whose
// handshakes fail beside one that is migrated, and none says that tlslift can go.
// A scanner is no such client.
func TestAClientThatCannotCallIsNoSuccess(t *testing.T) {
	t.Parallel()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	server := startPortal(t, smsportal.Options{})
	p := harness.Start(t, harness.Options{
		Upstream: server, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		Config: "listen: [{address: '127.0.0.1:0', client: modern}, {address: '127.0.0.1:0', client: broken}, {address: '127.0.0.1:0', client: scanner}]",
	})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CAPEM())
	listening := p.WaitLogs(0, harness.Match{"msg": "listening"}, 3)
	open := func(n int, oldest, newest uint16) *tls.Conn {
		c := harness.Dial(t, listening[n].String("address"))
		return tls.Client(c.Tunnel(legacyHost+":443").Bytes(), &tls.Config{ServerName: legacyHost, RootCAs: pool, MinVersion: oldest, MaxVersion: newest})
	}
	c := harness.NewCaller(t, net.Conn(open(0, tls.VersionTLS13, tls.VersionTLS13)))
	c.Send("GET /a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
	c.Close()
	for range 3 {
		if err := open(1, tls.VersionTLS11, tls.VersionTLS11).Handshake(); err == nil {
			t.Fatal("the client trusts anybody")
		}
	}
	scan := open(2, tls.VersionTLS13, tls.VersionTLS13)
	if err := scan.Handshake(); err != nil {
		t.Fatal(err)
	}
	scan.Close()
	p.WaitMetric(1, "tlslift_client_connections_total", "client", "modern", "handling", "spliced")
	p.WaitMetric(3, "tlslift_client_handshake_failures_total", "client", "broken", "reason", "client_rejected_ca")
	p.WaitMetric(1, "tlslift_client_handshake_failures_total", "client", "scanner", "reason", "no_call")

	_, body := p.Get("/api/v1/summary")
	var summary ledger.Summary
	if err := json.Unmarshal([]byte(body), &summary); err != nil {
		t.Fatal(err)
	}
	if summary.Failing != 1 || summary.Clients != 1 || summary.Insecure != 0 || summary.Active != 1 {
		t.Errorf("the API says %s", body)
	}
	if _, page := p.Get("/"); !strings.Contains(page, "1 client cannot call") || !strings.Contains(page, "so none of its calls arrives") || strings.Contains(page, "top split migrated") || strings.Contains(page, "taken away") {
		t.Errorf("the page:\n%.1500s", page)
	}
	if _, page := p.Get("/clients/broken"); !strings.Contains(page, "broken cannot call SMSPortal") {
		t.Error("there is no message for the owner")
	}
	admin := "http://" + p.AdminAddr()
	report := harness.Run(t, nil, "report", "--admin", admin, "--only", "failing", "--fail-if", "failing")
	if report.Code != 1 || !strings.Contains(report.Stdout, "no-calls (failing)") || strings.Contains(report.Stdout, "scanner") || strings.Contains(report.Stdout, "modern") {
		t.Errorf("the report: %d\n%s%s", report.Code, report.Stdout, report.Stderr)
	}
}
