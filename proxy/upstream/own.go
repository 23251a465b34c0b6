package upstream

import (
	"net/netip"
	"sync"
)

// socketRegistry knows our ends of the outbound connections that are open.
type socketRegistry struct {
	mu   sync.RWMutex
	open map[netip.AddrPort]int // an address can be used towards several peers
}

func (s *socketRegistry) add(a netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[netip.AddrPort]int)
	}
	s.open[a]++
}

func (s *socketRegistry) remove(a netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[a]--; s.open[a] <= 0 {
		delete(s.open, a)
	}
}

func (s *socketRegistry) has(a netip.AddrPort) bool {
	a = netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[a] > 0
}

// helloRegistry knows the randoms of the ClientHellos under way.
type helloRegistry struct {
	mu       sync.Mutex
	underWay map[[32]byte]int
}

func (h *helloRegistry) add(random [32]byte) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.underWay == nil {
		h.underWay = make(map[[32]byte]int)
	}
	h.underWay[random]++
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.underWay[random]--; h.underWay[random] <= 0 {
			delete(h.underWay, random)
		}
	})
}

func (h *helloRegistry) has(random [32]byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.underWay[random] > 0
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
