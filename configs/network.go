package configs

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"tlslift/proxy/host"
	"tlslift/proxy/upstream/names"
)

// listenAddress is the form of a host:port to listen on. The host may be empty
// for all addresses, and the port may be 0 for any free one.
var listenAddress = hostPort("127.0.0.1:3128", 0, false)

// adminAddress is like listenAddress, but may be "" for off.
var adminAddress = hostPort("127.0.0.1:9128", 0, true)

// remoteAddress is the form of a host:port to connect to.
var remoteAddress = hostPort("10.0.0.7:8443", 1, false)

// hostPort is the form of a host:port whose port is at least lowest. If lowest is
// 0, the address is one to listen on, and the host may be empty.
func hostPort(example string, lowest uint64, off bool) *form {
	pattern := `:[0-9]{1,5}$`
	if off {
		pattern += `|^$`
	}
	f := textForm("a host and port", example, pattern, func(text string) (string, error) {
		if off && text == "" {
			return "", nil
		}
		name, digits, err := net.SplitHostPort(text)
		port, portErr := strconv.ParseUint(digits, 10, 16)
		_, hostErr := host.Parse(name)
		return text, firstFlaw(text,
			flaw{text == "", "is empty", ""},
			flaw{off && strings.EqualFold(text, "off"), "is not a host and port", `write "" in the file or the flag to turn it off`},
			flaw{strings.Contains(text, "://"), "has a scheme", ""},
			flaw{lowest == 0 && text == strconv.FormatInt(number(text), 10), "is a port without a host", "write 127.0.0.1:" + text + ", or 0.0.0.0:" + text + " for callers from elsewhere"},
			flaw{err != nil && !strings.Contains(text, ":"), "has no port", ""},
			flaw{err != nil, "is not a host and port", ""},
			flaw{name == "" && lowest > 0, "has no host", ""},
			flaw{portErr != nil || port < lowest || strconv.FormatUint(port, 10) != digits, "has no such port", fmt.Sprintf("write a port from %d to 65535", lowest)},
			flaw{name != "" && !isAddress(name) && hostErr != nil, "is not a host and port", ""})
	})
	f.tag = "" // a port alone is a number
	return f
}

// hostname is the form of a DNS name alone.
var hostname = textForm("a host", "api.smsportal.com", `^[^*/:?#@\s]+$`, parseHost)

// hostPattern is the form of a DNS name, or *.domain for every name below a domain.
var hostPattern = textForm("a host or *.domain", `"*.smsportal.com"`, `^(\*\.)?[^*/:?#@\s]+$`, parsePattern)

func parsePattern(text string) (host.Pattern, error) {
	domain, wild := strings.CutPrefix(text, "*.")
	if strings.Contains(domain, "*") {
		return host.Pattern{}, refuse(text, "is not a pattern", "write a host, or *.domain for all below it")
	}
	n, err := parseHost(domain)
	if err != nil || !wild {
		return host.Exact(n), err
	}
	return host.ParsePattern("*." + n.String())
}

// parseHost says what text is if it is not a DNS name. Package host judges the rest.
func parseHost(text string) (host.Name, error) {
	const alone = "write the host alone"
	ascii, err := idna.Lookup.ToASCII(text) // RFC 5891
	if err != nil {
		ascii = text // such as a name with an underscore
	}
	n, err := host.Parse(ascii)
	return n, firstFlaw(text,
		flaw{text == "", "is empty", ""},
		flaw{strings.Contains(text, "://"), "has a scheme", alone},
		flaw{strings.ContainsAny(text, "/?#@"), "is more than a host", alone},
		flaw{isAddress(text), "is an address, not a host", "write the name that is in the server's certificate, and the address in upstreams[].address of the file"},
		flaw{strings.Contains(text, ":"), "has a port", alone + ", and the port as the entry's port"},
		flaw{err != nil || n.IsAddr(), "is not a host", ""})
}

// isAddress reports whether text is an IP address, with or without brackets and zone.
func isAddress(text string) bool {
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text, _, _ = strings.Cut(inner, "]")
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// prefix is the form of a range of addresses, or one address.
var prefix = textForm("an address or a range of addresses", "10.0.0.0/8", `^[0-9a-fA-F:.]+(/[0-9]{1,3})?$`, parsePrefix)

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(text)
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, refuse(text, "covers more than the IPv4 addresses", "write the IPv4 range itself")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if err == nil && p != p.Masked() {
		err = refuse(text, "has bits beyond its mask", "write "+p.Masked().String())
	}
	return p, err
}

// nameServer is the form of the address of a DNS server.
var nameServer = textForm("the address of a DNS server", "10.0.0.53", `^[0-9a-fA-F:.\[\]]+$`, func(text string) (netip.AddrPort, error) {
	server, err := names.ParseServer(text)
	if err != nil {
		return server, refuse(text, "is not the address of a DNS server", "write e.g. 10.0.0.53 or 10.0.0.53:5353")
	}
	return server, nil
})

// parentProxy is the form of http://[user@]host:port, or https. A rejected value
// is not shown, because it may contain a password.
var parentProxy = textForm("a parent proxy", "http://user@proxy.corp:8080", `^https?://([^:/?#@]+@)?[^/?#@]+:[0-9]{1,5}/?$`, func(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return "", Problem{Message: "is not the URL of a proxy"}
	}
	_, password := u.User.Password()
	_, address := remoteAddress.parse(u.Host)
	return text, firstFlaw("",
		flaw{u.Scheme != "http" && u.Scheme != "https", "is neither http:// nor https://; other kinds of parent proxy are not supported", ""},
		flaw{u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery, "has more than a user, host and port", ""},
		flaw{password, "has a password", "put it into a file and name that in upstream.parent_proxy_password_file"},
		flaw{u.User != nil && u.User.Username() == "", "has an empty user", ""},
		flaw{address != nil, "has no valid host and port", ""})
})

// hosts is the form of an address, a range of addresses, a host or *.domain.
var hosts = textForm("an address, a range of addresses, or a host", "10.0.0.0/8", `^(\*\.)?[^*?#@\s]+$`, func(text string) (host.Set, error) {
	if addresses := strings.Contains(text, "/") && !strings.Contains(text, "://"); addresses || isAddress(text) {
		p, err := parsePrefix(text)
		return host.Set{Prefix: p}, err
	}
	if strings.HasPrefix(text, ".") && !strings.ContainsAny(text, "@?") {
		return host.Set{}, refuse(text, "is not a pattern", "write \"*"+text+"\"")
	}
	p, err := parsePattern(text)
	return host.Set{Pattern: p}, err
})

// loopback reports whether address, a valid host:port, is bound to the loopback
// interface only.
func loopback(address string) bool {
	name, _ := endpoint(address)
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// endpoint splits a valid host:port into a comparable host and the port. The host
// is "" for the wildcard of both families.
func endpoint(address string) (name string, port int64) {
	name, digits, _ := net.SplitHostPort(address)
	if name = strings.ToLower(name); name == "localhost" {
		name = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip != netip.IPv6Unspecified() {
		name = ip.Unmap().String()
	} else if err == nil {
		name = ""
	}
	return name, number(digits)
}
