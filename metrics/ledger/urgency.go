package ledger

import (
	"cmp"
	"slices"
)

// CompareUrgency orders clients, the most urgent first: those that cannot call,
// then those that were declared migrated and are insecure again, then the rest.
// In each of these groups, it orders them by state as in States, then the busiest
// first, then by name.
func CompareUrgency(a, b *Row) int {
	return cmp.Or(a.urgency()-b.urgency(), slices.Index(States[:], a.State)-slices.Index(States[:], b.State), cmp.Compare(b.callsPerDay(), a.callsPerDay()), cmp.Compare(a.Client, b.Client))
}

func (r *Row) urgency() int {
	switch {
	case r.Failing:
		return 0
	case r.Regressed:
		return 1
	default:
		return 2
	}
}

// callsPerDay returns the calls seen, as requests or, where these are encrypted
// end to end, as connections.
func (r *Row) callsPerDay() float64 { return max(r.RequestsPerDay, r.ConnectionsPerDay) }
