// Package budget bounds the memory that is held for callers, in sum: heads and
// bodies on their way, and answers.
//
// A call that has more to lose may take more of it. Unfinished requests may take
// memory until half of the budget is held. So may an answer beyond what its request
// owns. A request that is about to be sent may take memory until all is held. So
// callers that finish nothing cannot keep others from sending, and a request that is
// sent has room for its answer.
//
// No call waits for memory that it holds itself: an unfinished request waits only
// while it holds none, and what a request owns is enough for it to end. So every
// wait ends.
package budget

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// PerSend is how many bytes a request owns from before its first byte goes
// upstream: 64 KiB for its answer, and as much again for the buffers and
// connections that carry it.
const PerSend = 128 << 10

// Budget is how much may be held. It is safe for concurrent use. Make one with
// New.
type Budget struct {
	limit atomic.Int64
	held  atomic.Int64
	peak  atomic.Int64 // the most that was held since Peak
	ended context.Context

	waiting [2]atomic.Int32 // the lengths of queues; changed under mu
	mu      sync.Mutex
	queues  [2][]*waiter // first come, first served
}

// class is what may wait for memory.
type class uint8

const (
	unfinished class = iota
	send
)

// waiter waits for n bytes.
type waiter struct {
	n   int64
	got chan struct{} // closed when they are its
}

// New makes a Budget of limit bytes. No call waits for memory once ctx has ended.
func New(ctx context.Context, limit int64) *Budget {
	b := &Budget{ended: ctx}
	b.limit.Store(limit)
	return b
}

// SetLimit changes the limit, in bytes. What is held stays held.
func (b *Budget) SetLimit(limit int64) {
	b.limit.Store(limit)
	b.serve()
}

// Limit is how many bytes may be held.
func (b *Budget) Limit() int64 { return b.limit.Load() }

// Held is how many bytes are held now.
func (b *Budget) Held() int64 { return b.held.Load() }

// Peak is the most bytes that were held since the last call.
func (b *Budget) Peak() int64 {
	held := b.Held()
	return max(b.peak.Swap(held), held)
}

// most is how much may be held in all when more is taken.
func (b *Budget) most(c class) int64 {
	limit := b.limit.Load()
	if c == unfinished {
		return limit / 2
	}
	return limit
}

// take takes n bytes if no more than most are held then.
func (b *Budget) take(n, most int64) bool {
	for {
		held := b.held.Load()
		if held+n > most {
			return false
		}
		if b.held.CompareAndSwap(held, held+n) {
			b.note(held + n)
			return true
		}
	}
}

// note keeps the most that was held.
func (b *Budget) note(held int64) {
	for peak := b.peak.Load(); held > peak; peak = b.peak.Load() {
		if b.peak.CompareAndSwap(peak, held) {
			return
		}
	}
}

// give takes n bytes back, for those who wait if there are any.
func (b *Budget) give(n int64) {
	b.held.Add(-n)
	if b.waiting[send].Load() > 0 || b.waiting[unfinished].Load() > 0 {
		b.serve()
	}
}

// serve gives those who wait what is free.
func (b *Budget) serve() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range [...]class{send, unfinished} {
		for len(b.queues[c]) > 0 && b.take(b.queues[c][0].n, b.most(c)) {
			close(b.queues[c][0].got)
			b.leave(c, 0)
		}
	}
}

// leave takes the i-th out of a queue.
func (b *Budget) leave(c class, i int) {
	b.queues[c] = slices.Delete(b.queues[c], i, i+1)
	b.waiting[c].Add(-1)
}

// wait waits in a queue for n bytes.
func (b *Budget) wait(c class, n int64, timeout time.Duration) bool {
	w := &waiter{n: n, got: make(chan struct{})}
	b.mu.Lock()
	b.queues[c] = append(b.queues[c], w)
	b.waiting[c].Add(1)
	b.mu.Unlock()
	b.serve() // what was given back before w was seen to wait

	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-w.got:
		return true
	case <-timer.C:
	case <-b.ended.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.queues[c], w)
	if i < 0 {
		return true // served meanwhile
	}
	b.leave(c, i)
	return false
}

// Share is what one call holds of a Budget. Release at the call's end gives all
// of it back. The zero Share is of no budget: it always gets what it asks for.
// It is not safe for concurrent use, except that Tight may be called beside the
// others once Reserve has succeeded.
type Share struct {
	of       *Budget
	held     int64
	reserved bool // Reserve has succeeded
}

// Share returns an empty share. A nil Budget has no limit.
func (b *Budget) Share() Share { return Share{of: b} }

// get takes n bytes, and waits for them if others wait or they are not free.
func (s *Share) get(c class, n int64, timeout time.Duration) bool {
	if b := s.of; b != nil {
		free := b.waiting[c].Load() == 0 && b.take(n, b.most(c))
		if !free && (timeout <= 0 || n > b.most(c) || !b.wait(c, n, timeout)) {
			return false
		}
	}
	s.held += n
	return true
}

// Gather takes n bytes for a head or a body that has not come whole. It waits
// for them, but not while the share holds something. It reports whether it got
// them.
func (s *Share) Gather(n int64, timeout time.Duration) bool {
	if s.held > 0 {
		timeout = 0
	}
	return s.get(unfinished, n, timeout)
}

// Tight reports whether half of what unfinished requests may take is held, and
// this is one that holds some: it must hurry then.
func (s *Share) Tight() bool {
	return !s.reserved && s.held > 0 && s.of != nil && s.of.Held() > s.of.most(unfinished)/2
}

// Reserve takes the PerSend bytes of a request that is to be sent, once, and waits
// for them. It reports whether the share has them.
func (s *Share) Reserve(timeout time.Duration) bool {
	s.reserved = s.reserved || s.get(send, PerSend, timeout)
	return s.reserved
}

// Extend takes n bytes for an answer that is larger than what its request owns.
// It reports whether they were free.
func (s *Share) Extend(n int64) bool {
	if b := s.of; b != nil && !b.take(n, b.limit.Load()/2) {
		return false
	}
	s.held += n
	return true
}

// Shrink gives n bytes back, at most what is held.
func (s *Share) Shrink(n int64) {
	if n = min(n, s.held); n <= 0 {
		return
	}
	s.held -= n
	if s.of != nil {
		s.of.give(n)
	}
}

// Release ends the call. It gives everything back but keep bytes, which the next
// call begins with.
func (s *Share) Release(keep int64) {
	s.Shrink(s.held - keep)
	s.reserved = false
}
