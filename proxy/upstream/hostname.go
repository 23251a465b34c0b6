package upstream

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// maxName is the longest host name, without the trailing dot (RFC 1035 2.3.4).
const maxName = 253

// normalise returns host in lower case, without a trailing dot and without
// the brackets of an IPv6 address. It reports false for what is neither an IP
// address nor a host name of letters, digits, hyphens and underscores.
func normalise(host string) (string, bool) {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if strings.IndexByte(host, ':') >= 0 {
		addr, err := netip.ParseAddr(host)
		if err != nil || addr.Zone() != "" {
			return "", false
		}
		return addr.String(), true
	}
	host = strings.TrimSuffix(host, ".")
	if !validName(host) {
		return "", false
	}
	return strings.ToLower(host), true
}

// validName reports whether s is a sequence of labels of 1 to 63 of the
// characters seen in host names (RFC 1123 2.1, and underscores).
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			if label++; label > 63 {
				return false
			}
		case c == '.' && label > 0:
			label = 0
		default:
			return false
		}
	}
	return label > 0
}

// splitAddress splits "host", "host:port" or an IP address.
func splitAddress(s string, port uint16) (string, uint16, error) {
	host := s
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.WithZone("").String(), port, nil
	}
	if h, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, errors.New("the port is not a number from 1 to 65535")
		}
		host, port = h, uint16(n)
	}
	host, ok := normalise(host)
	if !ok {
		return "", 0, errors.New("neither host, host:port nor an IP address")
	}
	return host, port, nil
}

// hostPort joins a normalised host and a port for a Host header or a CONNECT
// target; port 0 is left out.
func hostPort(host string, port uint16) string {
	if strings.IndexByte(host, ':') >= 0 {
		host = "[" + host + "]"
	}
	if port == 0 {
		return host
	}
	return host + ":" + strconv.Itoa(int(port))
}
