package ledger

import (
	"cmp"
	"slices"
)

// CompareUrgency orders clients, the most urgent first: those that were declared
// migrated and are insecure again, then by state as in States, with those that
// cannot call at least before those that are silent; of those that stand alike, the busiest; then by name.
func CompareUrgency(a, b *Row) int {
	return cmp.Or(a.urgency()-b.urgency(), cmp.Compare(b.callsPerDay(), a.callsPerDay()), cmp.Compare(a.Client, b.Client))
}

func (r *Row) urgency() int {
	if r.Regressed {
		return -1
	}
	urgency := 2 * slices.Index(States[:], r.State)
	if r.Failing {
		urgency = min(urgency, 2*slices.Index(States[:], Silent)-1)
	}
	return urgency
}

// callsPerDay are the calls that were seen, as requests or, where these are
// encrypted end to end, as connections.
func (r *Row) callsPerDay() float64 { return max(r.RequestsPerDay, r.ConnectionsPerDay) }
