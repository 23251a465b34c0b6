package ledger

import (
	"container/heap"
)

// evictionQueue orders the clients whose place a newer one may take, longest
// unseen first. Its keys may be stale: a row is seen far more often than one is
// evicted, so a key is brought up to date only when its row comes to the front.
// A row's true time is never earlier than its key, so the order is exact.
type evictionQueue []queued

type queued struct {
	row  *row
	last int64
}

func (q evictionQueue) Len() int           { return len(q) }
func (q evictionQueue) Less(i, j int) bool { return q[i].last < q[j].last }
func (q evictionQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *evictionQueue) Push(x any) { *q = append(*q, x.(queued)) }

// Pop is for package heap.
func (q *evictionQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = queued{}
	*q = old[:len(old)-1]
	return last
}

// add queues a row; the caller holds the admission lock, and the row's own
// unless nobody else has it yet.
func (q *evictionQueue) add(r *row) {
	if r.queued || !r.evictable() {
		return
	}
	r.queued = true
	heap.Push(q, queued{row: r, last: r.last})
}

// removedRow is an evicted row that the store still has.
type removedRow struct {
	name string
	days []int32
}

// evict makes room for one row. It never removes a configured client or one
// that was ever insecure; it reports false when there are no others. The caller
// holds the admission lock and no shard's.
func (l *Ledger) evict() bool {
	for len(l.queue) > 0 {
		front := &l.queue[0]
		r := front.row
		s := l.shard(r.name)
		s.mu.Lock()
		switch {
		case r.gone || !r.evictable():
			r.queued = false
			s.mu.Unlock()
			heap.Pop(&l.queue)
		case r.last > front.last:
			front.last = r.last
			s.mu.Unlock()
			heap.Fix(&l.queue, 0)
		default:
			delete(s.rows, r.name)
			r.gone = true
			l.forget(r)
			s.mu.Unlock()
			heap.Pop(&l.queue)
			l.discovered--
			l.tracked.Add(-1)
			return true
		}
	}
	return false
}

// forget has the store drop a row.
func (l *Ledger) forget(r *row) {
	if !r.stored {
		return
	}
	gone := removedRow{name: r.name}
	for i := range r.days {
		gone.days = append(gone.days, r.days[i].number)
	}
	l.removed = append(l.removed, gone)
}

// makeRoom evicts a row, and when there is none to evict, once a day looks for
// discovered clients of which not even a day's history is left. The caller holds
// the admission lock and no shard's.
func (l *Ledger) makeRoom(now int64) bool {
	if l.evict() {
		return true
	}
	if today := dayOf(now); l.pruned != today {
		l.pruned = today
		l.prune(now - historyDays*86400)
	}
	return l.discovered < l.track
}

// prune drops the discovered clients that were last seen before a time.
func (l *Ledger) prune(before int64) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for name, r := range s.rows {
			if !r.configured && r.last < before {
				delete(s.rows, name)
				r.gone = true
				l.forget(r)
				l.discovered--
				l.tracked.Add(-1)
			}
		}
		s.mu.Unlock()
	}
}
