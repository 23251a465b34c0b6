package front

import (
	"context"
	"net"
	"net/netip"
)

// Listen opens a TCP listener on a host:port. An IPv4 literal listens on IPv4
// only: package net would let 0.0.0.0 accept IPv6 callers too, which a firewall for
// IPv4 does not see. An empty host means every address of both families. [::] and
// names work as in package net.
func Listen(ctx context.Context, lc net.ListenConfig, address string) (net.Listener, error) {
	return lc.Listen(ctx, network(address), address)
}

func network(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "tcp" // lc.Listen returns the error
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
		return "tcp4"
	}
	return "tcp"
}
