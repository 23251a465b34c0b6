// Package report makes the migration report: who still needs tlslift, why, and
// what to change. It reads one instance's admin address, a ledger's file, or
// any Prometheus-compatible API for a whole fleet, and writes a table, Markdown,
// CSV, JSON, or one HTML file to mail.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"tlslift/metrics/ledger"
)

// Report is what is known of all clients at one time. Its JSON form is stable:
// fields may be added, never renamed.
type Report struct {
	Source  string         `json:"source"` // where it was read, without credentials
	Summary ledger.Summary `json:"summary"`
	Clients []ledger.Row   `json:"clients"`
}

// newReport makes a report of rows as of now.
func newReport(source string, now time.Time, migratedAfter time.Duration, rows []ledger.Row) *Report {
	r := &Report{Source: source, Summary: ledger.NewSummary(now, migratedAfter), Clients: rows}
	if r.Clients == nil {
		r.Clients = []ledger.Row{}
	}
	for i := range rows {
		r.Summary.Add(&rows[i])
	}
	slices.SortStableFunc(rows, byUrgency)
	return r
}

// byUrgency orders rows: relapses, then by state, then by name.
func byUrgency(a, b ledger.Row) int {
	return cmp.Or(urgency(&a)-urgency(&b), cmp.Compare(a.Client, b.Client))
}

func urgency(r *ledger.Row) int {
	if r.Regressed {
		return -1
	}
	return slices.Index(ledger.States[:], r.State)
}

// Selection is a set of states, and of relapses, which are no state of their
// own.
type Selection struct {
	states    map[ledger.State]bool
	regressed bool
}

// ParseSelection reads a list such as "insecure,mixed,regressed".
func ParseSelection(words []string) (Selection, error) {
	s := Selection{states: make(map[ledger.State]bool)}
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == "regressed" {
			s.regressed = true
			continue
		}
		state, err := ledger.ParseState(word)
		if err != nil {
			return s, fmt.Errorf("%w, and regressed", err)
		}
		s.states[state] = true
	}
	return s, nil
}

// Has reports whether a client belongs to the selection.
func (s Selection) Has(r *ledger.Row) bool {
	return s.states[r.State] || s.regressed && r.Regressed
}

// Empty reports whether nothing is selected.
func (s Selection) Empty() bool { return len(s.states) == 0 && !s.regressed }

// Only keeps the selected clients; the summary still counts all. An empty
// selection keeps everything.
func (r *Report) Only(s Selection) {
	if s.Empty() {
		return
	}
	r.Clients = slices.DeleteFunc(r.Clients, func(row ledger.Row) bool { return !s.Has(&row) })
}

// Count is the number of selected clients.
func (r *Report) Count(s Selection) int {
	n := 0
	for i := range r.Clients {
		if s.Has(&r.Clients[i]) {
			n++
		}
	}
	return n
}
