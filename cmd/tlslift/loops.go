package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"

	"tlslift/configs"
	"tlslift/proxy"
	"tlslift/proxy/host"
)

// listensAt reports whether an address is one that the configuration listens on.
// It is for checks before there is a Server.
func listensAt(cfg *configs.Config) func(netip.AddrPort) bool {
	var bound []netip.AddrPort
	add := func(address string) {
		if ap, ok := literal(address); ok {
			bound = append(bound, ap)
		}
	}
	for _, l := range cfg.Listen {
		add(l.Address)
	}
	add(cfg.Admin.Address)
	add(cfg.Admin.Public)
	local := new(proxy.LocalAddrs)
	return func(ap netip.AddrPort) bool {
		ap = netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
		return slices.ContainsFunc(bound, func(b netip.AddrPort) bool { return local.Covers(b, ap) })
	}
}

// literal parses host:port if the host is an address, localhost, or missing.
func literal(address string) (netip.AddrPort, bool) {
	name, port, err := host.ParseAuthority(address)
	addr := name.Addr().Unmap()
	switch {
	case err != nil || port == 0:
		return netip.AddrPort{}, false
	case name.IsZero():
		addr = netip.IPv6Unspecified()
	case name.Loopback() && !name.IsAddr():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(addr, port), addr.IsValid()
}

// ourselves finds upstreams and parent proxies that are this tlslift, since every
// request to them would be a loop.
func ourselves(cfg *configs.Config) configs.Problems {
	listens := listensAt(cfg)
	var out configs.Problems
	judge := func(key, address string) {
		if ap, ok := literal(address); ok && listens(ap) {
			out = append(out, cfg.Problem(key, fmt.Sprintf("%s is where this tlslift listens: every request to it would be a loop", address), "name the real server"))
		}
	}
	for i, u := range cfg.Upstreams {
		judge(fmt.Sprintf("upstreams[%d].address", i), u.Address)
	}
	if u, err := url.Parse(cfg.Upstream.ParentProxy); err == nil {
		judge("upstream.parent_proxy", u.Host)
	}
	return out
}
