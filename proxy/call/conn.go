package call

import (
	"net/netip"
	"time"

	"tlslift/proxy/hello"
	"tlslift/proxy/host"
)

// Listener is the configuration of the listener that accepted a connection. It is
// immutable; a reload makes a new one.
type Listener struct {
	Address string     // as configured, host:port
	Accept  IngressSet // with Transparent, the kernel is asked for original destinations
	// Unauthenticated are the ways in that stay open where callers need proxy
	// credentials, even though they cannot carry any.
	Unauthenticated IngressSet
	Client          string    // every caller here is this client; "" = not set
	DefaultUpstream host.Name // for callers that name no host; the zero Name = none
}

// Plain reports whether requests outside TLS are accepted.
func (l *Listener) Plain() bool { return l.Accept&Ways(Forward, Connect, Gateway) != 0 }

// Conn is what is known about one client connection. It is immutable: what is learnt
// later, from a CONNECT, a ClientHello or a handshake, makes a new Conn.
type Conn struct {
	Number      uint64 // of the connection, in its process
	Listener    *Listener
	Client      netip.AddrPort // the caller, from the PROXY protocol if there is one; unmapped
	ClientText  string         // the same, for the log
	Anonymous   bool           // came through a balancer that does not say who the caller is
	Peer        netip.AddrPort // the socket's remote address
	Local       netip.AddrPort // the socket's local address
	OriginalDst netip.AddrPort // where it was going before a kernel redirect; zero when unknown
	Accepted    time.Time
	Denied      bool // the Listener's allow does not name this caller

	Ingress     Ingress   // Connect, TLS or Transparent once inside one; before that Unknown, since each request has its own
	Authority   host.Name // named by CONNECT, else by SNI; the zero Name = none
	Port        uint16    // named by CONNECT; 0 = none
	DefaultHost host.Name // what a caller that names no host may mean: default_upstream, or the host at the address it called

	Hello    *hello.ClientHello // nil when none was read
	JA4      string             // of Hello
	Handling Handling           // Plain or Terminated: how its requests arrive
	Version  Version            // negotiated on the client's side; VersionNone without TLS
	Cipher   uint16             // negotiated on the client's side; 0 without TLS
}

// Offered returns the highest version that the connection's ClientHello offers, or
// VersionNone without one.
func (c *Conn) Offered() Version {
	if c.Hello == nil {
		return VersionNone
	}
	return VersionOf(c.Hello.MaxVersion)
}
