package main

import (
	"bytes"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

const committed = "../dashboards"

// TestCommitted: what is committed is what this code makes, byte for byte.
func TestCommitted(t *testing.T) {
	files, err := render()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code makes: run go run . %s", name, committed)
		}
	}
	there, err := filepath.Glob(committed + "/*")
	if err != nil || len(there) != len(files) {
		t.Errorf("%s has %v, %v; the code makes %d files", committed, there, err, len(files))
	}
}

func load(t *testing.T) map[string]dashboard.Dashboard {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	boards := make(map[string]dashboard.Dashboard)
	for _, name := range []string{"migration.json", "service.json"} {
		text, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard.Dashboard
		if err := d.UnmarshalJSONStrict(text); err != nil {
			t.Fatalf("%s: Grafana's types do not know this: %v", name, err)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		boards[name] = d
	}
	return boards
}

// TestPanels: each panel has a title, a description and queries, and names its
// data source by the variable alone.
func TestPanels(t *testing.T) {
	for name, d := range load(t) {
		titles := make(map[string]bool)
		for _, p := range d.Panels {
			p := p.Panel
			if p == nil || p.Title == nil || p.Description == nil || len(p.Targets) == 0 || titles[*p.Title] {
				t.Fatalf("%s: a panel without title, description or queries, or with another's title: %+v", name, p)
			}
			titles[*p.Title] = true
			if p.Datasource == nil || *p.Datasource.Uid != "${datasource}" {
				t.Errorf("%s: %s: data source %+v", name, *p.Title, p.Datasource)
			}
			for _, target := range p.Targets {
				q, ok := target.(*prometheus.Dataquery)
				if !ok || q.Datasource == nil || *q.Datasource.Uid != "${datasource}" {
					t.Errorf("%s: %s: a query that is not the variable's: %+v", name, *p.Title, target)
				}
			}
		}
	}
}

// TestClientsThatAreDownAreFirst: the table is sorted, before its columns are chosen,
// by a query that knows which clients cannot call.
func TestClientsThatAreDownAreFirst(t *testing.T) {
	for _, p := range load(t)["migration.json"].Panels {
		p := p.Panel
		if *p.Title != "Clients" {
			continue
		}
		var steps []string
		for _, step := range p.Transformations {
			steps = append(steps, step.Id)
		}
		if want := []string{"merge", "sortBy", "organize"}; !slices.Equal(steps, want) {
			t.Fatalf("it is %q, want %q", steps, want)
		}
		sort, _ := p.Transformations[1].Options.(map[string]any)["sort"].([]any)
		by, _ := sort[0].(map[string]any)["field"].(string)
		for _, target := range p.Targets {
			if q, ok := target.(*prometheus.Dataquery); ok && "Value #"+*q.RefId == by && strings.Contains(q.Expr, "1e10 * tlslift:client_failing") {
				return
			}
		}
		t.Errorf("it is sorted by %q", by)
	}
}

// TestNothing: a panel without values says what that means, in no colour.
func TestNothing(t *testing.T) {
	for name, d := range load(t) {
		for _, p := range d.Panels {
			p := p.Panel
			config := p.FieldConfig.Defaults
			if config.NoValue == nil || *config.NoValue == "No data" || len(*config.NoValue) < len("no target") {
				t.Errorf("%s: %s: what does it mean that it is empty?", name, *p.Title)
			}
			if p.Type == "stat" && (config.Thresholds == nil || config.Thresholds.Steps[0].Color != text) {
				t.Errorf("%s: %s: a stat judges what has no value: %+v", name, *p.Title, config.Thresholds)
			}
		}
	}
}

// fleetWide are the panels of Migration that no variable narrows: shares and
// counts of some clients would be taken for those of all.
var fleetWide = []string{
	"Insecure clients", "Insecure connections", "Clients by state", "Target", "Collecting since", "Burn-down", "Clients by state over time",
}

// TestVariables: each query of any other panel heeds the dashboard's variable.
func TestVariables(t *testing.T) {
	for name, d := range load(t) {
		want := map[string]string{"migration.json": "client", "service.json": "instance"}[name]
		var names []string
		for _, v := range d.Templating.List {
			names = append(names, v.Name)
		}
		if !slices.Equal(names, []string{"datasource", want, "status_page"}) {
			t.Errorf("%s: variables %q", name, names)
		}
		for _, p := range d.Panels {
			for _, target := range p.Panel.Targets {
				q := target.(*prometheus.Dataquery)
				heeds, whole := strings.Contains(q.Expr, want+`=~"$`+want+`"`), slices.Contains(fleetWide, *p.Panel.Title)
				if heeds == whole {
					t.Errorf("%s: %s, %s: heeds $%s: %t", name, *p.Panel.Title, *q.RefId, want, heeds)
				}
			}
		}
	}
}

// TestLinks: wherever a client or a verdict stands in a table, it links to its
// page.
func TestLinks(t *testing.T) {
	for name, d := range load(t) {
		for _, p := range d.Panels {
			if p.Panel.Type != "table" || *p.Panel.Title == "Reloads" {
				continue
			}
			links := make(map[any]string)
			for _, o := range p.Panel.FieldConfig.Overrides {
				for _, property := range o.Properties {
					if property.Id == "links" {
						links[o.Matcher.Options] = property.Value.([]any)[0].(map[string]any)["url"].(string)
					}
				}
			}
			who := "client"
			if name == "service.json" {
				who = "workload"
			}
			if links[who] != "${status_page:raw}/clients/${__value.raw:percentencode}" {
				t.Errorf("%s: %s: a client links to %q", name, *p.Panel.Title, links[who])
			}
			if verdict, ok := links["verdict"]; ok && verdict != "${status_page:raw}/fixes/${__value.raw:percentencode}" {
				t.Errorf("%s: %s: a verdict links to %q", name, *p.Panel.Title, verdict)
			}
		}
	}
}

// TestColours: every word of docs/metrics.md has one, no failure has that of
// what is done, and neighbours among the versions are told apart in grey.
func TestColours(t *testing.T) {
	reference, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for row, c := range map[string]colours{
		"`reason` of `tlslift_client_handshake_failures_total`": failureColours,
		"`reason` of `tlslift_denied_total`":                    denialColours,
		"`kind` of `tlslift_client_credentials_exposed_total`":  secretColours,
		"`phase`": phaseColours,
	} {
		if got, want := sorted(c), documented(t, string(reference), row); !slices.Equal(got, want) {
			t.Errorf("%s: colours for %q, values %q", row, got, want)
		}
	}
	for _, c := range []colours{failureColours, denialColours, secretColours} {
		for word, colour := range c {
			if r, g, b := rgb(t, colour); g > r && g > b || colour == green {
				t.Errorf("%s is green", word)
			}
		}
	}
	for i, version := range versions[1:] {
		a, b := luminance(t, versionColours[versions[i]]), luminance(t, versionColours[version])
		if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 1.4 {
			t.Errorf("%s and %s differ by hue alone: contrast %.2f", versions[i], version, contrast)
		}
	}
}

// TestChanges: there is a sentence for every verdict.
func TestChanges(t *testing.T) {
	reference, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(changes)), documented(t, string(reference), "`verdict`"); !slices.Equal(got, want) {
		t.Errorf("sentences for %q, verdicts %q", got, want)
	}
}

