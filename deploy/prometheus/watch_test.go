package prometheus_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// TestWhatToWatch: what docs/operations.md tells operators to watch has an alert
// that reads it, directly or by a recording rule, and every alert on the service
// is in that table. TestEveryRuleIsTested and TestRunbooks see to the rest.
func TestWhatToWatch(t *testing.T) {
	t.Parallel()
	records, alerts := rules(t)
	record := regexp.MustCompile(`\btlslift:[a-z0-9_]+(:[a-z0-9_]+)?\b`)
	// expanded is an expression and those of the rules that it reads.
	expanded := func(expr string) string {
		for _, name := range record.FindAllString(expr, -1) {
			for _, r := range records {
				if r.Record == name {
					expr += "\n" + r.Expr
				}
			}
		}
		return expr
	}
	table := map[string]bool{}
	for _, row := range harness.WhatToWatch(t) {
		table[row.Alert] = true
		reads := slices.ContainsFunc(alerts, func(a rule) bool {
			return a.Alert == row.Alert && regexp.MustCompile(row.Metric+`\b`).MatchString(expanded(a.Expr))
		})
		if !reads {
			t.Errorf("%s: there is no alert %s that reads it", row.Metric, row.Alert)
		}
	}
	for _, g := range read[ruleFile](t, "alerts.yml").Groups {
		for _, a := range g.Rules {
			if g.Name == "tlslift-service-alerts" && a.Alert != "SidecarsNotScraped" && !table[a.Alert] {
				t.Errorf("%s is not in what docs/operations.md tells to watch", a.Alert)
			}
		}
	}
	list, err := os.ReadFile(runbooks + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		if !strings.Contains(string(list), "| ["+a.Alert+"]("+a.Alert+".md) |") {
			t.Errorf("%s is not in the list of runbooks", a.Alert)
		}
	}
}
