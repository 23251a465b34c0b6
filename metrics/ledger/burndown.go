package ledger

import (
	"math"
	"time"
)

// BurnDownDays is how many days a burn-down shows at most, today among them.
const BurnDownDays = 90

// DayStates is how many clients stood in each state at the end of a day (UTC),
// or, of today, stand in it now. Clients that had made no call are in none.
type DayStates struct {
	Date     string `json:"date"` // 2006-01-02
	Insecure int    `json:"insecure"`
	Mixed    int    `json:"mixed"`
	Silent   int    `json:"silent"`
	Migrated int    `json:"migrated"`
}

// insecure counts those that are insecure, some of their calls or all of them.
func (d *DayStates) insecure() int { return d.Insecure + d.Mixed }

// active counts those that made a call within migrated_after, or are migrated.
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

// closes are how the clients stood at the end of each day before today: what
// burn-down, forecast and the figures of a week ago are made from.
type closes struct {
	today         int32
	migratedAfter time.Duration
	days          [BurnDownDays - 1]DayStates // yesterday is the last
	first         int64                       // when the client that was seen first was; 0 = none was
}

// add counts a client as its daily history says that it stood.
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

// lastBefore is when a client last called in one way before the end of a day:
// exactly, if it has not called so since, else as its history has it.
func lastBefore(end, exactly, history int64) int64 {
	if exactly < end {
		return exactly
	}
	return history
}

// weekAgo is how they stood at the end of the day a week before today; nil if no
// client had been seen by then.
func (c *closes) weekAgo() *DayStates {
	const week = 7
	if c.first == 0 || c.today-dayOf(c.first) < week {
		return nil
	}
	return &c.days[len(c.days)-week]
}

// burnDown is the history from the day on which the first client was seen, and
// today, which the counts of now are of.
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

// slope is that of the line of least squares through the number of insecure
// clients, in clients per second; NaN while there are too few days.
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
