package report

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"tlslift/metrics/ledger"
)

// The CSV has what the table has in brackets. Columns come at the end.
func TestCSVHasTheMarks(t *testing.T) {
	t.Parallel()
	r := newReport("test", now, 14*dayLong, []ledger.Row{
		{Client: "a", State: ledger.NoCalls, Failing: true, LastFailed: now},
		{Client: "b", State: ledger.Unseen, Misdeclared: true},
		{Client: "c", State: ledger.Migrated, MigratedBy: "declaration", SeveralPrograms: true},
	})
	var b bytes.Buffer
	if err := r.Write(&b, "csv", false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	slices.Sort(lines[1:])
	for i, want := range []string{"falls_back_to_clear,failing,misdeclared,several_programs,migrated_by,last_failed", "false,true,false,false,,2026-11-23T12:00:00Z", "false,false,true,false,,", "false,false,false,true,declaration,"} {
		if !strings.HasSuffix(lines[i], want) {
			t.Errorf("%q does not end with %q", lines[i], want)
		}
	}
}

// What Prometheus does not know is no answer. Instances know it, several too.
func TestCSVSaysNothingThatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := pretend(t, nil, [2]string{"count by (client)", sample(`"client":"erp"`, 1)})
	fleet, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	one := newReport("a", now, 14*dayLong, []ledger.Row{{Client: "erp"}})
	several, err := merge([]*Report{one, one}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]*Report{"": fleet, "false": several} {
		var b bytes.Buffer
		if err := r.Write(&b, "csv", false); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(lines) != 2 {
			t.Fatalf("%q, %v", lines, err)
		}
		for i, column := range lines[0] {
			if got := lines[1][i]; (column == "falls_back_to_clear" || column == "several_programs") && got != want {
				t.Errorf("%s: %s is %q, want %q", r.Source, column, got, want)
			}
		}
	}
}
