package ledger

import "time"

// Notes returns what to know about a client besides its state, as of now.
func (v *Row) Notes(now time.Time) []string {
	var notes []string
	note := func(holds bool, text string) {
		if holds {
			notes = append(notes, text)
		}
	}
	declared := v.times().declaredAt(now)
	note(v.Regressed, SelectRegressed)
	note(v.Misdeclared, SelectMisdeclared)
	note(v.MigratedBy == "declaration" || declared && (v.Failing || v.State == NoCalls && !v.Misdeclared), "declared")
	note(v.Failing, SelectFailing)
	note(v.SeveralPrograms, "several programs")
	return notes
}
