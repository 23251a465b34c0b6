package grafana_test

import (
	"encoding/json"
	"os"
	"testing"

	"tlslift/docs/fixes"
	"tlslift/metrics/ledger"
)

// TestDashboardsGiveTheAdvice of the one table that has it: the generator, a
// module of its own, has a copy.
func TestDashboardsGiveTheAdvice(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("dashboards/migration.json")
	if err != nil {
		t.Fatal(err)
	}
	type option struct{ Text string }
	var board struct {
		Panels []struct {
			Title       string
			FieldConfig struct {
				Overrides []struct {
					Matcher    struct{ Options string }
					Properties []struct {
						ID    string
						Value json.RawMessage
					}
				}
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]option)
	for _, p := range board.Panels {
		for _, o := range p.FieldConfig.Overrides {
			for _, property := range o.Properties {
				if p.Title != "Clients" || o.Matcher.Options != "what to change" || property.ID != "mappings" {
					continue
				}
				var mappings []struct{ Options map[string]option }
				if err := json.Unmarshal(property.Value, &mappings); err != nil {
					t.Fatal(err)
				}
				got = mappings[0].Options
			}
		}
	}
	for _, v := range ledger.Verdicts {
		want := fixes.For(fixes.Client{Obstacle: v.Obstacle()}).Sentence
		if got[v.String()].Text != want {
			t.Errorf("%s: %q, want %q", v, got[v.String()].Text, want)
		}
		silent := fixes.For(fixes.Client{Obstacle: v.Obstacle(), Silent: true}).Sentence
		if silent == want {
			silent = "" // the client always says so itself
		}
		if suspected := got[v.String()+" suspected"].Text; suspected != silent {
			t.Errorf("%s, suspected: %q, want %q", v, suspected, silent)
		}
	}
}
