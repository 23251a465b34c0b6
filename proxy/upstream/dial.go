package upstream

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"tlslift/proxy/problem"
)

const (
	// attemptDelay is how long an address is given before the next one is
	// tried too (RFC 8305 5).
	attemptDelay = 250 * time.Millisecond
	// maxAddresses bounds how many addresses of one name are tried.
	maxAddresses = 8
)

// facts are the times that making a connection took.
type facts struct {
	dns, connect, tls time.Duration
}

// dial makes a TCP connection for r: straight, or through the parent proxy.
// The first result is the top of the layers, the socket their bottom. ctx is
// bounded by DialTimeout here.
func (t *Transport) dial(ctx context.Context, r *Route, f *facts) (net.Conn, *socket, error) {
	st := t.state.Load()
	ctx, cancel := context.WithTimeout(ctx, st.opts.DialTimeout)
	defer cancel()
	if err := st.refuseHost(r); err != nil {
		return nil, nil, err
	}
	if st.opts.ParentProxy != nil {
		start := t.now()
		c, s, err := t.dialParent(ctx, st, r.DialHost.Join(r.Port))
		if err != nil {
			return nil, nil, err
		}
		f.connect = t.now().Sub(start)
		st.opts.Observer.Phase(r.Label, PhaseConnect, f.connect)
		return c, s, nil
	}
	addrs, err := t.resolve(ctx, st, r, f)
	if err != nil {
		return nil, nil, err
	}
	start := t.now()
	s, err := t.dialAddrs(ctx, st, addrs, r.exempt)
	if err != nil {
		return nil, nil, err
	}
	f.connect = t.now().Sub(start)
	st.opts.Observer.Phase(r.Label, PhaseConnect, f.connect)
	return s, s, nil
}

// refuseHost judges what can be judged before resolving, which is all there
// is when a parent proxy resolves.
func (s *state) refuseHost(r *Route) error {
	if r.DialHost.IsAddr() {
		return s.refuse(netip.AddrPortFrom(r.DialHost.Addr(), r.Port), r.exempt)
	}
	if !r.exempt && r.DialHost.Loopback() {
		return notSent(problem.InternalAddress, errInternal)
	}
	return nil
}

// resolve returns the addresses to try, best first, without those that are
// refused; if that leaves none, the refusal.
func (t *Transport) resolve(ctx context.Context, st *state, r *Route, f *facts) ([]netip.AddrPort, error) {
	if r.DialHost.IsAddr() {
		return []netip.AddrPort{netip.AddrPortFrom(r.DialHost.Addr(), r.Port)}, nil
	}
	start := t.now()
	var found []netip.Addr
	var cached bool
	var err error
	if r.asSystem {
		found, cached, err = st.names.LookupSystem(ctx, r.DialHost)
	} else {
		found, cached, err = st.names.Lookup(ctx, r.DialHost, func(a netip.Addr) bool { return st.opts.Own(netip.AddrPortFrom(a, r.Port)) })
	}
	if !cached {
		f.dns = t.now().Sub(start)
		st.opts.Observer.Phase(r.Label, PhaseDNS, f.dns)
	}
	if err != nil {
		return nil, notSent(problem.DNS, err)
	}
	var refused error
	addrs := make([]netip.AddrPort, 0, len(found))
	for _, a := range found {
		ap := netip.AddrPortFrom(a, r.Port)
		if err := st.refuse(ap, r.exempt); err != nil {
			refused = err
			continue
		}
		addrs = append(addrs, ap)
	}
	if len(addrs) == 0 {
		return nil, refused
	}
	return addrs[:min(len(addrs), maxAddresses)], nil
}

// dialAddrs connects to the first address that answers, starting with the
// next one whenever one has failed or attemptDelay has passed.
func (t *Transport) dialAddrs(ctx context.Context, st *state, addrs []netip.AddrPort, exempt bool) (*socket, error) {
	if len(addrs) == 1 {
		return t.dialOne(ctx, st, addrs[0], exempt)
	}
	type result struct {
		s   *socket
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var won atomic.Bool
	results := make(chan result, len(addrs))
	try := func(addr netip.AddrPort) {
		s, err := t.dialOne(ctx, st, addr, exempt)
		if err == nil && !won.CompareAndSwap(false, true) {
			_ = s.Close()
			return
		}
		results <- result{s, err}
	}
	timer := time.NewTimer(attemptDelay)
	defer timer.Stop()
	var first error
	for started, failed := 0, 0; ; {
		if started < len(addrs) {
			go try(addrs[started])
			started++
			timer.Reset(attemptDelay)
		}
		for waiting := true; waiting; {
			select {
			case r := <-results:
				if r.err == nil {
					return r.s, nil
				}
				if first == nil {
					first = r.err
				}
				if failed++; failed == len(addrs) {
					return nil, first
				}
				waiting = started == len(addrs)
			case <-timer.C:
				waiting = started == len(addrs)
			}
		}
	}
}

// dialOne connects to one address. The guard judges it again at the last
// moment, in the dialer, and once more when connected.
func (t *Transport) dialOne(ctx context.Context, st *state, addr netip.AddrPort, exempt bool) (*socket, error) {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return st.refuse(ap, exempt)
	}}
	c, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, asError(err, problem.Connect)
	}
	if err := st.refuse(addrPort(c.RemoteAddr()), exempt); err != nil {
		_ = c.Close()
		return nil, err
	}
	return newSocket(t, c), nil
}

// DialTunnel makes a TCP connection for a splice or a tunnel: resolved,
// guarded, through the parent proxy if there is one, without TLS. Of a
// configured host only its address, port and name are used: its TLS settings
// cannot apply to bytes that are passed on. r may be foreign. The connection
// has a CloseWrite method. The error is an *Error.
func (t *Transport) DialTunnel(ctx context.Context, r *Route, ex *Exchange) (net.Conn, error) {
	var f facts
	start := t.now()
	if ctx.Err() != nil {
		return nil, ex.fail(notSent(problem.Draining, errDraining))
	}
	c, s, err := t.dial(ctx, r.untouched(), &f)
	ex.Attempts++
	ex.Wait, ex.DNS, ex.Connect = t.now().Sub(start), f.dns, f.connect
	if err != nil {
		if ctx.Err() != nil {
			return nil, ex.fail(notSent(problem.Draining, err))
		}
		return nil, ex.fail(asError(err, problem.Connect))
	}
	ex.Remote = addrPort(s.RemoteAddr())
	return c, nil
}

// untouched is the route of a tunnel, whose bytes are passed on as they are: the
// client asked for its own host and will verify that one, so to: cannot apply.
func (r *Route) untouched() *Route {
	if r.plain || r.host.conf.To.IsZero() || !r.host.conf.Address.IsZero() {
		return r
	}
	return &Route{
		Label: r.Label, Host: r.Host, DialHost: r.Host, Port: r.Port, ServerName: r.Host,
		HostHeader: r.HostHeader, tunnelPort: r.tunnelPort, exempt: r.exempt, host: r.host,
	}
}

// fail notes a failure in ex.
func (ex *Exchange) fail(e *Error) *Error {
	ex.Delivery = e.Delivery
	return e
}
