// Package dial makes connections. It resolves the name of a [Target], judges its
// addresses, and tries them in turn, TLS handshake included. Through a parent proxy,
// it asks for a tunnel and does the handshake inside it. Plain HTTP needs no tunnel:
// its requests go to the parent proxy.
//
// If something fails here, no byte of a request was sent.
//
// Addresses are guarded. Our own are always refused; internal ones are refused unless
// the Target is exempt. They are judged when they are resolved, just before the
// system connects, and once more after it has connected.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
)

// maxAddresses limits how many addresses of one name are tried.
const maxAddresses = 8

// Target is what to connect to. Connections to equal Targets are
// interchangeable.
type Target struct {
	Host       host.Name // resolved, or an address
	Port       uint16
	ServerName host.Name // for SNI and verification; zero = no TLS
	Exempt     bool      // exempt from the guard against internal addresses
	AsSystem   bool      // Host is resolved as any program does it, with the whole hosts file
	Direct     bool      // bypasses the parent proxy
}

// Dialer makes connections. It is immutable and safe for concurrent use; every
// field but Parent and Net must be set.
type Dialer struct {
	Names      *names.Resolver
	Loops      *Loops
	Own        func(netip.AddrPort) bool // one of our own listeners, or the admin port
	Parent     *Parent                   // nil = connect directly
	Timeout    time.Duration             // for name, connection and parent proxy together
	TLSTimeout time.Duration             // for one handshake with one address
	Now        func() time.Time
	Observer   Observer
	Logger     *zap.Logger

	// Net, if set, makes TCP connections instead of the system. It must call judge
	// just before it connects to an address.
	Net func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error)
}

// Observer receives what the metrics count. Its methods are called from many
// goroutines and must not block. label is the metrics label "upstream".
type Observer interface {
	// Phase reports how long a part of a request took.
	Phase(label string, p call.Phase, d time.Duration)
	// Handshake reports a completed, verified handshake.
	Handshake(label string, version, cipher uint16, resumed bool)
	// Certificate reports when the server's certificate expires.
	Certificate(label string, notAfter time.Time)
	// ClassicHello reports a handshake that is retried with the classic hello.
	ClassicHello(label string)
}

// Tunnel makes a TCP connection, directly or through the parent proxy, without TLS of
// our own. The connection has a CloseWrite method. The error is an *Error.
func (d *Dialer) Tunnel(ctx context.Context, t Target, label string) (net.Conn, error) {
	c, err := connect(ctx, d, t, label, true, func(_ context.Context, top net.Conn, _ *socket) (net.Conn, error) { return top, nil })
	if err != nil {
		return nil, asError(ctx, err, problem.Connect)
	}
	return c, nil
}

// Forwards reports whether plain HTTP requests to the target go to the parent proxy,
// in absolute form (RFC 9112 section 3.2.2). Connect then connects to the proxy.
func (d *Dialer) Forwards(t Target) bool {
	return d.Parent != nil && !t.Direct && t.ServerName.IsZero()
}

// connect returns what use makes of the topmost layer and the socket at the bottom.
// tunnel means that the parent proxy, if there is one on the way, must connect to the
// target.
func connect[T any](ctx context.Context, d *Dialer, t Target, label string, tunnel bool, use func(context.Context, net.Conn, *socket) (T, error)) (made T, err error) {
	dialing, cancel := withTimeout(ctx, d.Timeout, "upstream.dial_timeout")
	defer cancel()
	// The name is judged first: it is all we know if a parent proxy resolves it.
	switch {
	case t.Host.IsAddr():
		if err := d.judge(netip.AddrPortFrom(t.Host.Addr(), t.Port), t.Exempt); err != nil {
			return made, err
		}
	case t.Host.Loopback() && !t.Exempt:
		return made, &Error{Reason: problem.InternalAddress, Err: errInternal}
	}
	if d.Parent != nil && !t.Direct {
		start, target := d.Now(), ""
		if tunnel {
			target = t.Host.Join(t.Port)
		}
		c, s, err := d.viaParent(dialing, target)
		if err != nil {
			return made, err
		}
		d.Observer.Phase(label, call.PhaseConnect, d.Now().Sub(start))
		if made, err = use(ctx, c, s); err != nil {
			_ = s.Close()
		}
		return made, err
	}
	addrs, err := d.resolve(dialing, t, label)
	if err != nil {
		return made, err
	}
	start := d.Now()
	return first(ctx, dialing, d, addrs, t.Exempt, func(ctx context.Context, s *socket) (T, error) {
		d.Observer.Phase(label, call.PhaseConnect, d.Now().Sub(start))
		return use(ctx, s, s)
	})
}

// judge refuses our own addresses, and internal ones unless exempt.
func (d *Dialer) judge(addr netip.AddrPort, exempt bool) error {
	addr = host.CanonicalPort(addr)
	if d.Own(addr) {
		return &Error{Reason: problem.Loop, Err: fmt.Errorf("%w: %s", errOwnAddress, addr)}
	}
	if !exempt && Internal(addr.Addr()) {
		return &Error{Reason: problem.InternalAddress, Err: fmt.Errorf("%w: %s", errInternal, addr.Addr())}
	}
	return nil
}

// resolve returns the addresses to try, best first, without refused ones. If none is
// left, the error is a refusal.
func (d *Dialer) resolve(ctx context.Context, t Target, label string) ([]netip.AddrPort, error) {
	if t.Host.IsAddr() {
		return []netip.AddrPort{netip.AddrPortFrom(t.Host.Addr(), t.Port)}, nil
	}
	start := d.Now()
	var found []netip.Addr
	var cached bool
	var err error
	if t.AsSystem {
		found, cached, err = d.Names.LookupSystem(ctx, t.Host)
	} else {
		found, cached, err = d.Names.Lookup(ctx, t.Host, func(a netip.Addr) bool { return d.Own(netip.AddrPortFrom(a, t.Port)) })
	}
	if !cached {
		d.Observer.Phase(label, call.PhaseDNS, d.Now().Sub(start))
	}
	if err != nil {
		return nil, asError(ctx, err, problem.DNS)
	}
	var addrs []netip.AddrPort
	for _, a := range found {
		addr := netip.AddrPortFrom(a, t.Port)
		if refusal := d.judge(addr, t.Exempt); refusal != nil {
			err = refusal
			continue
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, err
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}
