package call

import (
	"context"
	"net/netip"
	"time"
)

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
