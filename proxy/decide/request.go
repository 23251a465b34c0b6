package decide

import (
	"net/http"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// Target is where a request wants to go, according to its head.
type Target struct {
	Absolute bool      // absolute form (RFC 9112 section 3.2.2)
	Scheme   string    // of absolute form, in lower case
	Host     host.Name // of the target, else the Host field; the zero Name = none named
	Port     uint16    // named with the host; 0 = none
	Path     string    // path and query, byte for byte
}

// Head is what a request's head says besides its target.
type Head struct {
	Method     string
	Blanks     bool  // its target contains raw spaces or tabs
	Upgrade    bool  // it asks for another protocol
	OwnVia     bool  // its Via contains our own element
	Unadmitted error // why its proxy credentials were rejected; nil = accepted, or none are needed
}

// Place is how a request came in and what it names.
type Place struct {
	Ingress  call.Ingress
	SeesHTTP bool      // the caller asked for an http URL
	Host     host.Name // the zero Name if none is named and none is known
	Port     uint16    // the one named; 0 = none, or the tunnel's applies
	Ours     bool      // the request, its base URL or its tunnel names one of our upstreams
	Base     bool      // the caller used a base URL: the host that it named is tlslift's own, or none
	Prefix   string    // "/HOST" at the start of a base URL's path; "" with default_upstream
}

// Find determines how a request came in and which host it names. If it cannot, the
// Decision is a refusal; otherwise its Action is not Refuse.
func (s *Settings) Find(c *call.Conn, t Target) (Place, Decision) {
	inner := c.Ingress == call.Connect || c.Ingress == call.TLS ||
		c.Ingress == call.Transparent && c.Handling == call.Terminated
	p := Place{Ingress: c.Ingress, SeesHTTP: c.Handling != call.Terminated, Host: t.Host, Port: t.Port}
	p.Ours = s.ours(t.Host) || s.ours(c.Authority)
	switch {
	case inner:
	case t.Absolute:
		p.Ingress, p.SeesHTTP = call.Forward, t.Scheme == "http"
	case c.Listener.Accept.Has(call.Transparent) && c.OriginalDst.IsValid():
		p.Ingress = call.Transparent
	default:
		p.Ingress = call.Gateway
	}
	if t.Absolute && t.Scheme != "http" && t.Scheme != "https" {
		return p, Decision{Reason: problem.Malformed, Detail: detailScheme, Cause: problem.OtherScheme}
	}
	if inner && !c.Authority.IsZero() {
		if p.Host.IsZero() {
			p.Host = c.Authority
		}
		p.Port = 0
		if p.Host != c.Authority {
			return p, refuse(problem.Misdirected, detailMisdirected)
		}
	}
	if !inner || c.Authority.IsZero() {
		if n, port, prefix := s.base(c, p, t); !n.IsZero() {
			p.Host, p.Port, p.Base, p.Prefix = n, port, true, prefix
			p.Ours = p.Ours || prefix != "" && s.ours(n)
		}
	}
	if p.Host.IsZero() || called(c, p.Host) && !c.DefaultHost.IsZero() {
		p.Host, p.Port = fallback(c, p.Ingress)
	}
	if p.Host.IsZero() {
		return p, Decision{Reason: problem.Malformed, Detail: detailNoHost, Cause: problem.Hostless}
	}
	return p, Decision{Action: Upgrade}
}

// knows reports whether a host is one of ours, or the self-test.
func (s *Settings) knows(n host.Name) bool { return n == selfTest || s.ours(n) }

func (s *Settings) ours(n host.Name) bool {
	if n.IsZero() || n == selfTest {
		return false
	}
	_, ours := s.Upstream(n)
	return ours
}

// portOr80 returns the port of an http URL.
func (p Place) portOr80() uint16 {
	if p.Port == 0 {
		return portHTTP
	}
	return p.Port
}

// fallback returns the host for a caller that names none: its default host, or the
// address that it called.
func fallback(c *call.Conn, in call.Ingress) (host.Name, uint16) {
	switch {
	case !c.DefaultHost.IsZero():
		return c.DefaultHost, 0
	case in == call.Transparent:
		return host.OfAddr(c.OriginalDst.Addr()), c.OriginalDst.Port()
	default:
		return host.Name{}, 0
	}
}

// Request decides about one request that is not a CONNECT. found is Find's decision.
// A refused request counts as ours if it names one of our upstreams, unless its
// caller may not use the proxy at all, or is tlslift itself.
func (s *Settings) Request(c *call.Conn, p Place, found Decision, a Head) Decision {
	d := s.request(c, p, found, a)
	if d.Action == Refuse {
		d.Ours = p.Ours && !c.Denied && a.Unadmitted == nil && d.Reason != problem.Loop
	}
	return d
}

func (s *Settings) request(c *call.Conn, p Place, found Decision, a Head) Decision {
	switch {
	case c.Denied:
		return refuse(problem.ACL, detailBarred)
	case a.Unadmitted != nil:
		return refuse(problem.ProxyAuth, a.Unadmitted.Error())
	case !s.serves(a, p.Host):
		return Decision{Reason: problem.Method, Detail: detailMethod, Closes: true}
	case found.Action == Refuse:
		return found
	case a.Method == http.MethodTrace:
		return refuse(problem.Method, detailTrace)
	case a.Upgrade:
		return refuse(problem.Method, detailUpgrade)
	case a.OwnVia:
		return refuse(problem.Loop, detailVia)
	case !s.accepts(c.Listener, p.Ingress):
		return refuse(problem.ACL, s.notAccepted(c.Listener, p.Ingress))
	case p.Host == selfTest:
		return Decision{Action: SelfTest, Host: p.Host}
	}
	if own, ours := s.Upstream(p.Host); ours {
		if !portAllowed(c, p, own) {
			return refuse(problem.Port, detailPort)
		}
		return Decision{Action: Upgrade, Host: p.Host, Ours: true}
	}
	port := p.portOr80()
	if p.Ingress != call.Forward {
		// No caller needs a proxy to reach a foreign host in origin form, inside TLS,
		// or inside a tunnel to one of our hosts.
		switch {
		case s.self(p.Host, port):
			return Decision{Reason: problem.Loop, Detail: detailHostless, Cause: problem.Hostless}
		case p.Host.IsAddr(): // no upstream is an address, and a redirected caller may not have named it
			return Decision{Reason: problem.Host, Detail: detailForeignWay, Cause: problem.Hostless}
		default:
			return Decision{Reason: problem.Host, Detail: detailForeignWay, Cause: problem.UnknownHost}
		}
	}
	d := s.foreign(c, p.Host, port, Pass, OthersPass)
	if d.Action == Pass && !p.SeesHTTP {
		return Decision{Reason: problem.Host, Detail: detailForeignTLS, Cause: problem.ForeignHTTPS}
	}
	return d
}

// serves reports whether a request for a host may use its method. For our hosts,
// methods are a closed set. Any other method is often the end of a body whose length
// was counted in characters, not in bytes, so the connection cannot go on. For any
// other host, that holds if the target has blanks: the real request line is in there.
func (s *Settings) serves(a Head, n host.Name) bool {
	if _, known := call.Method(a.Method); known {
		return true
	}
	_, ours := s.Upstream(n)
	return !ours && n != selfTest && !a.Blanks && call.ForeignMethod(a.Method)
}

// portAllowed reports whether a request for an upstream may name the port. http
// targets name port 80 or none. A caller that its hosts file points here names the
// port of our listener.
func portAllowed(c *call.Conn, p Place, own uint16) bool {
	switch {
	case p.Port == 0, p.SeesHTTP && p.Port == portHTTP:
		return true
	case p.Base:
		return p.Port == own
	case p.Ingress == call.Forward && p.SeesHTTP, p.Ingress == call.Forward && p.Port == portHTTP:
		return false
	case p.Ingress != call.Forward && p.Ingress != call.Connect && p.Port == c.Local.Port():
		return true
	default:
		return p.Port == portHTTP || p.Port == portHTTPS || p.Port == own
	}
}

var selfTest = host.MustParse(host.SelfTest)
