package proxy

import (
	"net/netip"

	"tlslift/proxy/host"
	"tlslift/proxy/upstream"
)

// route is the route to one of our hosts.
func (s *Server) route(n host.Name) (*upstream.Route, bool) {
	if n.IsZero() {
		return nil, false
	}
	r, verdict := s.transport.Route(n, 0)
	return r, verdict == upstream.Ours
}

func (s *Server) foreign(n host.Name, port uint16, guard bool) *upstream.Route {
	return s.transport.Foreign(n, port, guard)
}

// upstreamPort is decide.Settings.Upstream.
func (s *Server) upstreamPort(n host.Name) (port uint16, ours bool) {
	r, ours := s.route(n)
	if !ours {
		return 0, false
	}
	return r.TunnelPort(), true
}

// hostAt is decide.Settings.HostAt.
func (s *Server) hostAt(addr netip.Addr) host.Name {
	n, _ := s.transport.KnownHost(addr)
	return n
}
