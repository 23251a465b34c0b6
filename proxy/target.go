package proxy

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// SelfTestHost is answered by tlslift itself on every way in: what it saw of
// the caller, and what to change (design, section 5).
const SelfTestHost = "check.tlslift.test"

// target is where a request wants to go, before it is decided whether it may.
type target struct {
	ingress call.Ingress
	scheme  string // "http" or "https", as the caller sees it
	host    string // lower case, no port, no trailing dot
	port    uint16 // 0 = none was named
	raw     string // origin form, byte for byte
}

// refusal is a decision not to send a request.
type refusal struct {
	reason problem.Reason
	status int    // 0 = the reason's own
	detail string // for the log: a closed text
}

// targetOf reads the target of a request that passed the front's judgement.
// RequestURI is used rather than URL, which has already been decoded.
func targetOf(arr *call.Conn, r *http.Request) (target, *refusal) {
	t := target{ingress: arr.Ingress, scheme: "http"}
	if arr.Handling == call.Terminated {
		t.scheme = "https"
	}
	inner := arr.Ingress == call.Connect || arr.Ingress == call.TLS ||
		(arr.Ingress == call.Transparent && arr.Handling == call.Terminated)

	authority := r.Host
	if scheme, auth, raw, ok := splitAbsolute(r.RequestURI); ok {
		authority, t.raw = auth, raw
		if !inner {
			t.ingress, t.scheme = call.Forward, scheme
		}
		if scheme != "http" && scheme != "https" {
			return t, &refusal{reason: problem.Malformed, detail: "the target's scheme is neither http nor https"}
		}
	} else {
		t.raw = r.RequestURI
		if !inner {
			t.ingress = call.Gateway
			if arr.Listener.Transparent && arr.OriginalDst.IsValid() {
				t.ingress = call.Transparent
			}
		}
	}
	host, port, ok := splitAuthority(authority)
	if !ok {
		return t, &refusal{reason: problem.Malformed, detail: "the target's host cannot be read"}
	}
	t.host, t.port = host, port
	if inner && arr.Authority != "" {
		if t.host == "" {
			t.host = arr.Authority
		}
		if t.host != arr.Authority {
			return t, &refusal{reason: problem.Misdirected, detail: "the request names another host than its tunnel"}
		}
		t.port = 0 // the tunnel's port decides
	}
	if t.host == "" {
		t.host, t.port = arr.Guess, 0
	}
	if t.host == "" {
		t.host, t.port, _ = splitAuthority(arr.Listener.DefaultUpstream)
	}
	if t.host == "" && t.ingress == call.Transparent {
		t.host, t.port = arr.OriginalDst.Addr().String(), arr.OriginalDst.Port()
	}
	if t.host == "" {
		return t, &refusal{reason: problem.Malformed, detail: "no host is named, and the listener has no default_upstream"}
	}
	return t, nil
}

// splitAbsolute takes an absolute-form target (RFC 9112 3.2.2) apart. raw is
// what an origin server is sent, byte for byte.
func splitAbsolute(uri string) (scheme, authority, raw string, ok bool) {
	if strings.HasPrefix(uri, "/") || uri == "*" {
		return "", "", "", false
	}
	scheme, rest, found := strings.Cut(uri, "://")
	if !found {
		return "", "", "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		return strings.ToLower(scheme), rest, "/", true
	}
	raw = rest[end:]
	if raw[0] != '/' {
		raw = "/" + raw
	}
	return strings.ToLower(scheme), rest[:end], raw, true
}

// splitAuthority normalises host[:port] (RFC 3986 3.2): lower case, no
// trailing dot, no userinfo, IPv6 without brackets. An empty authority is an
// empty host.
func splitAuthority(authority string) (host string, port uint16, ok bool) {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	portText := ""
	switch {
	case strings.HasPrefix(authority, "["):
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", 0, false
		}
		host, portText = authority[1:end], authority[end+1:]
		if _, err := netip.ParseAddr(host); err != nil {
			return "", 0, false
		}
		if portText != "" && portText[0] != ':' {
			return "", 0, false
		}
		portText = strings.TrimPrefix(portText, ":")
	default:
		host = authority
		if i := strings.IndexByte(authority, ':'); i >= 0 {
			host, portText = authority[:i], authority[i+1:]
		}
	}
	if portText != "" {
		p, err := strconv.ParseUint(portText, 10, 16)
		if err != nil || p == 0 {
			return "", 0, false
		}
		port = uint16(p)
	}
	host = strings.TrimSuffix(lower(host), ".")
	return host, port, true
}

