package dashboards

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/test/dashboards/boards"
	"tlslift/test/dashboards/prom"
	"tlslift/test/harness"
)

// TestLive is Prometheus with the rules and the alerts, scraping the built
// binary: the names are those that it exports, and the fleet's states are those
// of the demo's callers. Only the intervals are shorter.
func TestLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	interval := regexp.MustCompile(`(?m)^    interval: .*$`)
	for _, file := range []string{rulesFile, alertsFile} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = interval.ReplaceAll(text, []byte("    interval: 1s"))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startIn(t, dir, fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml, alerts.yml]
scrape_configs:
  - job_name: tlslift-gateway
    static_configs: [{targets: [%q]}]
`, demo(t)))

	want := map[string]string{
		"delphi-till": "insecure", "java6-crm": "insecure", "php-billing": "insecure", "soap-reports": "insecure", "modern-app": "migrated",
	}
	eventually(t, "the states of the demo's callers", func() bool {
		got := make(map[string]string)
		for _, series := range query(t, s, "tlslift:client_state", time.Now()) {
			got[series.Labels["client"]] = series.Labels["state"]
		}
		return maps.Equal(got, want)
	})
	for expr, values := range map[string][]float64{
		"tlslift:insecure_clients:count":                                         {4},
		"tlslift:insecure_clients:ratio":                                         {0.8},
		"round(tlslift:insecure_connections:ratio1d, 0.1)":                       {0.8},
		`count(tlslift:client_verdict{verdict="plaintext"})`:                     {3},
		"count(tlslift:client_insecure_requests:rate5m > 0)":                     {4},
		"count(tlslift:client_credentials_exposed:rate5m > 0)":                   {4},
		"count(tlslift:client_upgrades:rate5m > 0)":                              {4},
		"count(tlslift:upstream_handshakes:rate5m > 0) > bool 0":                 {1},
		"count(tlslift:added_latency_seconds:mean5m) > bool 0":                   {1},
		`sum(tlslift:clients_by_max_version:count{max_version=~"1.0|1.3"})`:      {2},
		`count(tlslift:client_library_timestamp_seconds:max{program="Synapse"})`: {1},
		"tlslift:proxy_errors:ratio15m":                                          {0},
	} {
		eventually(t, expr, func() bool {
			var got []float64
			for _, series := range query(t, s, expr, time.Now()) {
				got = append(got, last(series.Samples))
			}
			return slices.Equal(got, values)
		})
	}
	healthy(t, s)
	early(t, s)
}

// early: minutes after the start, no query of a panel is an error, and the
// tables and shares have something to show.
func early(t *testing.T, s *prom.Server) {
	t.Helper()
	shown := make(map[string]bool)
	for _, name := range []string{"migration.json", "service.json"} {
		b, err := boards.Load(boardsDir + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				series, err := b.Ask(t.Context(), s, p, q, time.Now())
				if err != nil {
					t.Errorf("%s, %s, %s: %v", b.Title, p.Title, q.RefID, err)
				}
				shown[p.Title] = shown[p.Title] || len(series) != 0
			}
		}
	}
	for _, title := range []string{"Insecure clients", "Insecure connections", "Clients by state", "Collecting since", "Clients", "Reloads"} {
		if !shown[title] {
			t.Errorf("%s is empty minutes after the start", title)
		}
	}
	if shown["Target"] {
		t.Error("Target shows something without a target")
	}
}

// healthy: Prometheus has evaluated every rule, without an error.
func healthy(t *testing.T, s *prom.Server) {
	t.Helper()
	var groups struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := s.Get(t.Context(), "/api/v1/rules", &groups); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" {
				t.Errorf("%s: %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if n == 0 {
		t.Error("Prometheus has no rules")
	}
}

// eventually waits for ok, up to a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("in a minute it was not so: %s", what)
		case <-tick.C:
		}
	}
}

// demo runs tlslift demo, whose callers go on calling, and returns the address
// of its metrics.
func demo(t *testing.T) string {
	t.Helper()
	command := exec.CommandContext(context.Background(), harness.Binary(t), "demo")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, address, ok := strings.Cut(lines.Text(), "http://"); ok {
			if address, _, ok := strings.Cut(address, "/metrics"); ok {
				go func() {
					for lines.Scan() { // so that it never waits for a reader
					}
				}()
				return address
			}
		}
	}
	t.Fatal("the demo did not say where its metrics are")
	return ""
}
