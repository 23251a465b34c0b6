package ledger

import (
	"math"
	"time"
)

// BurnDownDays is the maximum number of days in a burn-down, including today.
const BurnDownDays = 90

// DayStates counts the clients in each state at the end of a day (UTC) or, for
// today, now. It leaves out clients that had made no call.
type DayStates struct {
	Date     string `json:"date"` // 2006-01-02
	Insecure int    `json:"insecure"`
	Mixed    int    `json:"mixed"`
	Silent   int    `json:"silent"`
	Migrated int    `json:"migrated"`
}

// insecure returns the number of clients with insecure calls, whether some or all.
func (d *DayStates) insecure() int { return d.Insecure + d.Mixed }

// active returns the number of clients that called within migrated_after
// or are migrated.
func (d *DayStates) active() int { return d.insecure() + d.Migrated }

func (d *DayStates) count(s State) {
	switch s {
	case Insecure:
		d.Insecure++
	case Mixed:
		d.Mixed++
	case Silent:
		d.Silent++
	case Migrated:
		d.Migrated++
	case Unseen, NoCalls:
	}
}

// closes holds how the clients stood at the end of each day before today. The
// burn-down, the forecast and the figures of a week ago are computed from it.
type closes struct {
	today         int32
	migratedAfter time.Duration
	days          [BurnDownDays - 1]DayStates // yesterday is the last
	first         int64                       // when the first client was first seen; 0 = none yet
}

// add counts a client in the states that follow from its daily history.
func (c *closes) add(r *row, declared time.Time) {
	if r.first == 0 {
		return
	}
	if c.first == 0 || r.first < c.first {
		c.first = r.first
	}
	s := Times{FirstSeen: at(r.first), Declared: declared}
	var insecure, secure int64
	i := 0
	for n := range c.days {
		day := c.today - int32(len(c.days)-n)
		for ; i < len(r.days) && r.days[i].number <= day; i++ {
			d := &r.days[i]
			end := int64(d.number+1)*86400 - 1
			if d.insecure() {
				insecure = end
			}
			if d.secure() {
				secure = end
			}
		}
		end := int64(day+1) * 86400
		if insecure == 0 && secure == 0 && min(r.lastInsecure, r.lastSecure) >= end {
			continue // it had made no call yet
		}
		s.LastInsecure, s.LastSecure = at(lastBefore(end, r.lastInsecure, insecure)), at(lastBefore(end, r.lastSecure, secure))
		c.days[n].count(s.StateAt(time.Unix(end, 0), c.migratedAfter))
	}
}

// lastBefore returns when a client last called in one way before the end of a
// day. The time is exact if the client has not called that way since; otherwise
// it comes from the history.
func lastBefore(end, exactly, history int64) int64 {
	if exactly < end {
		return exactly
	}
	return history
}

// weekAgo returns how the clients stood at the end of the day a week before
// today, or nil if no client had been seen by then.
func (c *closes) weekAgo() *DayStates {
	const week = 7
	if c.first == 0 || c.today-dayOf(c.first) < week {
		return nil
	}
	return &c.days[len(c.days)-week]
}

// burnDown returns the history from the day the first client was seen, followed
// by today, whose counts are in now.
func (c *closes) burnDown(now map[string]int) []DayStates {
	if c.first == 0 {
		return nil
	}
	n := min(len(c.days), max(0, int(c.today-dayOf(c.first))))
	out := make([]DayStates, 0, n+1)
	for i, d := range c.days[len(c.days)-n:] {
		d.Date = dateOf(c.today - int32(n-i))
		out = append(out, d)
	}
	return append(out, DayStates{
		Date: dateOf(c.today), Insecure: now[Insecure.String()], Mixed: now[Mixed.String()],
		Silent: now[Silent.String()], Migrated: now[Migrated.String()],
	})
}

// slope returns the slope of the least-squares line through the number of
// insecure clients, in clients per second, or NaN if there are too few days.
func (c *closes) slope() float64 {
	n := min(forecastDays, int(c.today-dayOf(c.first)))
	if c.first == 0 || n < minCloses {
		return math.NaN()
	}
	var sx, sy, sxx, sxy float64
	for i, d := range c.days[len(c.days)-n:] {
		x, y := float64(i), float64(d.insecure())
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	k := float64(n)
	return (k*sxy - sx*sy) / (k*sxx - sx*sx) / 86400
}
