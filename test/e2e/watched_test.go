package e2e

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestLimitsAreExported beside what they bound, and follow a reload, as the
// hash of the configuration does.
func TestLimitsAreExported(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "limits: {connections: 77, connections_per_client: 7}\nupstream: {max_connections: 9}\nclients: {track: 500, label_limit: 20}")
	const limit, hash = "tlslift_limit", "tlslift_config_hash_info"
	before := p.Metrics()
	for resource, want := range map[string]float64{"connections": 77, "upstream_connections": 9, "tracked_clients": 500, "labelled_clients": 20} {
		if got := before.Sum(limit, "resource", resource); got != want {
			t.Errorf("the limit of %s is %v, want %v", resource, got, want)
		}
	}
	p.Reconfigure("limits: {connections: 88, connections_per_client: 7}")
	p.WaitLog(harness.Match{"msg": "reloaded"})
	after := p.Metrics()
	if got := after.Sum(limit, "resource", "connections"); got != 88 {
		t.Errorf("after a reload the limit is %v, want 88", got)
	}
	if len(before[hash]) != 1 || len(after[hash]) != 1 || before[hash][0].Labels["hash"] == after[hash][0].Labels["hash"] {
		t.Errorf("the hash was %v and is %v", before[hash], after[hash])
	}
}

// TestWhatIsToBeWatchedIsExported: each metric that docs/operations.md tells
// operators to watch, by a process to which everything happened once.
func TestWhatIsToBeWatchedIsExported(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{
		Script: fault.Marked("/doubt", fault.AfterRead(fault.Close)),
		Greet: func(conn int) fault.Greeting {
			if conn == 1 {
				return fault.CloseOnHello
			}
			return fault.Handshake
		},
	})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {warm_connections: 0}"})
	in := dial(t, p)
	in.Send(get("/call")).Answer("GET")
	in.Send(get("/doubt")).Answer("GET")
	old := tls.Client(dial(t, p).Tunnel("api.smsportal.com:443").Bytes(), &tls.Config{
		ServerName: "api.smsportal.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, //nolint:gosec // an old client
	})
	if err := old.HandshakeContext(t.Context()); err == nil {
		t.Error("TLS 1.0 was accepted without a CA")
	}
	p.WaitMetric(1, "tlslift_client_handshake_failures_total")
	m := p.Metrics()
	for _, row := range harness.WhatToWatch(t) {
		if !m.Has(row.Metric) {
			t.Errorf("%s is not exported", row.Metric)
		}
	}
	for _, resource := range []string{"connections", "upstream_connections", "memory", "labelled_clients", "tracked_clients"} {
		if m.Sum("tlslift_limit", "resource", resource) <= 0 {
			t.Errorf("there is no limit of %s", resource)
		}
	}
	p.WaitMetric(1, "tlslift_upstream_classic_hello_total")
}

// TestTroubleReachesItsMetric: a refused reload and a ledger that cannot be
// written set what their alerts read.
func TestTroubleReachesItsMetric(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ledger.json.new", "full"), 0o700); err != nil { // in the way of each write
		t.Fatal(err)
	}
	state := "state: {file: " + filepath.Join(dir, "ledger.json") + "}\n"
	_, p := portal(t, smsportal.Options{}, state)
	if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 1 {
		t.Errorf("after the start: %v", got)
	}
	p.Ask(get("/call"))
	p.WaitMetric(1, "tlslift_ledger_write_failures_total")
	if got := p.Metrics().Sum("tlslift_ledger_last_write_timestamp_seconds"); got != 0 {
		t.Errorf("it was written at %v", got)
	}
	harness.WriteFile(t, p.Config, "lisen: []\n")
	p.WaitLog(harness.Match{"level": "error", "msg": "reload refused, the old configuration stays"})
	if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 0 {
		t.Errorf("after a refused reload: %v", got)
	}
}
