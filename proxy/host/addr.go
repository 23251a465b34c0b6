package host

import (
	"net"
	"net/netip"
)

// Canonical is an address as addresses are compared: an IPv4-mapped one is IPv4,
// and there is no zone.
func Canonical(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// CanonicalPort is an address and port as they are compared, see [Canonical].
func CanonicalPort(ap netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(Canonical(ap.Addr()), ap.Port())
}

// OfSocket is the address of a socket. IPv4-mapped ones are IPv4; a zone stays, for
// the log. It is zero if a is not a TCP address.
func OfSocket(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Network is what an address is counted by: an IPv4 address itself, or the /64 of
// an IPv6 one, in which a host chooses its addresses at will (RFC 8981). The zero
// Addr has the zero Prefix.
func Network(a netip.Addr) netip.Prefix {
	a = Canonical(a)
	p, _ := a.Prefix(min(a.BitLen(), 64))
	return p
}
