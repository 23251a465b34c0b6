package configs

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// loopback reports whether address, a valid host:port, is bound to the
// loopback interface alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// anyIPv4 is the host of an endpoint on all IPv4 addresses.
const anyIPv4 = "0.0.0.0"

// endpoint splits a valid host:port into a host that can be compared, "" for the
// wildcard of both families, and the port.
func endpoint(address string) (host string, port uint16) {
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	p, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return address, 0
	}
	host = strings.ToLower(host)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip == netip.IPv6Unspecified() {
			return "", uint16(p)
		}
		host = ip.Unmap().String()
	}
	return host, uint16(p)
}
