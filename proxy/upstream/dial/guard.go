package dial

import (
	"net/netip"

	"tlslift/proxy/host"
)

// internalNets are the address blocks that no public host uses: loopback, private
// use, link-local with the metadata services, carrier-grade NAT, multicast and
// reserved ones (RFC 6890 and the IANA special-purpose registries). Documentation
// blocks are not included: they lead nowhere.
var internalNets = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // RFC 6598, and a metadata service
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("168.63.129.16/32"), // a metadata service with a public address
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, 169.254.169.254
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("224.0.0.0/4"),
	netip.MustParsePrefix("240.0.0.0/4"), // reserved, and broadcast
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("64:ff9b:1::/48"), // local-use NAT64 (RFC 8215)
	netip.MustParsePrefix("2001::/32"),      // Teredo: hides an IPv4 address
	netip.MustParsePrefix("fc00::/7"),       // unique local, fd00:ec2::254
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"), // site-local, deprecated
	netip.MustParsePrefix("ff00::/8"),
}

// embeddings are the IPv6 forms that contain an IPv4 address, and its byte offset.
var embeddings = [...]struct {
	net netip.Prefix
	at  int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, deprecated; the unspecified address
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated (RFC 2765)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64 (RFC 6052)
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4 (RFC 3056)
}

// Internal reports whether a, in any of its forms, is an internal address, which an
// upstream's name must not resolve to.
func Internal(a netip.Addr) bool {
	a = host.Canonical(a)
	if !a.IsValid() {
		return true
	}
	for _, n := range internalNets {
		if n.Contains(a) {
			return true
		}
	}
	if !a.Is6() {
		return false
	}
	b := a.As16()
	for _, e := range embeddings {
		if e.net.Contains(a) {
			return Internal(netip.AddrFrom4([4]byte(b[e.at : e.at+4])))
		}
	}
	return false
}
