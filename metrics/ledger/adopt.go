package ledger

import (
	"cmp"
	"maps"
	"slices"
)

// adopt puts rows that were read from the file into the ledger. What it recorded
// before, because the file could not be read at the start, is added to them: no call
// is in both. New rows are those of discovered clients, and none has a label before
// there is traffic.
func (l *Ledger) adopt(rows []*row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stored := range rows {
		r := l.rows[stored.name]
		if r == nil {
			r = &row{name: stored.name}
			l.rows[r.name] = r
		}
		if r.first == 0 && !r.configured {
			l.tracked++
		} else {
			l.count(r, -1)
		}
		r.add(stored)
		l.count(r, 1)
	}
	for _, r := range slices.SortedFunc(maps.Values(l.rows), func(a, b *row) int { return cmp.Compare(a.last, b.last) }) {
		l.queue(r)
	}
}

// add adds what was recorded of the same client before r began.
func (r *row) add(before *row) {
	if r.first == 0 || before.first < r.first {
		r.first = before.first
	}
	r.source, r.address = cmp.Or(r.source, before.source), cmp.Or(before.address, r.address)
	for at, t := range map[*int64]int64{
		&r.last: before.last, &r.lastInsecure: before.lastInsecure, &r.lastSecure: before.lastSecure,
		&r.lastFailed: before.lastFailed, &r.lastServed: before.lastServed, &r.lastRefused: before.lastRefused,
		&r.lastLifted: before.lastLifted, &r.lastFallsBack: before.lastFallsBack,
	} {
		*at = max(*at, t)
	}
	for i, t := range before.settings {
		r.settings[i] = max(r.settings[i], t)
	}
	r.evidence.Merge(before.evidence)
	r.offered, r.family = max(r.offered, before.offered), cmp.Or(r.family, before.family)
	r.library, r.old, r.ja4 = cmp.Or(r.library, before.library), cmp.Or(r.old, before.old), cmp.Or(r.ja4, before.ja4)
	for _, m := range before.marks {
		r.addMark(m)
	}
	for _, t := range before.totals {
		*r.totals.at(t.key) += t.n
	}
	for over := range before.exposed {
		for kind, e := range before.exposed[over] {
			sum := &r.exposed[over][kind]
			sum.count, sum.last = sum.count+e.count, max(sum.last, e.last)
		}
	}
	r.addDays(before.days)
}

// addMark adds a mark of before; of too many, the one unseen for longest gives way.
func (r *row) addMark(before mark) {
	n, oldest := 0, -1
	for i := range r.marks {
		m := &r.marks[i]
		if m.kind != before.kind {
			continue
		}
		if m.text == before.text {
			m.count, m.last, m.back = m.count+before.count, max(m.last, before.last), max(m.back, before.back)
			return
		}
		if n++; oldest < 0 || m.last < r.marks[oldest].last {
			oldest = i
		}
	}
	switch {
	case n < maxMarks:
		r.marks = append(r.marks, before)
	case r.marks[oldest].last < before.last:
		r.marks[oldest] = before
	}
}

func (r *row) addDays(before []day) {
	for _, d := range before {
		i, found := slices.BinarySearchFunc(r.days, d.number, func(x day, n int32) int { return int(x.number - n) })
		if !found {
			r.days = slices.Insert(r.days, i, d)
			continue
		}
		c := &r.days[i].DayCounts
		for sum, n := range map[*uint32]uint32{
			&c.InsecureRequests: d.InsecureRequests, &c.SecureRequests: d.SecureRequests,
			&c.InsecureConnections: d.InsecureConnections, &c.SecureConnections: d.SecureConnections,
		} {
			*sum += min(n, 1<<32-1-*sum)
		}
	}
}
