package dial

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/contain"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

const (
	// attemptDelay is how long an address may take to connect before the next one is
	// tried too (RFC 8305 section 5).
	attemptDelay = 250 * time.Millisecond
	// handshakeDelay is how long it may take after that for a TLS handshake.
	handshakeDelay = time.Second
)

// first returns what use makes of the first address that it succeeds with. It tries
// the next one when one has failed or takes long, until dialing has ended. A
// connection made by then may be used until ctx ends.
func first[T any](ctx, dialing context.Context, d *Dialer, addrs []netip.AddrPort, exempt bool, use func(context.Context, *socket) (T, error)) (none T, err error) {
	type result struct {
		made T
		addr netip.AddrPort
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	returned := make(chan struct{})
	defer close(returned)
	results, connected := make(chan result), make(chan struct{}, len(addrs))
	try := func(addr netip.AddrPort) {
		var s *socket
		r := result{addr: addr}
		r.err = contain.Do(d.Logger, "connect", func() (err error) {
			if s, err = d.one(dialing, addr, exempt); err != nil {
				return err
			}
			connected <- struct{}{}
			r.made, err = use(ctx, s)
			return err
		})
		if r.err != nil && s != nil {
			_ = s.Close()
		}
		select {
		case results <- r:
		case <-returned:
			if s != nil {
				_ = s.Close()
			}
		}
	}
	late := time.NewTimer(attemptDelay)
	defer late.Stop()
	var failed result // the failure that got furthest
	pending, done := 0, ctx.Done()
	start := func() {
		if len(addrs) > 0 && dialing.Err() == nil {
			go try(addrs[0])
			addrs = addrs[1:]
			pending++
			late.Reset(attemptDelay)
		}
	}
	for start(); pending > 0; {
		select {
		case r := <-results:
			if r.err == nil {
				if progress(failed.err) > 0 {
					d.Logger.Warn("an address of an upstream failed, and another one is used",
						zap.Stringer("address", failed.addr), zap.String("cause", failed.err.Error()))
				}
				return r.made, nil
			}
			if failed.err == nil || progress(r.err) > progress(failed.err) {
				failed = r
			}
			pending--
			start()
		case <-connected:
			late.Reset(handshakeDelay)
		case <-late.C:
			start()
		case <-done:
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return none, cmp.Or(failed.err, ctx.Err())
			}
			done = nil // what is in flight ends now too, and reports how far it got
		}
	}
	return none, cmp.Or(failed.err, dialing.Err())
}

// progress ranks errors by how much they show about the target: a loop, a failed
// handshake, which another hello may change, a certificate, then anything else.
func progress(err error) int {
	switch reason(err) {
	case problem.Loop:
		return 3
	case problem.TLS:
		return 2
	case problem.TLSVerify:
		return 1
	default:
		return 0
	}
}

// one connects to one address.
func (d *Dialer) one(ctx context.Context, addr netip.AddrPort, exempt bool) (*socket, error) {
	dial := d.Net
	if dial == nil {
		dial = system
	}
	judge := func(a netip.AddrPort) error { return d.judge(a, exempt) }
	c, err := dial(ctx, addr, judge)
	if err != nil {
		return nil, err
	}
	if err := judge(host.OfSocket(c.RemoteAddr())); err != nil {
		_ = c.Close()
		return nil, err
	}
	return newSocket(c, d.Loops), nil
}

func system(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
	d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return judge(a)
	}}
	return d.DialContext(ctx, "tcp", addr.String())
}
