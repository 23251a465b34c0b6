package front

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	proxyproto "github.com/pires/go-proxyproto"

	"tlslift/proxy/host"
)

var errNoProxyHeader = errors.New("no PROXY protocol header")

// readProxyHeader reads a PROXY protocol header, version 1 or 2, from the
// connection and returns the caller that it names. LOCAL, which is the balancer's
// own health check, names no caller: client is then the zero AddrPort. For UNKNOWN,
// and for a family other than IP, anonymous is true as well. readProxyHeader
// assembles the header from its segments, because the library needs it in one
// piece. After an error, nothing was consumed.
func readProxyHeader(c *Conn) (client netip.AddrPort, anonymous bool, err error) {
	var head []byte
	for need := 1; ; {
		seen, err := c.Peek(need)
		if err != nil {
			return client, false, fmt.Errorf("waiting for a PROXY protocol header: %w", err)
		}
		n, err := proxyHeaderLen(seen)
		if err != nil {
			return client, false, err
		}
		if n <= len(seen) {
			head = seen[:n]
			break
		}
		need = n
	}
	header, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return client, false, fmt.Errorf("reading a PROXY protocol header: %w", err)
	}
	c.consume(len(head))
	if header.Command.IsProxy() {
		if src, ok := header.SourceAddr.(*net.TCPAddr); ok {
			client = host.OfSocket(src)
		}
	}
	ownCheck := header.Version == 2 && header.Command.IsLocal() // the library reports a version 1 UNKNOWN as local too
	return client, !client.IsValid() && !ownCheck, nil
}

// proxyHeaderLen returns the length of the header that b begins with. If b is too
// short, it returns a length greater than that of b.
func proxyHeaderLen(b []byte) (int, error) {
	const (
		longestV1 = 107 // including CRLF
		fixedV2   = 16  // signature, command, family, length
	)
	switch {
	case begins(b, proxyproto.SIGV1):
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return i + 1, nil
		}
		if len(b) < longestV1 {
			return len(b) + 1, nil
		}
	case begins(b, proxyproto.SIGV2):
		if len(b) < fixedV2 {
			return fixedV2, nil
		}
		return fixedV2 + int(binary.BigEndian.Uint16(b[fixedV2-2:])), nil
	}
	return 0, errNoProxyHeader
}

// isProxyHeader reports whether the first bytes of a connection are a PROXY
// protocol header. No HTTP request begins like that.
func isProxyHeader(b []byte) bool {
	const family = "PROXY TCP4" // as long as the others
	if len(b) < len(family) {
		return false
	}
	switch string(b[:len(family)]) {
	case family, "PROXY TCP6", "PROXY UNKN":
		return true
	}
	return len(b) >= len(proxyproto.SIGV2) && begins(b, proxyproto.SIGV2)
}

// begins reports whether b begins with the signature, as far as b goes.
func begins(b, signature []byte) bool {
	n := min(len(b), len(signature))
	return bytes.Equal(b[:n], signature[:n])
}
