package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/deploy/demo/smsportal"
	"tlslift/metrics/report"
	"tlslift/test/harness"
)

// TestOneReportOfSeveralInstances reads two that run and one that was stopped,
// without a Prometheus: what one client did at each is one row.
func TestOneReportOfSeveralInstances(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	server, stopped := portal(t, smsportal.Options{}, "state: {file: "+state+"}")
	first := harness.Start(t, harness.Options{Upstream: server})
	second := harness.Start(t, harness.Options{Upstream: server})
	for p, calls := range map[*harness.Process]int{stopped: 3, first: 2} {
		for range calls {
			p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		p.WaitMetric(float64(calls), requestsTotal)
	}
	if code := stopped.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CAPEM())
	conn := tls.Client(dial(t, second).Tunnel(legacyHost+":443").Bytes(), &tls.Config{ServerName: legacyHost, RootCAs: pool})
	c := harness.NewCaller(t, conn)
	c.Send("GET /a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
	c.Close()
	second.WaitMetric(1, "tlslift_client_verdict", "client", "127.0.0.1", "verdict", "capable")
	second.WaitMetric(1, "tlslift_client_connections_total", "handling", "spliced")

	a, b := "http://"+first.AdminAddr(), "http://"+second.AdminAddr()
	all := harness.Run(t, nil, "report", "--admin", a, "--state", state, "--admin", b, "--format", "json", "--fail-if", "mixed")
	var got report.Report
	if err := json.Unmarshal([]byte(all.Stdout), &got); err != nil || all.Code != 1 || len(got.Clients) != 1 {
		t.Fatalf("%v, exit status %d, %s\n%s", err, all.Code, all.Stderr, all.Stdout)
	}
	client, requests := got.Clients[0], uint64(0)
	for _, n := range client.Requests {
		requests += n.Count
	}
	if client.Client != "127.0.0.1" || client.State.String() != "mixed" || client.Verdict.String() != "capable" || requests != 5 {
		t.Errorf("%s is %s, %s, with %d requests", client.Client, client.State, client.Verdict, requests)
	}
	if !strings.Contains(got.Source, a) || !strings.Contains(got.Source, state) || got.Summary.Clients != 1 || got.Summary.States["mixed"] != 1 {
		t.Errorf("%s: %+v", got.Source, got.Summary)
	}
	first.Stop()
	for why, arguments := range map[string][]string{
		"one that is gone":  {"--admin", a, "--admin", b},
		"one that is twice": {"--admin", b, "--admin", b},
	} {
		if r := harness.Run(t, nil, append([]string{"report"}, arguments...)...); r.Code == 0 || r.Stdout != "" || r.Stderr == "" {
			t.Errorf("%s: exit status %d, %s%s", why, r.Code, r.Stdout, r.Stderr)
		}
	}
}
