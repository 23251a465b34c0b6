package front

import (
	"encoding/binary"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"tlslift/proxy/host"
)

// soOriginalDst is SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: the destination
// address before netfilter's REDIRECT or DNAT (linux/netfilter_ipv4.h, _ipv6.h).
const soOriginalDst = 80

// OriginalDestination asks the kernel where a redirected connection was going.
// It returns zero if the connection was not redirected or the kernel does not know.
func OriginalDestination(c net.Conn) netip.AddrPort {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return netip.AddrPort{}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return netip.AddrPort{}
	}
	var dst netip.AddrPort
	v6 := host.OfSocket(c.LocalAddr()).Addr().Is6()
	if err := raw.Control(func(fd uintptr) { dst = originalOf(int(fd), v6) }); err != nil {
		return netip.AddrPort{}
	}
	return dst
}

// originalOf uses two getsockopt functions of x/sys whose results are large enough
// for a sockaddr_in and a sockaddr_in6.
func originalOf(fd int, v6 bool) netip.AddrPort {
	if v6 {
		info, err := unix.GetsockoptIPv6MTUInfo(fd, unix.IPPROTO_IPV6, soOriginalDst)
		if err != nil {
			return netip.AddrPort{}
		}
		port := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, info.Addr.Port))
		return netip.AddrPortFrom(netip.AddrFrom16(info.Addr.Addr).Unmap(), port)
	}
	mreq, err := unix.GetsockoptIPv6Mreq(fd, unix.IPPROTO_IP, soOriginalDst)
	if err != nil {
		return netip.AddrPort{}
	}
	// sockaddr_in: family, port, address.
	sa := mreq.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(sa[4:8])), binary.BigEndian.Uint16(sa[2:4]))
}
