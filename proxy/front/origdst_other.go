//go:build !linux

package front

import (
	"net"
	"net/netip"
)

// OriginalDestination returns zero: it is unknown on this platform.
func OriginalDestination(net.Conn) netip.AddrPort { return netip.AddrPort{} }
