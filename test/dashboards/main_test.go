// Package dashboards evaluates every rule and every panel of the dashboards
// against a real Prometheus: over a scripted migration of a month, and over a
// real tlslift.
//
// run.sh installs Prometheus and runs it. Without TLSLIFT_DASHBOARDS=require
// these tests are skipped: they take a minute.
package dashboards

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
	"tlslift/test/harness"
)

const (
	rulesFile  = "../../deploy/prometheus/rules.yml"
	alertsFile = "../../deploy/prometheus/alerts.yml"
	boardsDir  = "../../deploy/grafana/dashboards/"
)

func TestMain(m *testing.M) {
	if os.Getenv("TLSLIFT_DASHBOARDS") != "require" {
		fmt.Println("dashboards: SKIPPED, every test; run test/dashboards/run.sh")
		os.Exit(0)
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		fmt.Println("dashboards: prometheus is not installed; run test/dashboards/run.sh")
		os.Exit(1)
	}
	os.Exit(harness.Main(m))
}

// start runs a Prometheus until the test ends.
func start(t *testing.T, config string) *prom.Server {
	t.Helper()
	return startIn(t, t.TempDir(), config)
}

func startIn(t *testing.T, dir, config string) *prom.Server {
	t.Helper()
	s, err := prom.Start(context.Background(), dir, "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// TestMonth is the scripted migration and everything that is asked of it.
func TestMonth(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	w, err := thirty.Fill(t.Context(), s, rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("states", func(t *testing.T) { states(t, s, w) })
	t.Run("rules", func(t *testing.T) { everyRule(t, s) })
	t.Run("alerts", func(t *testing.T) { alerts(t, s, w) })
	t.Run("panels", func(t *testing.T) { panels(t, s, w) })
	t.Run("report", func(t *testing.T) { reported(t, s, w) })
	t.Run("forecasts", func(t *testing.T) { forecasts(t, s, w) })
	t.Run("runbooks", func(t *testing.T) { runbooks(t, s) })
}
