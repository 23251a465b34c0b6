package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
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
		Config: "listen: [{address: '127.0.0.1:0', client: modern}, {address: '127.0.0.1:0', client: broken}, {address: '127.0.0.1:0', client: scanner}]\n" +
			"policy: {clients: {broken: {migrated: 2026-01-01}}}",
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
	if summary.Failing != 1 || summary.Misdeclared != 0 || summary.Clients != 1 || summary.Insecure != 0 || summary.Active != 1 {
		t.Errorf("the API says %s", body)
	}
	if _, page := p.Get("/"); !strings.Contains(page, "1 client cannot call") || !strings.Contains(page, "so none of its calls arrives") || strings.Contains(page, "top split migrated") || strings.Contains(page, "taken away") {
		t.Errorf("the page:\n%.1500s", page)
	}
	if _, page := p.Get("/clients/broken"); !strings.Contains(page, "broken cannot call SMSPortal") ||
		!strings.Contains(page, "Declared migrated on 2026-01-01, and its TLS handshakes fail: none of its calls arrives.") || strings.Contains(page, "compare its name") {
		t.Errorf("the client's page:\n%.3000s", page)
	}
	var selected struct{ Clients []ledger.Row }
	if _, body := p.Get("/api/v1/clients?state=failing"); json.Unmarshal([]byte(body), &selected) != nil || len(selected.Clients) != 1 || selected.Clients[0].Client != "broken" {
		t.Errorf("the API selects %s", body)
	}
	if _, page := p.Get("/?state=failing"); !strings.Contains(page, `<a class="tile failing" href="/#clients" aria-current="true"`) || !strings.Contains(page, "<option selected>failing</option>") ||
		!strings.Contains(page, `href="/clients/broken"`) || strings.Contains(page, `href="/clients/scanner"`) {
		t.Errorf("the page with failing clients:\n%.9000s", page)
	}
	admin := "http://" + p.AdminAddr()
	report := harness.Run(t, nil, "report", "--admin", admin, "--only", "failing", "--fail-if", "failing")
	if report.Code != 1 || !strings.Contains(report.Stdout, "no-calls (declared, failing)") || strings.Contains(report.Stdout, "scanner") || strings.Contains(report.Stdout, "never seen") || strings.Contains(report.Stdout, "modern") {
		t.Errorf("the report: %d\n%s%s", report.Code, report.Stdout, report.Stderr)
	}
}

// TestAClientThatCalledBeforeCanFail: a client that called securely an hour ago and
// that a certificate stops now is not migrated. One that was declared migrated, and
// failed since, is not either. Neither has called again.
func TestAClientThatCalledBeforeCanFail(t *testing.T) {
	t.Parallel()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	file, now := filepath.Join(t.TempDir(), "ledger.json"), time.Now().Add(-time.Hour)
	before := ledger.New(ledger.Options{File: file, Clock: func() time.Time { return now }})
	before.Configure(ledger.Settings{MigratedAfter: 14 * 24 * time.Hour})
	for name, version := range map[string]call.Version{"modern": call.Version13, "old": call.Version10} {
		before.Record(&call.Outcome{
			Kind: call.Request, Ours: true, Client: call.Identity{Name: name, Source: call.SourceListener, Configured: true}, End: now,
			Ingress: call.Connect, Handling: call.Terminated, Version: version, Host: legacyHost,
		})
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	server := startPortal(t, smsportal.Options{})
	p := harness.Start(t, harness.Options{
		Upstream: server, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		Config: "listen: [{address: '127.0.0.1:0', client: modern}, {address: '127.0.0.1:0', client: old}]\n" +
			"state: {file: " + file + "}\npolicy: {clients: {old: {migrated: " + now.Add(time.Minute).UTC().Format(time.RFC3339) + "}}}",
	})
	listening := p.WaitLogs(0, harness.Match{"msg": "listening"}, 2)
	standing := func(states string, failing int) {
		t.Helper()
		var summary ledger.Summary
		if _, body := p.Get("/api/v1/summary"); json.Unmarshal([]byte(body), &summary) != nil || summary.Failing != failing {
			t.Errorf("the API says %s, want %d failing", body, failing)
		}
		if report := harness.Run(t, nil, "report", "--admin", "http://"+p.AdminAddr()); !strings.Contains(report.Stdout, states) {
			t.Errorf("the report lacks %q:\n%s%s", states, report.Stdout, report.Stderr)
		}
	}
	standing("0 silent, 0 unseen, 2 migrated", 0)
	for _, l := range listening {
		c := tls.Client(harness.Dial(t, l.String("address")).Tunnel(legacyHost+":443").Bytes(),
			&tls.Config{ServerName: legacyHost, RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11})
		if err := c.Handshake(); err == nil {
			t.Fatal("the client trusts anybody")
		}
	}
	for _, name := range []string{"modern", "old"} {
		p.WaitMetric(1, "tlslift_client_handshake_failures_total", "client", name, "reason", "client_rejected_ca")
	}
	standing("2 silent, 0 unseen, 0 migrated", 2)
	standing("Unable to call, because their TLS handshakes fail: 2.", 2)
	if _, page := p.Get("/"); !strings.Contains(page, "2 clients cannot call") {
		t.Errorf("the page:\n%.1500s", page)
	}
	if _, page := p.Get("/clients/modern"); !strings.Contains(page, "modern cannot call SMSPortal") || !strings.Contains(page, "Last failed TLS handshake") {
		t.Errorf("the client's page:\n%.3000s", page)
	}
	report := harness.Run(t, nil, "report", "--admin", "http://"+p.AdminAddr(), "--fail-if", "failing")
	if report.Code != 1 || !strings.Contains(report.Stdout, "silent (failing)") || !strings.Contains(report.Stdout, "silent (declared, failing)") {
		t.Errorf("the report: %d\n%s%s", report.Code, report.Stdout, report.Stderr)
	}
}

// TestUnknownStates: the report, the API and the page say which states there are.
func TestUnknownStates(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{})})
	const states = "rite insecure, mixed, silent, unseen, migrated, no-calls, regressed, misdeclared or failing"
	for word, want := range map[string]string{
		"failng": `unknown state "failng"; did you mean failing? W` + states,
		"failed": `unknown state "failed"; did you mean failing? W` + states,
		"fine":   `unknown state "fine"; w` + states,
	} {
		for _, flag := range []string{"--only", "--fail-if"} {
			if got := harness.Run(t, nil, "report", "--admin", p.AdminAddr(), flag, word); got.Code != 2 || got.Stderr != "tlslift: "+flag+": "+want+"\n" {
				t.Errorf("%s: status %d, %s", flag, got.Code, got.Stderr)
			}
		}
		var answer struct{ Error string }
		if status, body := p.Get("/api/v1/clients?state=" + word); status != http.StatusBadRequest || json.Unmarshal([]byte(body), &answer) != nil || answer.Error != want {
			t.Errorf("the API: %d, %s", status, body)
		}
		if status, body := p.Get("/?state=" + word); status != http.StatusBadRequest || !strings.Contains(html.UnescapeString(body), "does not exist: "+want+". All clients are shown.") {
			t.Errorf("the page: %d, %.9000s", status, body)
		}
	}
}
