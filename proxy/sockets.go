package proxy

import (
	"net"
	"sync"
)

// Sockets are listening sockets that a service manager, or the process that this one
// replaces, opened for it. Each is known by the address that it was configured with;
// several with port 0 may share one. A nil *Sockets is empty.
type Sockets struct {
	mu   sync.Mutex
	open map[string][]net.Listener
}

// Add adds a socket.
func (s *Sockets) Add(address string, ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		s.open = make(map[string][]net.Listener)
	}
	s.open[address] = append(s.open[address], ln)
}

// Take removes and returns a socket with that address, or returns nil if there is
// none.
func (s *Sockets) Take(address string) net.Listener {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.open[address]
	if len(list) == 0 {
		return nil
	}
	s.open[address] = list[1:]
	return list[0]
}

// Close closes the sockets that were not taken.
func (s *Sockets) Close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.open {
		for _, ln := range list {
			ln.Close()
		}
	}
	s.open = nil
}
