package metrics

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
)

// TestLint asks the linter of the Prometheus project, in process and, where it
// is installed, as promtool.
func TestLint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"*.smsportal.com"}, Clients: []string{"billing"}})
	exerciseClient(f.Client("10.1.2.3", "address"))
	exerciseService(f.Metrics)
	text := f.text(t, expfmt.TypeTextPlain)

	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}

	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("SKIP: promtool (apt package prometheus) is not installed: only the linter in process was asked")
		return
	}
	cmd := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
