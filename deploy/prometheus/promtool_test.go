package prometheus_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestUnit runs the unit tests of rules and alerts.
func TestUnit(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	for _, file := range testFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			run(t, tool, "test", "rules", file)
		})
	}
}

// TestConfig checks prometheus.yml and the rule files that it names, as far as
// this promtool can: an old one does not know the two settings of histograms,
// and Debian builds it without Kubernetes.
func TestConfig(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	version := regexp.MustCompile(`version (\d+)\.(\d+)`).FindStringSubmatch(run(t, tool, "--version"))
	if version == nil {
		t.Fatal("promtool says no version")
	}
	major, _ := strconv.Atoi(version[1])
	minor, _ := strconv.Atoi(version[2])
	dir := t.TempDir()
	for _, name := range []string{"prometheus.yml", "rules.yml", "alerts.yml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "prometheus.yml" && (major < 3 || major == 3 && minor < 8) {
			text = regexp.MustCompile(`(?m)^.*(scrape_native|scrape_classic)_histograms:.*\n`).ReplaceAll(text, nil)
			text = regexp.MustCompile(`kubernetes_sd_configs:\n.*\n`).ReplaceAll(text, []byte("file_sd_configs: [{files: [pods.json]}]\n"))
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, tool, "check", "config", filepath.Join(dir, "prometheus.yml"))
}
