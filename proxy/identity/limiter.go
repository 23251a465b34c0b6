package identity

import (
	"net/netip"
	"sync"
	"time"

	"tlslift/proxy/host"
)

const (
	failureBurst  = 10              // tries an address has at once
	failureRefill = 6 * time.Second // until one more
	maxLimited    = 8192            // addresses remembered
	restFor       = failureBurst * failureRefill
)

// failureLimiter is a token bucket per source address. Tokens are taken before a check
// and given back after a good one, so that only failures cost any, however
// many run at once.
type failureLimiter struct {
	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
	swept   time.Time
}

type bucket struct {
	tokens int
	since  time.Time // the refill is counted from here
}

func newFailureLimiter() *failureLimiter {
	return &failureLimiter{buckets: make(map[netip.Prefix]bucket)}
}

// take reports whether addr may try now. When more addresses fail than can be
// remembered, unknown ones have to wait: no bucket is emptied to make
// room for the next address of a guesser.
func (p *failureLimiter) take(addr netip.Addr, now time.Time) bool {
	who := host.Network(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.buckets[who]
	if !ok {
		if len(p.buckets) >= maxLimited && !p.sweep(now) {
			return false
		}
		b = bucket{tokens: failureBurst, since: now}
	}
	if n := int(now.Sub(b.since) / failureRefill); n > 0 {
		b.tokens = min(failureBurst, b.tokens+n)
		b.since = b.since.Add(time.Duration(n) * failureRefill)
	}
	if b.tokens <= 0 {
		p.buckets[who] = b
		return false
	}
	b.tokens--
	p.buckets[who] = b
	return true
}

// refund gives back what a good try took.
func (p *failureLimiter) refund(addr netip.Addr) {
	who := host.Network(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	b, ok := p.buckets[who]
	if !ok {
		return
	}
	if b.tokens++; b.tokens >= failureBurst {
		delete(p.buckets, who)
		return
	}
	p.buckets[who] = b
}

// sweep forgets addresses that have rested long enough to be full again, at
// most once a second, and reports whether there is room.
func (p *failureLimiter) sweep(now time.Time) bool {
	if now.Sub(p.swept) < time.Second {
		return false
	}
	p.swept = now
	for who, b := range p.buckets {
		if now.Sub(b.since) >= restFor {
			delete(p.buckets, who)
		}
	}
	return len(p.buckets) < maxLimited
}
