// Package dial makes connections: it resolves the name of a [Target], judges
// its addresses, tries them in turn, TLS handshake included, or asks a parent proxy
// for a tunnel and shakes hands through it. Plain HTTP needs no tunnel: its
// requests go to the parent proxy.
//
// When something fails here, nothing of a request was sent.
//
// Addresses are guarded. Our own are always refused; internal ones are refused
// unless the Target is exempt. They are judged when they are resolved, again
// just before the system connects, and once more when connected.
package dial

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
)

// maxAddresses bounds how many addresses of one name are tried.
const maxAddresses = 8

// Target is what to connect to. Connections to equal Targets are
// interchangeable.
type Target struct {
	Host       host.Name // resolved, or an address
	Port       uint16
	ServerName host.Name // for SNI and verification; zero = no TLS
	Exempt     bool      // from the guard against internal addresses
	AsSystem   bool      // Host is resolved as any program resolves it, with the whole hosts file
	Direct     bool      // not through the parent proxy
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

	// Net makes a TCP connection in place of the system. judge is called just
	// before an address is connected to.
	Net func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error)
}

// Observer receives what the metrics count. Its methods are called from many
// goroutines and must not block. label is the metrics label "upstream".
type Observer interface {
	// Phase is how long a part of a request took.
	Phase(label string, p Phase, d time.Duration)
	// Handshake is a completed, verified handshake.
	Handshake(label string, version, cipher uint16, resumed bool)
	// Certificate is when the server's certificate ends.
	Certificate(label string, notAfter time.Time)
	// ClassicHello is a handshake that is tried again with the classic hello.
	ClassicHello(label string)
}

// Phase is a part of a request's time. Its String is the value of the metrics
// label "phase".
type Phase uint8

// The phases.
const (
	PhaseDNS Phase = iota
	PhaseConnect
	PhaseTLS
	PhaseFirstByte // until the answer; not of a Dialer
)

func (p Phase) String() string { return [...]string{"dns", "connect", "tls", "first_byte"}[p] }

// Tunnel makes a TCP connection, directly or through the parent proxy, without
// TLS of ours. It has a CloseWrite method. The error is an *Error.
func (d *Dialer) Tunnel(ctx context.Context, t Target, label string) (net.Conn, error) {
	c, err := connect(ctx, d, t, label, true, func(_ context.Context, top net.Conn, _ *socket) (net.Conn, error) { return top, nil })
	if err != nil {
		return nil, asError(ctx, err, problem.Connect)
	}
	return c, nil
}

// Forwards reports whether plain HTTP requests to the target go to the parent
// proxy, in absolute form (RFC 9112 section 3.2.2). A Connect for them then makes a
// connection to that.
func (d *Dialer) Forwards(t Target) bool {
	return d.Parent != nil && !t.Direct && t.ServerName.IsZero()
}

// connect returns what use makes of the top of the layers and the socket below
// them. tunnel says that the parent proxy, if there is one on the way, is to connect
// to the target.
func connect[T any](ctx context.Context, d *Dialer, t Target, label string, tunnel bool, use func(context.Context, net.Conn, *socket) (T, error)) (made T, err error) {
	dialing, cancel := withTimeout(ctx, d.Timeout, "upstream.dial_timeout")
	defer cancel()
	// The name is judged first: it is all there is when a parent resolves.
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
		d.Observer.Phase(label, PhaseConnect, d.Now().Sub(start))
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
		d.Observer.Phase(label, PhaseConnect, d.Now().Sub(start))
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

// resolve returns the addresses to try, best first, without those that are
// refused; if that leaves none, the refusal.
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
		d.Observer.Phase(label, PhaseDNS, d.Now().Sub(start))
	}
	if err != nil {
		return nil, &Error{Reason: problem.DNS, Err: err}
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
