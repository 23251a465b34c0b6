// Package prometheus_test holds the recording rules, the alerts and their
// runbooks to each other and to the metrics, and runs their unit tests.
package prometheus_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tlslift/metrics/ledger"
)

const runbooks = "../../docs/runbooks"

// contract names every alert there is.
var contract = []string{
	"InsecureClientAppeared", "ClientRegressed", "MigrationOffTrack", "ClientInsecureNearTarget", "ClientFailing", "ClientRejectsCA", "ClientsOverflowing", "SmsDeliveryUnknown", "UpstreamTLSVerifyFailing",
	"UpstreamCertificateExpiring", "SigningCAExpiring", "ProxyErrorRatioHigh", "SidecarsNotScraped",
	"CredentialsStillInClear", "CredentialsOverOldTLS", "SidecarRemovable",
	"CallsDenied", "Saturated", "UpstreamClassicHellos", "ReloadRefused", "LedgerNotWritten", "LogLinesLost",
}

// ruleFile is what is read of rules.yml and alerts.yml.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

// testFile is what is read of the unit tests.
type testFile struct {
	Tests []struct {
		Expressions []struct {
			Expr    string
			Samples []any `yaml:"exp_samples"`
		} `yaml:"promql_expr_test"`
		Alerts []struct {
			Name     string `yaml:"alertname"`
			Expected []any  `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

func read[T any](t *testing.T, file string) T {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

func rules(t *testing.T) (records, alerts []rule) {
	t.Helper()
	for _, file := range []string{"rules.yml", "alerts.yml"} {
		for _, g := range read[ruleFile](t, file).Groups {
			for _, r := range g.Rules {
				if r.Alert != "" {
					alerts = append(alerts, r)
				} else {
					records = append(records, r)
				}
			}
		}
	}
	return records, alerts
}

func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("tests/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("unit tests: %v, %v", files, err)
	}
	return files
}

// TestEveryRuleIsTested: each recording rule gives a result in some unit test,
// each alert fires in one and stays silent in one.
func TestEveryRuleIsTested(t *testing.T) {
	t.Parallel()
	var expressions []string
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range testFiles(t) {
		for _, test := range read[testFile](t, file).Tests {
			for _, e := range test.Expressions {
				if len(e.Samples) != 0 {
					expressions = append(expressions, e.Expr)
				}
			}
			for _, a := range test.Alerts {
				fires[a.Name] = fires[a.Name] || len(a.Expected) != 0
				silent[a.Name] = silent[a.Name] || len(a.Expected) == 0
			}
		}
	}
	all := strings.Join(expressions, "\n")
	records, alerts := rules(t)
	for _, r := range records {
		if !regexp.MustCompile(regexp.QuoteMeta(r.Record) + `([^a-z0-9_:]|$)`).MatchString(all) {
			t.Errorf("%s: no unit test expects a value of it", r.Record)
		}
	}
	for _, a := range alerts {
		if !fires[a.Alert] || !silent[a.Alert] {
			t.Errorf("%s: unit tests in which it fires: %t; in which it does not: %t", a.Alert, fires[a.Alert], silent[a.Alert])
		}
	}
}

// TestAlerts: the names are those of the contract, and each says what it means,
// how bad that is, and where to read on.
func TestAlerts(t *testing.T) {
	t.Parallel()
	_, alerts := rules(t)
	var names []string
	for _, a := range alerts {
		names = append(names, a.Alert)
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: severity %q", a.Alert, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s: without summary or description", a.Alert)
		}
		if want := "{{ $externalLabels.tlslift_docs }}docs/runbooks/" + a.Alert + ".md"; a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
	}
	for _, a := range alerts {
		// Such a sum is a fraction while its window begins or ends: "about 0 times".
		fraction := strings.Contains(a.Expr, "sum_over_time(") && strings.Contains(a.Expr, "* 60 > 0")
		if fraction && !strings.HasPrefix(a.Expr, "clamp_min(") {
			t.Errorf("%s: its value can be below 1", a.Alert)
		}
	}
	slices.Sort(names)
	for _, a := range alerts {
		const page = "{{ $externalLabels.tlslift_status_page }}"
		about := strings.Contains(a.Annotations["summary"], "{{ $labels.client }}")
		if got := a.Annotations["client_url"]; about && got != page+"clients/?name={{ $labels.client | urlquery }}" || !about && got != "" {
			t.Errorf("%s: client_url %q", a.Alert, got)
		}
		verdict := "{{ .Labels.verdict }}"
		if a.Alert == "ClientFailing" { // which has it as a label of its own
			verdict = "{{ $labels.verdict }}"
		}
		if got := a.Annotations["fix_url"]; slices.Contains(advised, a.Alert) && !strings.Contains(got, page+"fixes/"+verdict) {
			t.Errorf("%s: fix_url %q", a.Alert, got)
		}
	}
	want := slices.Sorted(slices.Values(contract))
	if got := slices.Compact(names); !slices.Equal(got, want) {
		t.Errorf("alerts\n%s\nwant\n%s", got, want)
	}
}

// TestRunbooks: one page for each alert and none besides, each with the three
// things that a person who was just woken wants to know.
func TestRunbooks(t *testing.T) {
	t.Parallel()
	for _, name := range contract {
		text, err := os.ReadFile(filepath.Join(runbooks, name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range []string{"# " + name + "\n", "\n## What it means\n", "\n## How to look\n", "\n## What to do\n"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s.md: no %q", name, strings.TrimSpace(part))
			}
		}
	}
	pages, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := strings.TrimSuffix(filepath.Base(page), ".md"); name != "README" && !slices.Contains(contract, name) {
			t.Errorf("%s: there is no such alert", page)
		}
	}
}

// TestNames: rules and runbooks speak only of metrics that docs/metrics.md
// lists, and of rules that are there.
func TestNames(t *testing.T) {
	t.Parallel()
	reference, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	records, alerts := rules(t)
	recorded := map[string]bool{}
	texts := map[string]string{}
	for _, r := range records {
		recorded[r.Record] = true
		texts[r.Record] += r.Expr + "\n"
	}
	for _, a := range alerts {
		texts[a.Alert] += a.Expr + "\n"
	}
	for _, name := range contract {
		page, err := os.ReadFile(filepath.Join(runbooks, name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		texts[name+".md"] = string(page)
	}
	metric := regexp.MustCompile(`\btlslift_[a-z0-9_]+\b`)
	record := regexp.MustCompile(`\btlslift:[a-z0-9_]+(:[a-z0-9_]+)?\b`)
	for where, text := range texts {
		for _, m := range metric.FindAllString(text, -1) {
			for _, suffix := range []string{"_sum", "_count", "_bucket"} {
				m = strings.TrimSuffix(m, suffix)
			}
			if m != "tlslift_docs" && !strings.Contains(string(reference), "`"+m+"`") {
				t.Errorf("%s: docs/metrics.md does not know %s", where, m)
			}
		}
		for _, r := range record.FindAllString(text, -1) {
			if !recorded[r] {
				t.Errorf("%s: there is no rule %s", where, r)
			}
		}
	}
}

// promtool returns its path, or skips; in CI it must be there.
func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		const missing = "promtool (apt package prometheus) is not installed: the rules were not tested"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip("SKIP: " + missing)
	}
	return path
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestFailingIsTheLedgers: the rule takes the verdicts that the ledger takes.
func TestFailingIsTheLedgers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1<<31, 0)
	var never []string
	for _, v := range ledger.Verdicts {
		if s := (ledger.Times{LastFailed: now, Verdict: v}); !s.FailingAt(now, time.Hour) {
			never = append(never, v.String())
		}
	}
	records, _ := rules(t)
	for _, r := range records {
		if r.Record != "tlslift:client_failing" {
			continue
		}
		if want := `tlslift:client_verdict{verdict!~"` + strings.Join(never, "|") + `"}`; !strings.Contains(r.Expr, want) {
			t.Errorf("the rule lacks %s", want)
		}
	}
}
