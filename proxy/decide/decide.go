// Package decide says what shall happen with a request, a CONNECT, a ClientHello
// or a redirected connection (design, section 1). A decision is a value, made
// from what is known before anything is done, so every way in follows the same
// rules.
//
// The package is pure.
package decide

import (
	"net/netip"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// Action is what shall happen. Its String is the value of the log field
// "decision".
type Action uint8

// The actions. Refuse is the zero value.
const (
	Refuse    Action = iota // an error answer, or an alert
	Upgrade                 // sent to one of our upstreams over TLS
	Pass                    // a foreign request, forwarded unchanged
	Inspect                 // a CONNECT to one of our hosts, or a silent caller: what follows decides
	Splice                  // TLS to one of our upstreams, relayed untouched
	Terminate               // TLS ended here; its requests are decided one by one
	Relay                   // bytes relayed to a foreign host
	SelfTest                // answered here
)

func (a Action) String() string {
	switch a {
	case Upgrade:
		return "upgrade"
	case Pass:
		return "pass"
	case Inspect:
		return "inspect"
	case Splice:
		return "splice"
	case Terminate:
		return "terminate"
	case Relay:
		return "relay"
	case SelfTest:
		return "self_test"
	default:
		return "refuse"
	}
}

// Decision is what shall happen with one request or tunnel.
type Decision struct {
	Action      Action
	Host        host.Name // where it goes; the zero Name when only an inner Host knows
	DefaultHost host.Name // what a caller that names no host may mean
	Port        uint16    // of a foreign host; 0 for an upstream, which knows its own
	Ours        bool      // it is for one of our upstreams, or may be
	Guard       bool      // internal addresses are refused
	Direct      bool      // not through the parent proxy, which takes TLS and plain HTTP alone

	// Of a refusal.
	Reason  problem.Reason
	Detail  string                // for the log: a closed text
	Cause   problem.Cause         // for the answer
	Closes  bool                  // the connection cannot go on, though the reason alone would let it
	Failure call.HandshakeFailure // what it says of the client; HandshakeOK = nothing
	Alert   uint8                 // TLS alert (RFC 8446 section 6), where there is no HTTP yet
}

// Others is what happens to hosts that are no upstream.
type Others uint8

// What can happen to other hosts.
const (
	OthersRefuse Others = iota
	OthersTunnel        // CONNECT is relayed
	OthersPass          // CONNECT is relayed, plain HTTP is forwarded
	OthersAuto          // pass for local callers, else refuse
)

// String is the word in the configuration.
func (o Others) String() string {
	return [...]string{OthersRefuse: "refuse", OthersTunnel: "tunnel", OthersPass: "pass", OthersAuto: "auto"}[o]
}

// Settings is what the configuration, and this machine, say about decisions.
// It is not changed once made.
type Settings struct {
	// Upstream reports whether a host is one of ours, and the port that its
	// clients know it by.
	Upstream func(host.Name) (port uint16, ours bool)
	// Others is what happens to foreign hosts.
	Others Others
	// Local reports whether an address is loopback or this host's.
	Local func(netip.Addr) bool
	// AllowInternal lets foreign hosts be internal addresses for every caller.
	AllowInternal bool
	// Authenticated says that callers need proxy credentials.
	Authenticated bool
	// CA says that there is a CA, so TLS can be terminated.
	CA bool
	// Own reports whether an address is one of our own listeners, or the admin
	// side's.
	Own func(netip.AddrPort) bool
	// Listens returns the default_upstream of the listener at an address; false
	// when there is none.
	Listens func(netip.AddrPort) (host.Name, bool)
	// Lookup returns the addresses of a name as this machine's programs see it,
	// by its hosts file too. It may take a second.
	Lookup func(host.Name) []netip.Addr
	// OwnerOf says whose an address is, and the upstream that it belongs to. Of
	// OwnerUnresolved that is the name that cannot be resolved.
	OwnerOf func(netip.Addr) (host.Name, call.Owner)
}

const (
	portHTTP  = 80
	portHTTPS = 443
)

// Details of refusals, for the log.
const (
	detailBarred      = "the caller is not on the listener's allow list"
	detailIngress     = "this listener does not accept this way in"
	detailUsers       = "clients.users_file admits only forward and connect on this listener; see listen[].unauthenticated"
	detailTrace       = "TRACE would show the caller its own secrets"
	detailMethod      = "not a method: perhaps the end of a body whose length was counted in characters"
	detailUpgrade     = "protocol upgrades have no use with this API"
	detailVia         = "the request has passed through this tlslift before"
	detailScheme      = "the target's scheme is neither http nor https"
	detailNoHost      = "no host is named, and the listener has no default_upstream"
	detailMisdirected = "the request names another host than its tunnel"
	detailPort        = "the port is not one of this upstream"
	detailConnectPort = "CONNECT is for port 443 of our hosts, or the upstream's own port"
	detailSelf        = "the target is tlslift itself"
	detailForeign     = "the host is not one of the upstreams"
	detailForeignTLS  = "foreign https needs CONNECT"
	detailForeignWay  = "hosts that are not upstreams are served only in absolute form and by CONNECT"
	detailAuthority   = "the CONNECT authority cannot be read"
	detailNested      = "CONNECT within a tunnel"
	detailNoConnect   = "this listener does not accept CONNECT"
	detailOwnHello    = "this hello is one that tlslift itself is sending"
	detailOwnDst      = "the original destination is tlslift itself"
	detailUnresolved  = "no host is named, and an upstream's addresses are not known"
	detailSelfTestCA  = "the self-test over TLS needs a CA: see legacy_tls.ca"
	detailModernOther = "a modern client names a host that is not an upstream"
	detailModernNone  = "a modern client names no host (no SNI, or an address), and the listener has no default_upstream"
)

func refuse(reason problem.Reason, detail string) Decision {
	return Decision{Reason: reason, Detail: detail}
}

// local reports whether a caller is on this host, so it could go itself where it
// wants to be taken. What counts is its own address, PROXY protocol taken into
// account: a balancer on this host brings callers from elsewhere.
func (s *Settings) local(c *call.Conn) bool {
	switch client := c.Client.Addr(); {
	case c.Anonymous:
		return false
	case client.IsLoopback(): // that of this host only if it was sent from here
		return s.Local(c.Peer.Addr())
	default:
		return s.Local(client)
	}
}

// guard reports whether internal addresses are refused to a caller of a foreign
// host.
func (s *Settings) guard(c *call.Conn) bool { return !s.AllowInternal && !s.local(c) }

// others is what happens to a caller's foreign hosts.
func (s *Settings) others(c *call.Conn) Others {
	switch {
	case s.Others != OthersAuto:
		return s.Others
	case s.local(c):
		return OthersPass
	default:
		return OthersRefuse
	}
}

// self reports whether a host and port are one of our own listeners.
func (s *Settings) self(n host.Name, port uint16) bool {
	switch {
	case n.IsAddr():
		return s.Own(netip.AddrPortFrom(n.Addr(), port))
	case n.Loopback():
		return s.Own(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)) ||
			s.Own(netip.AddrPortFrom(netip.IPv6Loopback(), port))
	default:
		return false
	}
}

// foreign decides about a host that is no upstream, for plain HTTP or a tunnel.
func (s *Settings) foreign(c *call.Conn, n host.Name, port uint16, action Action, needed Others) Decision {
	switch {
	case s.self(n, port):
		return refuse(problem.Loop, detailSelf)
	case s.others(c) < needed:
		return refuse(problem.Host, detailForeign)
	}
	return Decision{Action: action, Host: n, Port: port, Guard: s.guard(c)}
}

// notAccepted is why a listener does not accept a way in, for the log.
func (s *Settings) notAccepted(l *call.Listener, in call.Ingress) string {
	if s.Authenticated && !in.CarriesCredentials() && !l.Unauthenticated.Has(in) {
		return detailUsers
	}
	return detailIngress
}

// accepts reports whether a listener accepts a way in. Where callers need proxy
// credentials, a way in that cannot carry them is closed, unless the listener says
// otherwise.
func (s *Settings) accepts(l *call.Listener, in call.Ingress) bool {
	open := in.CarriesCredentials() || !s.Authenticated || l.Unauthenticated.Has(in)
	return open && l.Accept.Has(in)
}
