package ledger

import (
	"cmp"
	"maps"
	"slices"

	"tlslift/proxy/call"
)

// adopt adds a snapshot that was read from the file to the ledger. If the file
// could not be read at startup, the ledger already holds what was recorded since.
// No call is in both. New rows belong to discovered clients, and none has a label
// before it has traffic.
func (l *Ledger) adopt(s *snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overflowed += s.overflowed
	for _, stored := range s.rows {
		if stored.name == call.LabelOverflow {
			l.overflow.add(stored)
			continue
		}
		r := l.rows[stored.name]
		if r == nil {
			r = &row{name: stored.name}
			l.rows[r.name] = r
		}
		l.count(r, -1)
		r.add(stored)
		l.count(r, 1)
	}
	for _, r := range slices.SortedFunc(maps.Values(l.rows), func(a, b *row) int { return cmp.Compare(a.last, b.last) }) {
		l.queue(r)
	}
}

// add merges what was recorded earlier of the same client into r.
func (r *row) add(before *row) {
	first := cmp.Or(before.first, r.first) // 0 if all its calls were refused
	if r.first != 0 {
		first = min(r.first, first)
	}
	r.source, r.address = cmp.Or(r.source, before.source), cmp.Or(before.address, r.address)
	newest := r.times()
	for i, t := range before.times() {
		*newest[i] = max(*newest[i], *t)
	}
	r.first = first
	for i, t := range before.settings {
		r.settings[i] = max(r.settings[i], t)
	}
	r.evidence.Merge(before.evidence)
	r.offered, r.family = max(r.offered, before.offered), cmp.Or(r.family, before.family)
	r.library, r.old, r.framed = cmp.Or(r.library, before.library), cmp.Or(r.old, before.old), cmp.Or(r.framed, before.framed)
	r.ja4 = cmp.Or(r.ja4, before.ja4)
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
	for _, d := range before.days {
		c := r.day(d.number)
		add(&c.InsecureRequests, d.InsecureRequests)
		add(&c.SecureRequests, d.SecureRequests)
		add(&c.InsecureConnections, d.InsecureConnections)
		add(&c.SecureConnections, d.SecureConnections)
	}
}

// addMark adds an earlier mark. If there are too many, the one unseen for longest
// is dropped.
func (r *row) addMark(before mark) {
	m, oldest := r.findMark(before.kind, before.text), r.oldestMark(before.kind)
	switch {
	case m != nil:
		m.count, m.last, m.back = m.count+before.count, max(m.last, before.last), max(m.back, before.back)
	case oldest == nil:
		r.marks = append(r.marks, before)
	case oldest.last < before.last:
		*oldest = before
	}
}
