package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"testing"
)

// documented are the rows of the table in docs/errors.md: reason, status and
// delivery of each answer of tlslift's own, and whether each such answer ends the
// connection.
var documented = sync.OnceValues(func() (map[string]bool, error) {
	_, here, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "docs", "errors.md"))
	if err != nil {
		return nil, fmt.Errorf("reading the table of answers: %w", err)
	}
	row := regexp.MustCompile("(?m)^\\| \\[`(\\w+)`\\]\\(#\\w+\\) \\| (\\d+) \\| `(\\w+)` \\| (closes|stays) \\|")
	all := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		key := m[1] + " " + m[2] + " " + m[3]
		closes, known := all[key]
		all[key] = m[4] == "closes" && (closes || !known)
	}
	return all, nil
})

// checkDocumented fails the test if tlslift gave an answer of its own that
// docs/errors.md does not have.
func checkDocumented(t testing.TB, a Answer) {
	t.Helper()
	if a.Problem() == "" {
		return
	}
	all, err := documented()
	if err != nil {
		t.Fatal(err)
	}
	key := fmt.Sprintf("%s %d %s", a.Problem(), a.StatusCode, a.Delivery())
	switch closes, known := all[key]; {
	case !known:
		t.Errorf("docs/errors.md has no answer %q", key)
	case closes && !a.Close:
		t.Errorf("the answer %q does not say that the connection closes", key)
	}
}
