// Package report makes the migration report: which clients still need tlslift,
// why, and what to change. It reads instances' admin addresses, ledger files, or
// any Prometheus-compatible API for a whole fleet. It writes a table, Markdown,
// CSV, JSON, or one HTML file to mail.
package report

import (
	"slices"
	"strings"
	"time"

	"tlslift/metrics/ledger"
)

// Report is what is known about all clients at one time. Its JSON form is stable:
// fields may be added, but are never renamed.
type Report struct {
	Source  string         `json:"source"` // where it was read from, without credentials
	Summary ledger.Summary `json:"summary"`
	Clients []ledger.Row   `json:"clients"`

	instance string // the instance's own random word; "" = unknown
	fleet    bool   // it was read from Prometheus, so what no metric has is unknown
}

// newReport makes a report of rows as of now.
func newReport(source string, now time.Time, migratedAfter time.Duration, rows []ledger.Row) *Report {
	r := &Report{Source: source, Summary: ledger.NewSummary(now, migratedAfter), Clients: append([]ledger.Row{}, rows...)}
	for i := range r.Clients {
		r.Summary.Add(&r.Clients[i])
	}
	slices.SortStableFunc(r.Clients, func(a, b ledger.Row) int { return ledger.CompareUrgency(&a, &b) })
	return r
}

// ParseSelection parses words such as "insecure", "mixed" and "regressed".
func ParseSelection(words []string) (ledger.Selection, error) {
	trimmed := make([]string, len(words))
	for i, word := range words {
		trimmed[i] = strings.TrimSpace(word)
	}
	return ledger.ParseSelection(trimmed...)
}

// Only keeps the selected clients; the summary still counts all. An empty
// selection keeps everything.
func (r *Report) Only(s ledger.Selection) {
	r.Clients = slices.DeleteFunc(r.Clients, func(c ledger.Row) bool { return !s.Selects(&c) })
}

// Count returns the number of selected clients.
func (r *Report) Count(s ledger.Selection) int {
	n := 0
	for i := range r.Clients {
		if s.Selects(&r.Clients[i]) {
			n++
		}
	}
	return n
}