// lower is strings.ToLower for host names, without an allocation when there is
// nothing to do.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			return strings.ToLower(s)
		}
	}
	return s
}

// decision is what becomes of a request.
type decision struct {
	route    *upstream.Route // where it goes; nil = answered here
	ours     bool            // one of the configured upstreams
	selfTest bool
	refusal  *refusal
}

// decide applies the rules of design.md section 1 to a plain request.
func (s *Server) decide(arr *call.Conn, t target) decision {
	if !accepted(arr.Listener, t.ingress) {
		return decision{refusal: &refusal{reason: problem.ACL, detail: "this listener does not accept the " + t.ingress.String() + " way in"}}
	}
	if t.host == SelfTestHost {
		return decision{selfTest: true}
	}
	tunnelled := t.ingress == call.Connect || t.ingress == call.TLS
	route, verdict := s.route(t.host, s.upstreamPort(arr, t))
	switch {
	case verdict == upstream.Ours:
		return decision{route: route, ours: true}
	case verdict == upstream.PortRefused:
		return decision{ours: true, refusal: &refusal{reason: problem.Port, detail: "the port is not one of this upstream"}}
	case s.isSelf(arr, t):
		return decision{refusal: &refusal{reason: problem.Loop, detail: "the target is tlslift itself"}}
	case s.settings.Load().others(arr.Listener) != othersPass || tunnelled:
		return decision{refusal: &refusal{reason: problem.Host, detail: "the host is not one of the upstreams"}}
	case t.scheme != "http":
		return decision{refusal: &refusal{reason: problem.Host, detail: "foreign https needs CONNECT"}}
	}
	port := t.port
	if port == 0 {
		port = 80
	}
	foreign := s.foreign(t.host, port, s.guards(arr))
	if foreign == nil {
		return decision{refusal: &refusal{reason: problem.Malformed, detail: "the host is no host name"}}
	}
	return decision{route: foreign}
}

// guards reports whether internal addresses are refused to a caller of somebody
// else's host: on a loopback listener callers could go there themselves.
func (s *Server) guards(arr *call.Conn) bool {
	return !arr.Listener.Loopback && !s.settings.Load().cfg.AllowInternalAddresses
}

// upstreamPort is the port Route is asked for: 0 lets the upstream's own port
// stand. http targets may name port 80 or none; a caller pointed here by its
// hosts file names the port it was pointed to.
func (s *Server) upstreamPort(arr *call.Conn, t target) uint16 {
	switch {
	case t.ingress == call.Connect:
		return arr.Port
	case t.scheme == "http" && t.port == 80:
		return 0
	case (t.ingress == call.Gateway || t.ingress == call.TLS || t.ingress == call.Transparent) &&
		(t.port == arr.Local.Port() || t.port == 443):
		return 0
	case t.ingress == call.Forward && (t.scheme == "http" && t.port != 0 || t.scheme == "https" && t.port == 80):
		return portNever
	default:
		return t.port
	}
}

// portNever is a port that no upstream has.
const portNever = 65535

func accepted(l *call.Listener, in call.Ingress) bool {
	switch in {
	case call.Forward:
		return l.Forward
	case call.Connect:
		return l.Connect
	case call.Gateway:
		return l.Gateway
	case call.TLS:
		return l.TLS
	default:
		return l.Transparent
	}
}

// isSelf reports whether a target names one of our own listeners.
func (s *Server) isSelf(arr *call.Conn, t target) bool {
	port := t.port
	if port == 0 {
		port = 80
	}
	if t.host == "localhost" {
		return s.Own(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)) ||
			s.Own(netip.AddrPortFrom(netip.IPv6Loopback(), port))
	}
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return s.Own(netip.AddrPortFrom(addr.Unmap(), port))
	}
	return false
}
