package decide

import (
	"net/netip"
	"strings"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
)

// base returns the host that a base URL means (design, section 1): the first segment
// of the path if that is one of ours, else default_upstream. It returns the zero Name
// if the caller names one of our hosts, or a host that is not a listener of ours.
// port is a port in the path that may have to be refused; 0 = none. With a
// default_upstream, such a path does not name the host.
func (s *Settings) base(c *call.Conn, p Place, t Target) (n host.Name, port uint16, prefix string) {
	if s.knows(p.Host) || p.Ingress == call.Transparent && !p.Host.IsZero() {
		return host.Name{}, 0, ""
	}
	n, port, prefix = s.pathHost(t.Path)
	byDefault := c.Listener.DefaultUpstream
	if t.Absolute {
		var ok bool
		if byDefault, ok = s.listener(c, p.Host, p.portOr80(), !n.IsZero()); !ok {
			return host.Name{}, 0, ""
		}
	}
	switch {
	case !n.IsZero() && port == 0:
		return n, 0, prefix
	case p.Ingress == call.Transparent, !c.DefaultHost.IsZero() && c.DefaultHost != c.Listener.DefaultUpstream:
		return host.Name{}, 0, ""
	case !n.IsZero() && byDefault.IsZero():
		return n, port, prefix
	default:
		return byDefault, 0, ""
	}
}

// listener finds the listener of ours that an http URL names. It returns the
// listener's default_upstream, and whether there is such a listener. The admin
// listener does not count. inPath reports whether the URL's path names an upstream.
func (s *Settings) listener(c *call.Conn, n host.Name, port uint16, inPath bool) (byDefault host.Name, ok bool) {
	here, byDefault := port == c.Local.Port(), c.Listener.DefaultUpstream
	var at []netip.Addr
	switch {
	case n.IsAddr():
		at = []netip.Addr{n.Addr()}
	case n.Loopback():
		at = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	case !here || !inPath && byDefault.IsZero(): // nothing to look up
	case s.mayName(c, n, port, inPath):
		return byDefault, true
	default:
		at = s.Lookup(n)
	}
	for _, a := range at {
		if found, ok := s.Listens(netip.AddrPortFrom(a, port)); ok {
			return found, true
		}
	}
	return byDefault, here && s.mayName(c, n, port, inPath)
}

// mayName reports whether a host may be a name of this machine that it does not know
// itself, such as a Service's in Kubernetes. The URL must have the listener's own
// port. A request meant for another server must never reach an upstream.
func (s *Settings) mayName(c *call.Conn, n host.Name, port uint16, inPath bool) bool {
	if inPath && port != portHTTP {
		return true // no other server has our hosts in its paths on this very port
	}
	text := n.String()
	private := !n.IsAddr() && (!strings.Contains(text, ".") || strings.HasSuffix(text, ".svc") || strings.HasSuffix(text, ".svc.cluster.local"))
	return private && s.others(c) != OthersPass
}

// pathHost returns the host of ours that a path begins with, its port unless that is
// 80 or 443, and the prefix that contains both. Nothing is decoded: the caller's URL
// is what its owner wrote.
func (s *Settings) pathHost(path string) (n host.Name, port uint16, prefix string) {
	segment := firstSegment(path)
	n, port, err := host.ParseAuthority(segment)
	if err != nil || !s.knows(n) {
		return host.Name{}, 0, ""
	}
	if port == portHTTP || port == portHTTPS {
		port = 0
	}
	return n, port, path[:1+len(segment)]
}

// Misnamed returns the host name that a path begins with if it is not one of ours, as
// in a base URL with a misspelt host. Otherwise it returns the zero Name.
func (s *Settings) Misnamed(path string) host.Name {
	segment := firstSegment(path)
	n, err := host.Parse(segment)
	if err != nil || n.IsAddr() || !strings.Contains(segment, ".") || s.knows(n) {
		return host.Name{}
	}
	return n
}

// firstSegment returns the first segment of a path, without slashes.
func firstSegment(path string) string {
	if !strings.HasPrefix(path, "/") {
		return ""
	}
	path = path[1:]
	if end := strings.IndexAny(path, "/?"); end >= 0 {
		path = path[:end]
	}
	return path
}
