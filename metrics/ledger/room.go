package ledger

import (
	"strings"

	"tlslift/proxy/call"
)

// find returns the client's row, or makes one. It is the overflow row if there
// is no room for the client. ours says that something was for one of our
// upstreams. The caller holds the lock.
func (l *Ledger) find(name string, ours bool, now int64) *row {
	r := l.rows[name]
	switch {
	case r != nil && (r.known() || !ours):
		return r
	case name == "" || name == call.LabelOverflow:
		return &l.overflow
	case !ours:
		if !l.labelFree(false, now) {
			return &l.overflow
		}
		r = l.newRow(name)
		l.giveLabel(r, now)
		return r
	case !l.makeRoom(now):
		l.overflowed++
		if r != nil { // a visitor
			l.endLabel(r)
		}
		return &l.overflow
	case r == nil:
		r = l.newRow(name)
	}
	l.tracked++
	return r
}

func (l *Ledger) newRow(name string) *row {
	r := &row{name: strings.Clone(name)}
	l.rows[r.name] = r
	return r
}

// queue puts a row at the end of those that give way to newer clients, or takes
// it out: only a discovered client that was never insecure gives way.
func (l *Ledger) queue(r *row) {
	switch gives := !r.configured && r.first != 0 && r.lastInsecure == 0 && r != &l.overflow; {
	case gives && r.place == nil:
		r.place = l.evictable.PushBack(r)
	case gives:
		l.evictable.MoveToBack(r.place)
	case r.place != nil:
		l.evictable.Remove(r.place)
		r.place = nil
	}
}

// makeRoom evicts the rows that are one too many. If none may be evicted, it
// looks once a day for discovered clients of which not even a day's history is
// left.
func (l *Ledger) makeRoom(now int64) bool {
	for l.tracked >= l.policy.Track && l.evictable.Len() > 0 {
		l.evict(l.evictable.Front().Value.(*row))
	}
	if today := dayOf(now); l.tracked >= l.policy.Track && l.pruned != today {
		l.pruned = today
		for _, r := range l.rows {
			if !r.configured && r.first != 0 && r.last < now-historyDays*86400 {
				l.evict(r)
			}
		}
	}
	return l.tracked < l.policy.Track
}

// evict drops the row of a discovered client. What its series showed goes to the
// overflow row: the client is one of those without a row from now on.
func (l *Ledger) evict(r *row) {
	if r.series != nil {
		for _, t := range r.series.tallies {
			*l.overflow.series.at(t.key) += t.n
		}
		l.endLabel(r)
	}
	if r.place != nil {
		l.evictable.Remove(r.place)
	}
	delete(l.rows, r.name)
	l.tracked--
}
