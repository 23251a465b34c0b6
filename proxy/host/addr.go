package host

import (
	"net"
	"net/netip"
)

// Canonical returns an address in the form used for comparing: an IPv4-mapped address
// becomes IPv4, and the zone is dropped.
func Canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// CanonicalPort is [Canonical] for an address and port.
func CanonicalPort(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(Canonical(ap.Addr()), ap.Port())
}

// OfSocket returns the address of a TCP socket, or the zero AddrPort for any other.
// An IPv4-mapped address becomes IPv4; a zone is kept, for the log.
func OfSocket(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Network returns the prefix that an address is counted under: an IPv4 address
// itself, or the /64 of an IPv6 address, since a host chooses its addresses within
// that at will (RFC 8981). The zero Addr has the zero Prefix.
func Network(a netip.Addr) netip.Prefix {
	a = Canonical(a)
	p, _ := a.Prefix(min(a.BitLen(), 64))
	return p
}
