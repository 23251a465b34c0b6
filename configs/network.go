package configs

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"tlslift/proxy/host"
)

// listenAddress is a host:port to listen on. The host may be empty for all
// addresses, the port 0 for any free one.
var listenAddress = hostPort("127.0.0.1:3128", 0)

// adminAddress is a host:port to listen on, or "" for off.
var adminAddress = kind[string]{
	noun: "a host and port", example: "127.0.0.1:9128", tags: []string{strTag, intTag},
	parse: func(text string) (string, *fault) {
		if text == "" {
			return "", nil
		}
		return hostPort("127.0.0.1:9128", 0).parse(text)
	},
}

// hostPort is a host:port whose port is at least lowest. With a lowest of 0 it
// is to listen on, and the host may be empty.
func hostPort(example string, lowest uint16) kind[string] {
	k := kind[string]{noun: "a host and port", example: example, tags: []string{strTag, intTag}}
	k.parse = func(text string) (string, *fault) {
		name, number, err := net.SplitHostPort(text)
		switch {
		case strings.Contains(text, "://"):
			return "", faultf("", "%s has a scheme", quoted(text))
		case wholeNumber.MatchString(text) && lowest == 0:
			return "", faultf("write 127.0.0.1:"+text+", or 0.0.0.0:"+text+" for callers from elsewhere", "%s is a port without a host", quoted(text))
		case err != nil && !strings.Contains(text, ":"):
			return "", faultf("", "%s has no port", quoted(text))
		case err != nil:
			return "", k.malformed(text)
		case name == "" && lowest > 0:
			return "", faultf("", "%s has no host", quoted(text))
		}
		port, err := strconv.ParseUint(number, 10, 16)
		if err != nil || port < uint64(lowest) || strconv.FormatUint(port, 10) != number {
			return "", faultf("write a port from "+strconv.Itoa(int(lowest))+" to 65535", "%s has no such port", quoted(text))
		}
		if name != "" && !isAddress(name) {
			if _, f := parseHost(name); f != nil {
				return "", k.malformed(text)
			}
		}
		return text, nil
	}
	return k
}

// prefix is a range of addresses, or one address.
var prefix = kind[netip.Prefix]{
	noun: "an address or a range of addresses", example: "10.0.0.0/8", tags: []string{strTag},
	parse: parsePrefix,
}

func parsePrefix(text string) (netip.Prefix, *fault) {
	var none netip.Prefix
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return none, faultf("", "%s is not an address or a range of addresses", quoted(text))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return none, faultf("write the IPv4 range itself", "%s holds more than the IPv4 addresses", quoted(text))
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return none, faultf("write "+p.Masked().String(), "%s has bits beyond its mask", quoted(text))
	}
	return p, nil
}

// nameServer is the address of a DNS server; the port is 53 unless given.
var nameServer = kind[netip.AddrPort]{
	noun: "the address of a DNS server", example: "10.0.0.53", tags: []string{strTag},
	parse: func(text string) (netip.AddrPort, *fault) {
		if addr, err := netip.ParseAddr(text); err == nil {
			return netip.AddrPortFrom(addr.Unmap(), 53), nil
		}
		server, err := netip.ParseAddrPort(text)
		if err != nil || server.Port() == 0 {
			return server, faultf("write e.g. 10.0.0.53 or 10.0.0.53:5353", "%s is not the address of a DNS server", quoted(text))
		}
		return netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), nil
	},
}

// parentProxy is http://[user@]host:port, or https. What is refused is not shown: it may
// hold a password.
var parentProxy = kind[string]{
	noun: "a parent proxy", example: "http://user@proxy.corp:8080", tags: []string{strTag},
	parse: func(text string) (string, *fault) {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "":
			return "", faultf("", "is not the URL of a proxy")
		case u.Scheme != "http" && u.Scheme != "https":
			return "", faultf("", "is neither http:// nor https://, and other parent proxies are not known")
		case u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "", u.ForceQuery:
			return "", faultf("", "has more than a user, host and port")
		}
		if _, ok := u.User.Password(); ok {
			return "", faultf("put it into a file and name that in upstream.parent_proxy_password_file", "has a password")
		}
		if u.User != nil && u.User.Username() == "" {
			return "", faultf("", "has an empty user")
		}
		if _, f := hostPort("proxy.corp:8080", 1).parse(u.Host); f != nil {
			return "", faultf("", "has no valid host and port")
		}
		return text, nil
	},
}

// ParentExcept is what is reached without the parent proxy: the hosts of Host, or
// the addresses of Range. The other field is zero.
type ParentExcept struct {
	Host  host.Pattern
	Range netip.Prefix
}

// parentExcept is an address, a range of addresses, a host or *.domain.
var parentExcept = kind[ParentExcept]{
	noun: "an address, a range of addresses, or a host", example: "10.0.0.0/8", tags: []string{strTag},
	parse: func(text string) (ParentExcept, *fault) {
		if addresses := strings.Contains(text, "/") && !strings.Contains(text, "://"); addresses || isAddress(text) {
			p, f := parsePrefix(text)
			return ParentExcept{Range: p}, f
		}
		if strings.HasPrefix(text, ".") {
			return ParentExcept{}, faultf("write \"*"+text+"\"", "%s is not a pattern", quoted(text))
		}
		p, f := hostPattern.parse(text)
		return ParentExcept{Host: p}, f
	},
}

// namesUser reports whether the URL of a parent proxy has a user.
func namesUser(parent string) bool {
	u, err := url.Parse(parent)
	return err == nil && u.User != nil
}
