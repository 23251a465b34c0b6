// Package arrival holds the one type that says what is known of a client
// connection, from the front door to the ledger. It rides in the connection's
// context, so that nothing is looked up twice.
//
// The package is pure: enums, plain data and context plumbing.
package call

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"
)

// Ingress is the way a request came in (design, section 1). Its String is the
// value of the metrics label and the log field "ingress".
type Ingress uint8

// The ways in. Unknown is the zero value, before the first request was seen.
const (
	Unknown     Ingress = iota
	Forward             // absolute-form target: HTTP_PROXY (RFC 9112 3.2.2)
	Gateway             // origin-form target and Host: hosts file, DNS override
	Connect             // inside a CONNECT tunnel (RFC 9110 9.3.6)
	TLS                 // a ClientHello straight away
	Transparent         // redirected by the kernel
)

// Ingresses lists every way in that has a label value.
var Ingresses = [...]Ingress{Forward, Gateway, Connect, TLS, Transparent}

func (i Ingress) String() string {
	switch i {
	case Forward:
		return "forward"
	case Gateway:
		return "gateway"
	case Connect:
		return "connect"
	case TLS:
		return "tls"
	case Transparent:
		return "transparent"
	default:
		return "unknown"
	}
}

// Handling is what was done with a connection. Its String is the value of the
// metrics label "handling".
type Handling uint8

// What can be done with a connection.
const (
	Plain      Handling = iota // HTTP in clear, upgraded request by request
	Terminated                 // TLS ended here with a leaf of the local CA
	Spliced                    // TLS relayed untouched to a configured upstream
	Tunnelled                  // bytes relayed to a foreign host
	Refused                    // answered with an error or an alert, then closed
)

// Handlings lists every handling.
var Handlings = [...]Handling{Plain, Terminated, Spliced, Tunnelled, Refused}

func (h Handling) String() string {
	switch h {
	case Plain:
		return "plain"
	case Terminated:
		return "terminated"
	case Spliced:
		return "spliced"
	case Tunnelled:
		return "tunnelled"
	default:
		return "refused"
	}
}

// Version is the protocol the client spoke on its side of tlslift. Its String
// is the value of the metrics label and the log field "tls_version".
type Version uint8

// The versions, oldest first, so that they can be compared.
const (
	VersionNone Version = iota // plaintext HTTP
	VersionSSL3
	Version10
	Version11
	Version12
	Version13
)

// Versions lists every version.
var Versions = [...]Version{VersionNone, VersionSSL3, Version10, Version11, Version12, Version13}

func (v Version) String() string {
	switch v {
	case VersionSSL3:
		return "ssl3"
	case Version10:
		return "1.0"
	case Version11:
		return "1.1"
	case Version12:
		return "1.2"
	case Version13:
		return "1.3"
	default:
		return "none"
	}
}

// Insecure reports whether the version is below what SMSPortal will accept:
// plaintext, SSL 3.0, TLS 1.0 or TLS 1.1.
func (v Version) Insecure() bool { return v < Version12 }

// VersionOf maps a version number of the TLS wire format (RFC 8446 4.1.2) to
// a Version. Numbers below 0x0301 are VersionSSL3, unknown higher ones
// Version13.
func VersionOf(wire uint16) Version {
	switch {
	case wire < tls.VersionTLS10:
		return VersionSSL3
	case wire == tls.VersionTLS10:
		return Version10
	case wire == tls.VersionTLS11:
		return Version11
	case wire == tls.VersionTLS12:
		return Version12
	default:
		return Version13
	}
}

// Listener is what a connection inherits from the listener that accepted it.
// It is immutable; a reload makes a new one.
type Listener struct {
	Address         string // as configured, host:port
	Loopback        bool   // bound to a loopback address
	Forward         bool   // accepts absolute-form requests
	Connect         bool   // accepts CONNECT
	Gateway         bool   // accepts origin-form requests
	TLS             bool   // accepts a ClientHello straight away
	Transparent     bool   // original destinations are taken from the kernel
	Strict          bool   // behave as after every sunset
	Client          string // everything here is this client; "" = not set
	DefaultUpstream string // for callers that name no host; "" = none
}

// Conn is what is known of one client connection. It is written by the
// goroutine that currently owns the connection (front, then tunnel or the
// request's handler) and never concurrently.
type Conn struct {
	Listener    *Listener
	Client      netip.AddrPort // the caller, PROXY protocol taken into account, unmapped
	Peer        netip.AddrPort // the socket's other end
	Local       netip.AddrPort // our end of the socket
	OriginalDst netip.AddrPort // before a kernel redirect; zero when unknown
	Accepted    time.Time
	Barred      bool // the listener's allow does not name this caller

	Ingress   Ingress  // of the first request; Unknown before
	Handling  Handling // what is being done with the connection
	Version   Version  // the client's side
	Cipher    uint16   // the client's side, 0 in clear
	Authority string   // host named by CONNECT, else by SNI: lower case, no port, no trailing dot; "" = none
	Guess     string   // host that a caller who names none may mean: default_upstream, or whose address it called; "" = none
	Port      uint16   // port named by CONNECT; 0 = none
}

type contextKey struct{}

// NewContext returns a context that carries a.
func NewContext(ctx context.Context, a *Conn) context.Context {
	return context.WithValue(ctx, contextKey{}, a)
}

// FromContext returns the Arrival that NewContext stored, or nil.
func FromContext(ctx context.Context) *Conn {
	a, _ := ctx.Value(contextKey{}).(*Conn)
	return a
}
