package harness

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Watched is a row of the table "What to watch" of docs/operations.md.
type Watched struct{ Metric, Alert string }

// WhatToWatch reads that table.
func WhatToWatch(t testing.TB) []Watched {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## What to watch\n")
	section, _, _ = strings.Cut(section, "\n## ")
	row := regexp.MustCompile("^\\| `(tlslift_[a-z_]+)` \\| \\[([A-Za-z]+)\\]\\(runbooks/([A-Za-z]+)\\.md\\) \\| .+ \\|$")
	var rows []Watched
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		found := row.FindStringSubmatch(line)
		if found == nil || found[2] != found[3] {
			t.Errorf("What to watch: %s names no metric, or no alert with its runbook", line)
			continue
		}
		rows = append(rows, Watched{found[1], found[2]})
	}
	if len(rows) < 10 {
		t.Fatalf("What to watch has %d rows", len(rows))
	}
	return rows
}
