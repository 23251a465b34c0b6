//go:build !linux

package front

import (
	"net"
	"net/netip"
)

// OriginalDestination is unknown on this platform.
func OriginalDestination(net.Conn) netip.AddrPort { return netip.AddrPort{} }
