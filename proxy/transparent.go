package proxy

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/upstream"
)

// originalDst asks the kernel where a redirected connection was going. A
// connection made to the listener itself has no other destination.
func (s *Server) originalDst(c net.Conn) netip.AddrPort {
	dst := front.OriginalDestination(c)
	if !dst.IsValid() || s.Own(dst) {
		return netip.AddrPort{}
	}
	return dst
}

// headPeek is how much of a redirected connection's first request is looked at
// to find out whom it is for, in bytes.
const headPeek = 4 << 10

// passThrough relays a redirected plain connection that is not for one of our
// hosts byte for byte to where it was going, and reports whether it did.
func (s *Server) passThrough(c *front.Conn) bool {
	arr := c.Arrival()
	host, known := s.peekHost(c)
	if known {
		if host == SelfTestHost {
			return false
		}
		if _, verdict := s.route(host, 0); verdict == upstream.Ours {
			return false
		}
	} else if ours, ok := s.transport.KnownHost(arr.OriginalDst.Addr()); ok {
		arr.Guess = ours.String()
		return false
	}
	sess := newSession(c)
	arr.Ingress = call.Transparent
	s.identifyConnection(sess)
	t := s.newTunnel(sess)
	t.rec.ingress, t.rec.method = call.Transparent, ""
	t.rec.host, t.rec.label = logHost(host), labelOther
	t.rec.route = s.foreign(arr.OriginalDst.Addr().String(), arr.OriginalDst.Port(), false)
	s.tunnels.Go(func() {
		defer s.caught(sess)
		far, err := s.transport.DialTunnel(s.work, t.rec.route, &t.rec.ex)
		if err != nil {
			ref := s.explain(t.rec, err)
			t.rec.reason, t.rec.detail = ref.reason, ref.detail
			t.silent()
			return
		}
		sess.far = far
		t.relay(call.Tunnelled, nil)
	})
	return true
}

// peekHost finds the host of the first request without consuming anything.
// known is false when the bytes are no HTTP head, or name nobody.
func (s *Server) peekHost(c *front.Conn) (host string, known bool) {
	deadline := time.Now().Add(s.settings.Load().cfg.Limits.HeaderTimeout)
	seen, err := c.Peek(1, deadline)
	for err == nil && len(seen) < headPeek && !headComplete(seen) {
		seen, err = c.Peek(len(seen)+1, deadline)
	}
	return hostOfHead(seen)
}

func headComplete(b []byte) bool {
	return bytes.Contains(b, []byte("\r\n\r\n")) || bytes.Contains(b, []byte("\n\n"))
}

// hostOfHead reads the host of a raw request head: of an absolute target, else
// of the Host field.
func hostOfHead(head []byte) (host string, known bool) {
	for i, line := range strings.Split(string(head), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if i == 0 {
			parts := strings.Fields(line)
			if len(parts) < 2 || !strings.HasPrefix(parts[len(parts)-1], "HTTP/") {
				return "", false
			}
			if _, authority, _, ok := splitAbsolute(parts[1]); ok {
				host, _, ok = splitAuthority(authority)
				return host, ok && host != ""
			}
			continue
		}
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "host") {
			host, _, ok = splitAuthority(strings.TrimSpace(value))
			return host, ok && host != ""
		}
		if line == "" {
			break
		}
	}
	return "", false
}
