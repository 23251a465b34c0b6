package ledger

import (
	"strings"
	"time"

	"tlslift/proxy/call"
)

// find returns the client's row, and creates it if needed. If there is no room
// for the client, it returns the overflow row. ours reports whether the traffic
// was for one of our upstreams. The caller holds the lock.
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
	case !l.shrink(l.policy.Track-1, now):
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

// tracked returns the number of discovered clients that have a row.
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

// class determines how soon a discovered client is evicted for a newer one.
type class uint8

const (
	uncalled class = iota // never made a call; evicted first
	secure                // was never insecure
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

// queue moves a discovered client's row to the back of its class's queue. A
// configured client's row is in no queue.
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

// shrink evicts rows until at most n rows of discovered clients are left: first those
// that never made a call, then those that have long been silent, then those that were
// never insecure. In each group the longest unseen goes first. A client that was
// insecure recently stays. shrink reports whether it could.
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

// longestUnseen returns the row to evict next, or nil if none can be evicted.
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

// rowName returns the name of the row that a client belongs to and, if the name
// is unchecked, its address as home. If an address has invented more names than
// its share, the rest go to a row named after the address.
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

// nameShare limits the names from one address to 1/nameShare of the ledger.
const nameShare = 10

// count adds n to the number of unchecked names from r's address.
func (l *Ledger) count(r *row, n int) {
	if r.address == "" || r.configured {
		return
	}
	if l.unchecked[r.address] += n; l.unchecked[r.address] <= 0 {
		delete(l.unchecked, r.address)
	}
}

// evict drops the row of a discovered client. The counts of its series move to
// the overflow row, because the client no longer has a row.
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
