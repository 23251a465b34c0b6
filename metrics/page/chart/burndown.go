package chart

import (
	"math"

	"tlslift/metrics/ledger"
)

// fewestDays is the minimum number of days in a burn-down. With fewer, a bar
// would be too wide.
const fewestDays = 28

// BurnDown charts how the clients of a summary stood on each day, and the way to
// its target. It returns nil without a history.
func BurnDown(s *ledger.Summary) *Chart {
	if len(s.BurnDown) == 0 {
		return nil
	}
	c := &Chart{
		ID: "burndown", Title: "Clients by state at the end of each day", Unit: "clients",
		Parts: []string{"insecure", "mixed", "silent", "migrated"},
		Last:  s.Generated, Days: max(fewestDays, len(s.BurnDown)),
	}
	for _, d := range s.BurnDown {
		c.Points = append(c.Points, Point{d.Date, []uint64{uint64(d.Insecure), uint64(d.Mixed), uint64(d.Silent), uint64(d.Migrated)}})
	}
	if f := s.Forecast; !f.Target.IsZero() && s.Insecure > 0 {
		c.Ahead = &Ahead{From: float64(s.Insecure), Target: f.Target, PerDay: math.NaN()}
		if f.PerWeek != nil {
			c.Ahead.PerDay = *f.PerWeek / 7
		}
	}
	return c
}
