package upstream

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// ends are the two addresses of a connection, ours first. One of ours alone
// says nothing: the kernel gives one local port to several connections as long
// as they lead to different places.
type ends struct{ local, remote netip.AddrPort }

// sight is something of ours that is under way, and whether it came back to us.
type sight[K comparable] struct {
	key   K
	times int // it is under way; under its registry's lock
	back  atomic.Bool
}

// registry knows what is under way.
type registry[K comparable] struct {
	mu   sync.Mutex
	open map[K]*sight[K]
}

// add keeps a key until drop is called with what it returns, once each.
func (r *registry[K]) add(key K) *sight[K] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[K]*sight[K])
	}
	s := r.open[key]
	if s == nil {
		s = &sight[K]{key: key}
		r.open[key] = s
	}
	s.times++
	return s
}

func (r *registry[K]) drop(s *sight[K]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.times--; s.times <= 0 {
		delete(r.open, s.key)
	}
}

// met reports whether the key is under way, and lets that know of it.
func (r *registry[K]) met(key K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.open[key]
	if s != nil {
		s.back.Store(true)
	}
	return s != nil
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// helloRandom returns the random of the ClientHello that starts the TLS stream
// b (RFC 8446 4.1.2 and 5.1).
func helloRandom(b []byte) (random [32]byte, ok bool) {
	const (
		record    = 5 // type, version, length
		handshake = 4 // type, length
		version   = 2
		start     = record + handshake + version
	)
	if len(b) < start+len(random) || b[0] != 22 || b[record] != 1 {
		return random, false
	}
	copy(random[:], b[start:])
	return random, true
}
