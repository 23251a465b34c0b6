package upstream

import (
	"net/netip"
	"sync"
)

// ends are the two addresses of a connection, ours first. One of ours alone
// says nothing: the kernel gives one local port to several connections as long
// as they lead to different places.
type ends struct{ local, remote netip.AddrPort }

// socketRegistry knows the outbound connections that are open.
type socketRegistry struct {
	mu   sync.RWMutex
	open map[ends]int
}

func (s *socketRegistry) add(e ends) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[ends]int)
	}
	s.open[e]++
}

func (s *socketRegistry) remove(e ends) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[e]--; s.open[e] <= 0 {
		delete(s.open, e)
	}
}

func (s *socketRegistry) has(e ends) bool {
	e = ends{unmapped(e.local), unmapped(e.remote)}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[e] > 0
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
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
