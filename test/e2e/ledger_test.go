package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const (
	requestsTotal = "tlslift_client_requests_total"
	lastInsecure  = "tlslift_client_last_insecure_timestamp_seconds"
	lastWrite     = "tlslift_ledger_last_write_timestamp_seconds"
)

// remembered is how many requests of 127.0.0.1 the ledger remembers.
func remembered(t *testing.T, p *harness.Process) (total float64) {
	t.Helper()
	_, body := p.Get("/api/v1/clients/127.0.0.1")
	var client struct {
		Requests []struct{ Count float64 }
	}
	if err := json.Unmarshal([]byte(body), &client); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	for _, r := range client.Requests {
		total += r.Count
	}
	return total
}

// TestKillLosesOnlyWhatWasNotWritten: the ledger remembers what the last
// snapshot had; the series begin with the process, and only with traffic.
func TestKillLosesOnlyWhatWasNotWritten(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	server, p := portal(t, smsportal.Options{}, "state: {file: "+state+"}")
	const ask = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 3 {
		p.Ask(ask)
	}
	p.WaitMetric(3, requestsTotal)
	seen := p.Metrics().Sum(lastInsecure, "client", "127.0.0.1")
	p.WaitMetric(1, lastWrite)
	if report := harness.Run(t, nil, "report", "--state", state, "--format", "csv"); report.Code != 0 {
		t.Errorf("a report of the running instance: %d %s", report.Code, report.Stderr)
	}
	if report := harness.Run(t, nil, "report", "--state", state, "--admin", "http://"+p.AdminAddr()); report.Code == 0 || !strings.Contains(report.Stderr, "are the same tlslift") {
		t.Errorf("a report of one instance by two names: %d %s%s", report.Code, report.Stdout, report.Stderr)
	}
	p.Signal(syscall.SIGKILL)
	p.Wait()

	again := harness.Start(t, harness.Options{Upstream: server, Config: "state: {file: " + state + "}"})
	if n := remembered(t, again); n != 3 {
		t.Errorf("%v requests are remembered, want 3", n)
	}
	if m := again.Metrics(); m.Has(requestsTotal) || m.Has(lastInsecure) {
		t.Errorf("series before there was traffic: %v", m[requestsTotal])
	}
	again.Ask(ask)
	again.WaitMetric(1, requestsTotal, "client", "127.0.0.1")
	m := again.Metrics()
	if n, last := m.Sum(requestsTotal), m.Sum(lastInsecure, "client", "127.0.0.1"); n != 1 || last < seen || remembered(t, again) != 4 {
		t.Errorf("after one more: %v in this process, %v remembered, last insecure at %v after %v", n, remembered(t, again), last, seen)
	}
	if first := m.Sum("tlslift_client_first_seen_timestamp_seconds", "client", "127.0.0.1"); first > seen {
		t.Errorf("first seen at %v, after %v", first, seen)
	}
}

// TestASecondProcessLeavesTheLedgerAlone, with an error, and serves.
func TestASecondProcessLeavesTheLedgerAlone(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	config := "state: {file: " + state + "}"
	server, first := portal(t, smsportal.Options{}, config)
	second := harness.Start(t, harness.Options{Upstream: server, Config: config})
	second.WaitLog(harness.Match{"level": "error", "file": state})
	const ask = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 2 {
		if answer := second.Ask(ask); answer.Problem() != "" {
			t.Errorf("the second process answered %d %s", answer.StatusCode, answer.Problem())
		}
	}
	second.WaitMetric(1, "tlslift_ledger_write_failures_total")
	first.Ask(ask)
	first.WaitMetric(1, requestsTotal)
	if code := first.Stop() + second.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	third := harness.Start(t, harness.Options{Upstream: server, Config: config})
	if n := remembered(t, third); n != 1 {
		t.Errorf("%v requests are remembered, want the first process's 1", n)
	}
}
