// Package budget limits the total memory that is held for callers: heads and bodies
// in transit, and answers.
//
// A call with more to lose may take more. Unfinished requests may take memory until
// half of the budget is held. So may an answer beyond what its request owns. A
// request that is about to be sent may take memory until all of it is held. So
// callers that finish nothing cannot keep others from sending, and a request that
// was sent has room for its answer.
//
// No call waits for memory that it holds itself: an unfinished request waits only
// while it holds none, and a request that was sent owns enough memory to finish. So
// every wait ends.
package budget

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// PerSend is how many bytes a request reserves before its first byte goes upstream:
// 64 KiB for its answer, and as much again for the buffers and connections that
// carry it.
const PerSend = 128 << 10

// Budget limits how much memory may be held. It is safe for concurrent use. Create
// one with New.
type Budget struct {
	limit atomic.Int64
	held  atomic.Int64
	peak  atomic.Int64 // the most that was held since Peak
	ended context.Context

	waiting [2]atomic.Int32 // lengths of the queues; changed under mu
	mu      sync.Mutex
	queues  [2][]*waiter // FIFO, by class
}

// class is a kind of call that may wait for memory.
type class uint8

const (
	unfinished class = iota
	send
)

// waiter waits for n bytes.
type waiter struct {
	n   int64
	got chan struct{} // closed once the bytes are taken for it
}

// New returns a Budget of limit bytes. No call waits for memory once ctx is done.
func New(ctx context.Context, limit int64) *Budget {
	b := &Budget{ended: ctx}
	b.limit.Store(limit)
	return b
}

// SetLimit changes the limit, in bytes. Memory already held stays held.
func (b *Budget) SetLimit(limit int64) {
	b.limit.Store(limit)
	b.serve()
}

// Limit returns how many bytes may be held.
func (b *Budget) Limit() int64 { return b.limit.Load() }

// Held returns how many bytes are held now.
func (b *Budget) Held() int64 { return b.held.Load() }

// Peak returns the most bytes that were held since the last call.
func (b *Budget) Peak() int64 {
	held := b.Held()
	return max(b.peak.Swap(held), held)
}

// most returns how many bytes may be held once a call of class c has taken more.
func (b *Budget) most(c class) int64 {
	limit := b.limit.Load()
	if c == unfinished {
		return limit / 2
	}
	return limit
}

// take takes n bytes if the total then held is at most most.
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

// note updates the peak.
func (b *Budget) note(held int64) {
	for peak := b.peak.Load(); held > peak; peak = b.peak.Load() {
		if b.peak.CompareAndSwap(peak, held) {
			return
		}
	}
}

// give returns n bytes to the budget and serves waiting calls.
func (b *Budget) give(n int64) {
	b.held.Add(-n)
	if b.waiting[send].Load() > 0 || b.waiting[unfinished].Load() > 0 {
		b.serve()
	}
}

// serve gives free bytes to waiting calls.
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

// leave removes the i-th waiter from a queue.
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
	b.serve() // for bytes that were returned before w was in the queue

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
		return true // served in the meantime
	}
	b.leave(c, i)
	return false
}

// Share is what one call holds of a Budget. Release returns it at the end of the
// call. The zero Share belongs to no budget and always gets what it asks for. A
// Share is not safe for concurrent use, except that Tight may be called
// concurrently with other methods once Reserve has succeeded.
type Share struct {
	of       *Budget
	held     int64
	reserved bool // Reserve has succeeded
}

// Share returns an empty share of b. A nil Budget has no limit.
func (b *Budget) Share() Share { return Share{of: b} }

// get takes n bytes. It waits if they are not free or others of class c are
// waiting.
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

// Gather takes n bytes for a head or a body that is still incomplete. It waits for
// them up to timeout, but not if the share already holds memory. It reports whether
// it got them.
func (s *Share) Gather(n int64, timeout time.Duration) bool {
	if s.held > 0 {
		timeout = 0
	}
	return s.get(unfinished, n, timeout)
}

// Tight reports whether this is an unfinished request that must end soon: it holds
// memory, and over half of what unfinished requests may take is held.
func (s *Share) Tight() bool {
	return !s.reserved && s.held > 0 && s.of != nil && s.of.Held() > s.of.most(unfinished)/2
}

// Reserve takes the PerSend bytes of a request that is about to be sent, once, and
// waits for them. It reports whether the share has them.
func (s *Share) Reserve(timeout time.Duration) bool {
	s.reserved = s.reserved || s.get(send, PerSend, timeout)
	return s.reserved
}

// Extend takes n bytes for an answer that exceeds what its request owns, without
// waiting. It reports whether they were free.
func (s *Share) Extend(n int64) bool {
	if b := s.of; b != nil && !b.take(n, b.limit.Load()/2) {
		return false
	}
	s.held += n
	return true
}

// Shrink returns n bytes, at most what the share holds.
func (s *Share) Shrink(n int64) {
	if n = min(n, s.held); n <= 0 {
		return
	}
	s.held -= n
	if s.of != nil {
		s.of.give(n)
	}
}

// Release ends the call. It returns all but keep bytes to the budget; the next call
// begins with those.
func (s *Share) Release(keep int64) {
	s.Shrink(s.held - keep)
	s.reserved = false
}
