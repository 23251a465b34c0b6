package call

import (
	"net/netip"
	"time"

	"tlslift/proxy/hello"
	"tlslift/proxy/host"
)

// Listener is what the configuration says of the listener that accepted a
// connection. It is immutable; a reload makes a new one.
type Listener struct {
	Address string     // as configured, host:port
	Accept  IngressSet // with Transparent, original destinations are taken from the kernel
	// Unauthenticated are the ways in that stay open where callers need proxy
	// credentials, although they cannot carry them.
	Unauthenticated IngressSet
	Client          string    // everything here is this client; "" = not set
	DefaultUpstream host.Name // for callers that name no host; the zero Name = none
}

// Plain reports whether requests outside TLS are accepted.
func (l *Listener) Plain() bool { return l.Accept&Ways(Forward, Connect, Gateway) != 0 }

// Conn is what is known of one client connection. It does not change: what is
// learnt later, from a CONNECT, a ClientHello or a handshake, makes a new Conn.
type Conn struct {
	Number      uint64 // of the connection, in its process
	Listener    *Listener
	Client      netip.AddrPort // the caller, PROXY protocol taken into account, unmapped
	ClientText  string         // the same, for the log
	Anonymous   bool           // it came through a balancer that does not say who it is
	Peer        netip.AddrPort // the socket's other end
	Local       netip.AddrPort // our end of the socket
	OriginalDst netip.AddrPort // before a kernel redirect; zero when unknown
	Accepted    time.Time
	Denied      bool // the Listener's allow does not name this caller

	Ingress     Ingress   // Connect, TLS or Transparent once inside one; Unknown before: each request has its own
	Authority   host.Name // named by CONNECT, else by SNI; the zero Name = none
	Port        uint16    // named by CONNECT; 0 = none
	DefaultHost host.Name // what a caller that names no host may mean: default_upstream, or the host at the address that it called

	Hello    *hello.ClientHello // nil when none was read
	JA4      string             // of Hello
	Handling Handling           // Plain or Terminated: how its requests come
	Version  Version            // negotiated on the client's side; VersionNone in clear
	Cipher   uint16             // negotiated on the client's side; 0 in clear
}

// Offered is the highest version that the connection's ClientHello offers;
// VersionNone without one.
func (c *Conn) Offered() Version {
	if c.Hello == nil {
		return VersionNone
	}
	return VersionOf(c.Hello.MaxVersion)
}
