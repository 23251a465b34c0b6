package proxy

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/upstream/names"
)

// LocalAddrs caches the addresses of this host's interfaces for 30 seconds.
type LocalAddrs struct {
	mu    sync.Mutex
	asked time.Time
	addrs map[netip.Addr]bool
}

// Covers reports whether a listener bound to bound is reached at ap.
func (l *LocalAddrs) Covers(bound, ap netip.AddrPort) bool {
	if bound.Port() != ap.Port() {
		return false
	}
	if !bound.Addr().IsUnspecified() {
		return bound.Addr() == ap.Addr()
	}
	if bound.Addr().Is4() && !ap.Addr().Is4() {
		return false // 0.0.0.0 does not include IPv6
	}
	return ap.Addr().IsUnspecified() || l.Has(ap.Addr())
}

// Has reports whether an address is loopback, or one of this host's.
func (l *LocalAddrs) Has(addr netip.Addr) bool {
	if addr = host.Canonical(addr); addr.IsLoopback() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.addrs == nil || time.Since(l.asked) > 30*time.Second {
		l.asked = time.Now()
		l.addrs = names.InterfaceAddrs()
	}
	return l.addrs[addr]
}

// lookup implements decide.Settings.Lookup. Go's resolver reads the hosts file.
func (s *Server) lookup(n host.Name) []netip.Addr {
	ctx, cancel := context.WithTimeout(s.baseCtx, time.Second)
	defer cancel()
	addrs, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", n.String())
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs
}
