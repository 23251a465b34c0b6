package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const targetTime = "tlslift_target_timestamp_seconds"

// TestTarget: the target is in the metrics, on the page, in the API, and in
// reports from the instance and from its state file; it refuses nobody, and a
// reload moves it or takes it away.
func TestTarget(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	const ask = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	_, p := portal(t, smsportal.Options{}, "policy: {target: 2199-03-01}\nstate: {file: "+state+"}")
	if answer := p.Ask(ask); answer.Problem() != "" {
		t.Fatalf("a call: %s", answer.Problem())
	}
	p.WaitMetric(1, requestsTotal)
	p.WaitMetric(1, lastWrite)
	target := time.Date(2199, 3, 2, 0, 0, 0, 0, time.UTC)
	if got := p.Metrics().Sum(targetTime); got != float64(target.Unix()) {
		t.Errorf("%s is %v", targetTime, got)
	}
	var summary ledger.Summary
	_, body := p.Get("/api/v1/summary")
	if err := json.Unmarshal([]byte(body), &summary); err != nil {
		t.Fatal(err)
	}
	if f := summary.Forecast; !f.Target.Equal(target) || f.Course != ledger.Collecting {
		t.Errorf("the API says %+v", f)
	}
	_, page := p.Get("/")
	const sentence = " days to 2199-03-01. Needed: less than 1 client a year. There is no forecast yet."
	for from, text := range map[string]string{
		"the page":              page,
		"a report":              harness.Run(t, nil, "report", "--admin", "http://"+p.AdminAddr()).Stdout,
		"a report of the state": harness.Run(t, nil, "report", "--state", state).Stdout,
	} {
		if !strings.Contains(text, sentence) {
			t.Errorf("%s lacks %q:\n%.600s", from, sentence, text)
		}
	}

	reconfigure := func(policy string) {
		mark := p.Mark()
		p.Reconfigure(policy + "\nstate: {file: " + state + "}")
		p.WaitLogAfter(mark, reloaded)
	}
	reconfigure("policy: {target: 2020-02-29}")
	if answer := p.Ask(ask); answer.Problem() != "" {
		t.Errorf("a call after the target: %s", answer.Problem())
	}
	if _, page := p.Get("/"); !strings.Contains(page, "Off track. The target, 2020-02-29, was ") {
		t.Errorf("the page after the target:\n%.900s", page)
	}

	reconfigure("policy: {migrated_after: 14d}")
	if got := p.Metrics().Sum(targetTime); got != 0 {
		t.Errorf("%s without a target is %v", targetTime, got)
	}
	if _, page := p.Get("/"); strings.Contains(page, `id="forecast"`) {
		t.Errorf("the page without a target speaks of a forecast:\n%.900s", page)
	}
}
