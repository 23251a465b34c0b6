// Package host is the only place that knows what a host name is. A [Name] is
// normalised when it is parsed, so two names are the same host exactly when
// they compare equal. A [Pattern] is a name, or every name below a domain.
//
// The package is pure.
package host

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// SelfTest is the host that tlslift answers itself, with what it saw of the caller
// and what to change (design, section 5).
const SelfTest = "check.tlslift.test"

// Limits of RFC 1035 section 2.3.4, in bytes, without the trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// Parse errors. They quote nothing that a caller sent.
var (
	ErrEmpty = errors.New("no host")
	ErrHost  = errors.New("not a host name or IP address")
	ErrPort  = errors.New("not a port number from 1 to 65535")
)

// Name is a host: a DNS name in lower case without a trailing dot, or an IP address
// in its canonical form without brackets, zone or IPv4 mapping. The zero Name means
// no host. Names can be compared with ==.
type Name struct {
	text string
	ip   bool
}

// Parse parses a DNS name (RFC 1123 section 2.1, plus the underscore of internal
// names) or an IP address, with or without the brackets of an IPv6 literal (RFC 3986
// section 3.2.2). It rejects any other name whose last label could be read as a
// number: resolvers read 127.1 and 0x7f000001 as addresses.
func Parse(s string) (Name, error) {
	if s == "" {
		return Name{}, ErrEmpty
	}
	if s[0] == '[' {
		if s[len(s)-1] != ']' {
			return Name{}, ErrHost
		}
		addr, err := netip.ParseAddr(s[1 : len(s)-1])
		if err != nil || !addr.Is6() {
			return Name{}, ErrHost
		}
		return parseAddr(addr)
	}
	if strings.IndexByte(s, ':') >= 0 {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return Name{}, ErrHost
		}
		return parseAddr(addr)
	}
	if last := s[len(s)-1]; last == '.' {
		s = s[:len(s)-1]
	}
	if numeric(s[strings.LastIndexByte(s, '.')+1:]) {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return Name{}, ErrHost
		}
		return parseAddr(addr)
	}
	upper, ok := scan(s)
	if !ok {
		return Name{}, ErrHost
	}
	if upper {
		s = strings.ToLower(s)
	}
	return Name{text: s}, nil
}

func parseAddr(addr netip.Addr) (Name, error) {
	if addr.Zone() != "" {
		return Name{}, ErrHost
	}
	return OfAddr(addr), nil
}

// OfAddr returns the Name of an IP address, without its zone. For the zero Addr it
// returns the zero Name.
func OfAddr(addr netip.Addr) Name {
	if !addr.IsValid() {
		return Name{}
	}
	return Name{text: Canonical(addr).String(), ip: true}
}

// MustParse is Parse for names in the program's own text. It panics on error.
func MustParse(s string) Name {
	n, err := Parse(s)
	if err != nil {
		panic("host: " + s + ": " + err.Error())
	}
	return n
}

// scan reports whether s is a sequence of valid labels, and whether it contains
// upper-case letters.
func scan(s string) (upper, ok bool) {
	if s == "" || len(s) > maxName {
		return false, false
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '.' {
			label := s[start:i]
			if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
				return false, false
			}
			start = i + 1
			continue
		}
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
		case c >= 'A' && c <= 'Z':
			upper = true
		default:
			return false, false
		}
	}
	return upper, true
}

// numeric reports whether a resolver could read a label as a number: digits, or
// hexadecimal after 0x.
func numeric(label string) bool {
	const digits = "0123456789"
	if len(label) > 1 && label[0] == '0' && label[1]|0x20 == 'x' {
		return strings.Trim(label[2:], digits+"abcdefABCDEF") == ""
	}
	return label != "" && strings.Trim(label, digits) == ""
}

// String returns the normalised name, or "" for the zero Name. It is safe to log.
func (n Name) String() string { return n.text }

// MarshalText implements encoding.TextMarshaler.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.text), nil }

// IsZero reports whether n is the zero Name.
func (n Name) IsZero() bool { return n.text == "" }

// IsAddr reports whether n is an IP address.
func (n Name) IsAddr() bool { return n.ip }

// Addr returns the IP address that n is, or the zero Addr for a DNS name.
func (n Name) Addr() netip.Addr {
	if !n.ip {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(n.text)
	return addr
}

// Loopback reports whether n can only be this machine: a loopback address, or
// localhost and the names below it (RFC 6761 section 6.3).
func (n Name) Loopback() bool {
	if n.ip {
		return n.Addr().IsLoopback()
	}
	return n.text == "localhost" || strings.HasSuffix(n.text, ".localhost")
}

// Join returns host:port as in a URL, with brackets around an IPv6 address. Port 0 is
// left out.
func (n Name) Join(port uint16) string {
	text := n.text
	if n.ip && strings.IndexByte(text, ':') >= 0 {
		text = "[" + text + "]"
	}
	if port == 0 {
		return text
	}
	return text + ":" + strconv.Itoa(int(port))
}

// ParseAuthority parses host[:port] (RFC 3986 section 3.2 without userinfo). A
// missing or empty port is 0. An empty host is the zero Name, not an error: only the
// caller knows whether a host is needed.
func ParseAuthority(s string) (n Name, port uint16, err error) {
	text, portText := split(s)
	if portText != "" {
		p, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || p == 0 || portText[0] == '+' {
			return Name{}, 0, ErrPort
		}
		port = uint16(p)
	}
	if text == "" {
		return Name{}, port, nil
	}
	n, err = Parse(text)
	if err != nil {
		return Name{}, 0, err
	}
	return n, port, nil
}

// split separates the host of an authority from its port. An IPv6 address without
// brackets has no port.
func split(s string) (text, port string) {
	i := strings.LastIndexByte(s, ':')
	switch {
	case i < 0:
		return s, ""
	case s[0] == '[':
		if i < strings.IndexByte(s, ']') {
			return s, ""
		}
	case strings.IndexByte(s, ':') != i:
		return s, ""
	}
	return s[:i], s[i+1:]
}
