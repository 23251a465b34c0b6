package metrics

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	"tlslift/metrics/ledger"
)

// TestLint asks the linter of the Prometheus project, in process and, where it
// is installed, as promtool.
func TestLint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"*.smsportal.com"}, Clients: []ledger.Configured{{Name: "billing"}}, LabelLimit: 1})
	f.exerciseClient("10.1.2.3")
	exerciseService(f.Metrics)
	text := f.text(t, expfmt.TypeTextPlain)

	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}

	promtool := findPromtool(t)
	if promtool == "" {
		return
	}
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// findPromtool returns promtool's path, "" where it is not installed: in CI
// that is a failure, elsewhere less is tested.
func findPromtool(t *testing.T) string {
	t.Helper()
	const missing = "promtool (apt package prometheus) is not installed: what it would check was not checked"
	path, err := exec.LookPath("promtool")
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Error(missing)
	default:
		t.Log("SKIP: " + missing)
	}
	return ""
}
