package proxy

import (
	"bytes"
	"strings"
	"time"

	"tlslift/proxy/host"
)

// headPeek is how much of a redirected connection's first request is looked at
// to find out which host it is for, in bytes.
const headPeek = 4 << 10

// peekHost finds the host of the first request without consuming anything. It
// is the zero Name when the bytes are no HTTP head, or name no host.
func (c *conn) peekHost(deadline time.Time) host.Name {
	c.front.Await(deadline)
	seen, err := c.front.Peek(1)
	for err == nil && len(seen) < headPeek && mayGoOn(seen) {
		seen, err = c.front.Peek(len(seen) + 1)
	}
	return hostOfHead(bytes.TrimLeft(seen, "\r\n"))
}

// mayGoOn reports whether b may be the beginning of a request's head that is not
// complete. Other protocols are known by their first line, or by a first word that
// is no method (RFC 9112 section 3): their servers are not kept waiting.
func mayGoOn(b []byte) bool {
	b = bytes.TrimLeft(b, "\r\n") // RFC 9112 section 2.2
	line, rest, whole := bytes.Cut(b, []byte("\n"))
	if !whole {
		method, _, _ := bytes.Cut(line, []byte(" "))
		return !bytes.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r > '~' })
	}
	return bytes.Contains(line, []byte(" HTTP/")) &&
		!bytes.HasPrefix(rest, []byte("\n")) && !bytes.HasPrefix(rest, []byte("\r\n")) &&
		!bytes.Contains(rest, []byte("\r\n\r\n")) && !bytes.Contains(rest, []byte("\n\n"))
}

// hostOfHead reads the host of a raw request head: of an absolute target, else
// of the Host field.
func hostOfHead(head []byte) host.Name {
	line, rest, _ := strings.Cut(string(head), "\n")
	parts := strings.Fields(line)
	if len(parts) < 2 || !strings.HasPrefix(parts[len(parts)-1], "HTTP/") {
		return host.Name{}
	}
	if _, after, absolute := strings.Cut(parts[1], "://"); absolute && parts[1][0] != '/' {
		if end := strings.IndexAny(after, "/?#"); end >= 0 {
			after = after[:end]
		}
		return authorityHost(after[strings.LastIndexByte(after, '@')+1:])
	}
	for line := range strings.Lines(rest) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(name, "host") {
			return authorityHost(strings.TrimSpace(value))
		}
	}
	return host.Name{}
}

func authorityHost(authority string) host.Name {
	n, _, _ := host.ParseAuthority(authority)
	return n
}
