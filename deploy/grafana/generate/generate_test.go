package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
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
		if len(d.Templating.List) != 1 || d.Templating.List[0].Name != "datasource" {
			t.Errorf("%s: variables %+v", name, d.Templating.List)
		}
	}
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
	record := regexp.MustCompile(`\btlslift:[a-z0-9_]+(:[a-z0-9_]+)?\b`)
	for name, d := range load(t) {
		for _, p := range d.Panels {
			for _, target := range p.Panel.Targets {
				expr := target.(*prometheus.Dataquery).Expr
				for _, m := range metric.FindAllString(expr, -1) {
					if m = strings.TrimSuffix(m, "_bucket"); !strings.Contains(string(reference), "`"+m+"`") {
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
