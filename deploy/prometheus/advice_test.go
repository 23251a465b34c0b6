package prometheus_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"tlslift/docs/fixes"
	"tlslift/metrics/ledger"
)

// advised are the alerts about a client that say what to change in it.
var advised = []string{"InsecureClientAppeared", "ClientRegressed", "ClientInsecureNearTarget", "ClientFailing"}

// advice is the annotation of an alert that looks a client's verdict up and gives
// the sentence that docs/fixes has for it.
func advice(alert string) string {
	var b strings.Builder
	b.WriteString(`{{ range printf "tlslift:client_verdict{client=%q}" $labels.client | query }}{{ with .Labels.verdict }}`)
	for i, v := range ledger.Verdicts {
		if i > 0 {
			b.WriteString("{{ else ")
		} else {
			b.WriteString("{{ ")
		}
		c := fixes.Client{Obstacle: v.Obstacle()}
		if v == ledger.Capable && alert == "ClientFailing" {
			c.Obstacle = fixes.FellBack
		}
		fix := fixes.For(c).Sentence
		c.Silent = true
		if silent := fixes.For(c).Sentence; silent != fix {
			fix = `{{ if printf "tlslift:client_suspected{client=%q}" $labels.client | query }}` + silent + `{{ else }}` + fix + `{{ end }}`
		}
		b.WriteString(`if eq . "` + v.String() + `" }}` + fix)
	}
	b.WriteString("{{ end }}{{ end }}{{ end }}")
	return b.String()
}

// TestAlertsGiveTheAdvice of the one table that has it. TLSLIFT_UPDATE=1 writes
// it into alerts.yml and its copy.
func TestAlertsGiveTheAdvice(t *testing.T) {
	t.Parallel()
	want := func(alert string) string {
		return "          fix: '" + strings.ReplaceAll(advice(alert), "'", "''") + "'\n"
	}
	for _, file := range []string{"alerts.yml", "../helm/tlslift/files/alerts.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		alert, given := "", 0
		for line := range strings.Lines(string(text)) {
			if _, name, is := strings.Cut(line, "- alert: "); is {
				alert = strings.TrimSpace(name)
			}
			isFix := strings.HasPrefix(line, "          fix: ")
			if isFix && line == want(alert) {
				given++
			}
			if isFix {
				continue
			}
			if strings.HasPrefix(line, "          runbook_url: ") && slices.Contains(advised, alert) {
				out.WriteString(want(alert))
			}
			out.WriteString(line)
		}
		switch {
		case given == len(advised):
		case os.Getenv("TLSLIFT_UPDATE") == "":
			t.Errorf("%s: %d of %d alerts give the advice of docs/fixes; TLSLIFT_UPDATE=1 writes it", file, given, len(advised))
		default:
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}
