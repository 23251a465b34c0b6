package proxy

import (
	"tlslift/proxy/host"
	"tlslift/proxy/upstream"
)

// route is Transport.Route for a host that is text.
func (s *Server) route(text string, port uint16) (*upstream.Route, upstream.Verdict) {
	name, err := host.Parse(text)
	if err != nil {
		return nil, upstream.ForeignHost
	}
	return s.transport.Route(name, port)
}

// foreign is Transport.Foreign for a host that is text; nil = no host name.
func (s *Server) foreign(text string, port uint16, guard bool) *upstream.Route {
	name, err := host.Parse(text)
	if err != nil {
		return nil
	}
	return s.transport.Foreign(name, port, guard)
}
