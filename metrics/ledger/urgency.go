package ledger

import "slices"

// Urgency orders clients, the least first: those that were declared migrated
// and are insecure again, then by state as in States.
func (r *Row) Urgency() int {
	if r.Regressed {
		return -1
	}
	return slices.Index(States[:], r.State)
}
