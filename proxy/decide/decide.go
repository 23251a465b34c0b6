// Package decide decides what happens with a request, a CONNECT, a ClientHello or a
// redirected connection (design, section 1). A decision is a value made from what is
// known, before anything is done, so every way in follows the same rules.
//
// The package is pure.
package decide

import (
	"net/netip"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// Action is what happens. Its String is the value of the log field "decision".
type Action uint8

// The actions. Refuse is the zero value.
const (
	Refuse    Action = iota // an error answer, or an alert
	Upgrade                 // sent to one of our upstreams over TLS
	Pass                    // a foreign request, forwarded unchanged
	Inspect                 // a CONNECT to one of our hosts, or a silent caller: what follows decides
	Splice                  // TLS to one of our upstreams, relayed untouched
	Terminate               // TLS terminated here; its requests are decided one by one
	Relay                   // bytes relayed to a foreign host
	SelfTest                // answered here
)

func (a Action) String() string {
	return [...]string{
		Refuse: "refuse", Upgrade: "upgrade", Pass: "pass", Inspect: "inspect", Splice: "splice",
		Terminate: "terminate", Relay: "relay", SelfTest: "self_test",
	}[a]
}

// Decision is what happens with one request or tunnel.
type Decision struct {
	Action      Action
	Host        host.Name // where it goes; the zero Name if only an inner Host knows
	DefaultHost host.Name // what a caller that names no host may mean
	Port        uint16    // of a foreign host; 0 for an upstream, which knows its own
	Ours        bool      // it is for one of our upstreams, or may be
	Guard       bool      // internal addresses are refused
	Misnamed    bool      // the SNI names no host of ours, but can only mean one
	Direct      bool      // bypasses the parent proxy, which takes only TLS and plain HTTP

	// Set for a refusal.
	Reason  problem.Reason
	Detail  string                // for the log: a fixed text
	Cause   problem.Cause         // for the answer
	Closes  bool                  // the connection must close, even if the reason alone would let it go on
	Failure call.HandshakeFailure // what it shows about the client; HandshakeOK = nothing
	Alert   uint8                 // TLS alert (RFC 8446 section 6), before there is HTTP
}

// Others is what happens to hosts that are not upstreams.
type Others uint8

// What can happen to other hosts.
const (
	OthersRefuse Others = iota
	OthersTunnel        // CONNECT is relayed
	OthersPass          // CONNECT is relayed, plain HTTP is forwarded
	OthersAuto          // pass for local callers, else refuse
)

// String returns the word used in the configuration.
func (o Others) String() string {
	return [...]string{OthersRefuse: "refuse", OthersTunnel: "tunnel", OthersPass: "pass", OthersAuto: "auto"}[o]
}

// Settings is what the configuration, and this machine, contribute to decisions. It
// is immutable.
type Settings struct {
	// Upstream reports whether a host is one of ours, and on which port its clients
	// know it.
	Upstream func(host.Name) (port uint16, ours bool)
	// Others is what happens to foreign hosts.
	Others Others
	// Local reports whether an address is loopback or this host's.
	Local func(netip.Addr) bool
	// AllowInternal lets every caller reach foreign hosts at internal addresses.
	AllowInternal bool
	// Authenticated means that callers need proxy credentials.
	Authenticated bool
	// CA means that there is a CA, so TLS can be terminated.
	CA bool
	// Own reports whether an address is one of our own listeners, or the admin
	// side's.
	Own func(netip.AddrPort) bool
	// Listens returns the default_upstream of our listener at an address, or false if
	// there is none.
	Listens func(netip.AddrPort) (host.Name, bool)
	// Lookup returns the addresses of a name as programs on this machine see them,
	// including its hosts file. It may take a second.
	Lookup func(host.Name) []netip.Addr
	// OwnerOf returns who an address belongs to, and its upstream. For
	// OwnerUnresolved it returns the name that cannot be resolved instead.
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
	detailMisdirected = "the request names a different host from its tunnel"
	detailPort        = "the port is not one of this upstream"
	detailConnectPort = "CONNECT is for port 443 of our hosts, or the upstream's own port"
	detailSelf        = "the target is tlslift itself"
	detailHostless    = "the target is tlslift itself: the request names no API host"
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

// local reports whether a caller is on this host, so it could reach its destination
// by itself. What counts is its own address, from the PROXY protocol if there is one:
// a balancer on this host brings callers from elsewhere.
func (s *Settings) local(c *call.Conn) bool {
	switch client := c.Client.Addr(); {
	case c.Anonymous:
		return false
	case client.IsLoopback(): // this host's loopback only if it was sent from here
		return s.Local(c.Peer.Addr())
	default:
		return s.Local(client)
	}
}

// guard reports whether a caller of a foreign host is refused internal addresses.
func (s *Settings) guard(c *call.Conn) bool { return !s.AllowInternal && !s.local(c) }

// others returns what happens to a caller's foreign hosts.
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

// foreign decides about a host that is not an upstream, for plain HTTP or a tunnel.
func (s *Settings) foreign(c *call.Conn, n host.Name, port uint16, action Action, needed Others) Decision {
	switch {
	case s.self(n, port):
		return refuse(problem.Loop, detailSelf)
	case s.others(c) < needed:
		return refuse(problem.Host, detailForeign)
	}
	return Decision{Action: action, Host: n, Port: port, Guard: s.guard(c)}
}

// notAccepted returns why a listener does not accept a way in, for the log.
func (s *Settings) notAccepted(l *call.Listener, in call.Ingress) string {
	if s.Authenticated && !in.CarriesCredentials() && !l.Unauthenticated.Has(in) {
		return detailUsers
	}
	return detailIngress
}

// accepts reports whether a listener accepts a way in. Where callers need proxy
// credentials, a way in that cannot carry them is closed unless the listener opens
// it.
func (s *Settings) accepts(l *call.Listener, in call.Ingress) bool {
	open := in.CarriesCredentials() || !s.Authenticated || l.Unauthenticated.Has(in)
	return open && l.Accept.Has(in)
}