// documented are the values of a label in docs/metrics.md, sorted.
func documented(t *testing.T, reference, row string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(reference, "\n| "+row+" | ")
	if !ok {
		t.Fatalf("docs/metrics.md has no row %s", row)
	}
	rest, _, _ = strings.Cut(rest, "\n")
	var values []string
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(rest, -1) {
		values = append(values, m[1])
	}
	slices.Sort(values)
	return values
}

func rgb(t *testing.T, colour string) (r, g, b float64) {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	return float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255
}

// luminance is relative luminance (WCAG 2.2).
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	r, g, b := rgb(t, colour)
	linear := func(v float64) float64 { return math.Pow((v+0.055)/1.055, 2.4) }
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// TestNames: queries speak only of metrics that docs/metrics.md lists and of
// rules of deploy/prometheus.
func TestNames(t *testing.T) {
	reference, err := os.ReadFile("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	metric := regexp.MustCompile(`\btlslift_[a-z0-9_]+\b`)
	histogram := regexp.MustCompile(`(_seconds)_(bucket|sum|count)$`)
	record := regexp.MustCompile(`\btlslift:[a-z0-9_]+(:[a-z0-9_]+)?\b`)
	for name, d := range load(t) {
		for _, p := range d.Panels {
			for _, target := range p.Panel.Targets {
				expr := target.(*prometheus.Dataquery).Expr
				for _, m := range metric.FindAllString(expr, -1) {
					if m = histogram.ReplaceAllString(m, "$1"); m != "tlslift_client_last_" && !strings.Contains(string(reference), "`"+m+"`") {
						t.Errorf("%s: %s: docs/metrics.md does not know %s", name, *p.Panel.Title, m)
					}
				}
				for _, r := range record.FindAllString(expr, -1) {
					if r != "tlslift:client_last_" && !strings.Contains(string(rules), "record: "+r+"\n") {
						t.Errorf("%s: %s: there is no rule %s", name, *p.Panel.Title, r)
					}
				}
			}
		}
	}
}
