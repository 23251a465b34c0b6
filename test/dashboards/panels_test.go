package dashboards

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/test/dashboards/boards"
	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
)

// figure is what a panel's query has to answer.
type figure struct {
	panel, ref string
	reduce     func([]prom.Sample) float64
	want       map[string]float64 // by the values of the labels, in the order of their names
	relative   float64            // tolerance, as a share of what is wanted
	absolute   float64            // tolerance
}

// panels: every query of every panel has an answer, and it is the right one.
func panels(t *testing.T, s *prom.Server, w *thirty.World) {
	for name, figures := range map[string][]figure{"migration.json": migrationFigures(w), "service.json": serviceFigures(w)} {
		b, err := boards.Load(boardsDir + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				series, err := b.Ask(t.Context(), s, p, q, thirty.Now)
				if err != nil {
					t.Errorf("%s, %s: %v", b.Title, p.Title, err)
				}
				checked := false
				for _, f := range figures {
					if f.panel == p.Title && f.ref == q.RefID {
						checked = true
						f.check(t, b.Title, series)
					}
				}
				if !checked {
					t.Errorf("%s, %s, %s: no figure is expected of this query", b.Title, p.Title, q.RefID)
				}
			}
		}
		for _, f := range figures {
			if !slices.ContainsFunc(b.Panels, func(p boards.Panel) bool { return p.Title == f.panel }) {
				t.Errorf("%s: there is no panel %s", b.Title, f.panel)
			}
		}
	}
}

func (f figure) check(t *testing.T, board string, series []prom.Series) {
	t.Helper()
	where := fmt.Sprintf("%s, %s, %s", board, f.panel, f.ref)
	left := maps.Clone(f.want)
	for _, s := range series {
		key := labels(s)
		want, ok := left[key]
		if !ok {
			t.Errorf("%s: an answer for %q that nobody expects", where, key)
			continue
		}
		delete(left, key)
		if got := f.reduce(s.Samples); math.IsNaN(got) || math.Abs(got-want) > f.absolute+f.relative*math.Abs(want)+1e-9 {
			t.Errorf("%s: %q is %v, want %v", where, key, got, want)
		}
	}
	for key, want := range left {
		t.Errorf("%s: no answer for %q, want %v", where, key, want)
	}
}

// labels are the values of a series' labels but for its name, in the order of
// the labels' names.
func labels(s prom.Series) string {
	var values []string
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		if name != "__name__" {
			values = append(values, s.Labels[name])
		}
	}
	return strings.Join(values, " ")
}

func last(s []prom.Sample) float64 { return s[len(s)-1].Value }

func sum(s []prom.Sample) float64 {
	n := 0.0
	for _, v := range s {
		n += v.Value
	}
	return n
}

func mean(s []prom.Sample) float64 { return sum(s) / float64(len(s)) }

// at is the sample of a time, NaN when there is none.
func at(when time.Time) func([]prom.Sample) float64 {
	return func(s []prom.Sample) float64 {
		for _, v := range s {
			if v.At == when.UnixMilli() {
				return v.Value
			}
		}
		return math.NaN()
	}
}

// still is the last sample when that is of now, and 0 for a series that ended.
func still(s []prom.Sample) float64 {
	if s[len(s)-1].At != thirty.Now.UnixMilli() {
		return 0
	}
	return last(s)
}

// number is how many samples there are.
func number(s []prom.Sample) float64 { return float64(len(s)) }

func one(v float64) map[string]float64 { return map[string]float64{"": v} }
