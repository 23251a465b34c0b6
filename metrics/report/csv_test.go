package report

import (
	"bytes"
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
