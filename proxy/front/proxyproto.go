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

// readProxyHeader takes a PROXY protocol header, version 1 or 2, off the
// connection and returns the caller that it names. LOCAL, a health check of the
// balancer's own, names no caller: the zero AddrPort. UNKNOWN, and a family other
// than IP, stand for a caller that is not named: anonymous. The header is gathered
// here, however it is cut into segments: the library wants it in one. After an
// error nothing was consumed.
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
	ownCheck := header.Version == 2 && header.Command.IsLocal() // of an UNKNOWN of version 1 the library says local too
	return client, !client.IsValid() && !ownCheck, nil
}

// proxyHeaderLen returns the length of the header that b begins with, or, when
// b is too short, a length greater than that of b.
func proxyHeaderLen(b []byte) (int, error) {
	const (
		longestV1 = 107 // with CRLF
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
// protocol header. No request of HTTP begins so.
func isProxyHeader(b []byte) bool {
	const family = "PROXY TCP4" // or as long
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
