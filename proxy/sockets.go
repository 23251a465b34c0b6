package proxy

import (
	"net"
	"sync"
)

// Sockets are listening sockets that another process opened for this one: a
// service manager, or the process whose place it takes. They are known by the
// address that they were configured with; several may share one, with port 0. A
// nil *Sockets is empty.
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

// Take returns a socket with that address, once; nil if there is none.
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
