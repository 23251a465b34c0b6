package ledger

import (
	"strings"
	"time"

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
	return r
}

// tracked is how many discovered clients have a row.
func (l *Ledger) tracked() (n int) {
	for i := range l.queues {
		n += l.queues[i].Len()
	}
	return n
}

func (l *Ledger) newRow(name string) *row {
	r := &row{name: strings.Clone(name)}
	l.rows[r.name] = r
	return r
}

// class says how soon a discovered client gives way to a newer one.
type class uint8

const (
	uncalled class = iota // it never made a call, and goes first
	secure                // it was never insecure
	onceInsecure
	numClasses
)

func (r *row) classOf() class {
	switch {
	case r.lastInsecure != 0:
		return onceInsecure
	case r.lastSecure != 0:
		return secure
	default:
		return uncalled
	}
}

// queue puts a discovered client's row at the end of those of its class.
func (l *Ledger) queue(r *row) {
	class := r.classOf()
	if r.place != nil && class == r.class && !r.configured {
		l.queues[class].MoveToBack(r.place)
		return
	}
	l.unqueue(r)
	if !r.configured && r.first != 0 && r != &l.overflow {
		r.class, r.place = class, l.queues[class].PushBack(r)
	}
}

func (l *Ledger) unqueue(r *row) {
	if r.place != nil {
		l.queues[r.class].Remove(r.place)
		r.place = nil
	}
}

// makeRoom evicts the rows that are one too many: those that never made a call,
// then those that have been silent for long, then those that were never
// insecure, the longest unseen first. A client that was insecure of late stays.
func (l *Ledger) makeRoom(now int64) bool { return l.shrink(l.policy.Track-1, now) }

// shrink evicts until there are no more than n rows of discovered clients. It reports
// whether it could.
func (l *Ledger) shrink(n int, now int64) bool {
	for l.tracked() > n {
		r := l.longestUnseen(now)
		if r == nil {
			return false
		}
		l.evict(r)
	}
	return true
}

// longestUnseen is the row that gives way next; nil if none does.
func (l *Ledger) longestUnseen(now int64) *row {
	front := func(c class) *row {
		if e := l.queues[c].Front(); e != nil {
			return e.Value.(*row)
		}
		return nil
	}
	if r := front(uncalled); r != nil {
		return r
	}
	// Twice the time after which a client counts as silent.
	long := now - 2*int64(l.policy.MigratedAfter/time.Second)
	a, b := front(secure), front(onceInsecure)
	if b != nil && b.last <= long && (a == nil || b.last <= a.last) {
		return b
	}
	return a
}

// rowName is the name of the row that a client goes to. An address that has
// invented more names than its share has one for the rest: its own. home is the
// address of an unchecked name.
func (l *Ledger) rowName(name string, id *call.Identity) (to, home string) {
	if id.Configured || id.Unnamed == "" || id.Source != call.SourceProxyUser && id.Source != call.SourceAccount {
		return name, ""
	}
	home = cleanName(id.Unnamed)
	if r := l.rows[name]; (r == nil || !r.known()) && l.unchecked[home] >= max(1, l.policy.Track/nameShare) {
		return home, ""
	}
	return name, home
}

// nameShare is the part of the ledger that the names of one address may fill.
const nameShare = 10

// count keeps account of a row that came or goes.
func (l *Ledger) count(r *row, n int) {
	if r.address == "" || r.configured {
		return
	}
	if l.unchecked[r.address] += n; l.unchecked[r.address] <= 0 {
		delete(l.unchecked, r.address)
	}
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
	l.unqueue(r)
	l.count(r, -1)
	delete(l.rows, r.name)
}
