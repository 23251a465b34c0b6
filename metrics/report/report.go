// Package report makes the migration report: who still needs tlslift, why, and
// what to change. It reads one instance's admin address, a ledger's file, or
// any Prometheus-compatible API for a whole fleet, and writes a table, Markdown,
// CSV, JSON, or one HTML file to mail.
package report

import (
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

	instance string // that it was read from, by the word that it has for itself; "" = not known
	fleet    bool   // it was read from Prometheus: what no metric says is not known
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

// ParseSelection reads a list such as "insecure,mixed,regressed".
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

// Count is the number of selected clients.
func (r *Report) Count(s ledger.Selection) int {
	n := 0
	for i := range r.Clients {
		if s.Selects(&r.Clients[i]) {
			n++
		}
	}
	return n
}
