package identity

import (
	"net/netip"
	"sync"
	"time"

	"tlslift/proxy/host"
)

const (
	failureBurst  = 10              // tries that an address has at once
	failureRefill = 6 * time.Second // until it has one more
	maxLimited    = 8192            // addresses remembered
	restFor       = failureBurst * failureRefill
)

// failureLimiter is a token bucket per source address. A token is taken before a
// check and returned after a successful one. So only failures cost tokens, however
// many checks run at once.
type failureLimiter struct {
	mu      sync.Mutex
	buckets map[netip.Prefix]bucket
	swept   time.Time
}

type bucket struct {
	tokens int
	since  time.Time // the start of the current refill interval
}

func newFailureLimiter() *failureLimiter {
	return &failureLimiter{buckets: make(map[netip.Prefix]bucket)}
}

// take reports whether addr may try now. If more addresses fail than can be
// remembered, unknown ones have to wait: no bucket is dropped to make room for a
// guesser's next address.
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

// refund returns the token that a successful try took.
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

// sweep drops addresses whose buckets are full again, at most once a second, and
// reports whether there is room.
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
