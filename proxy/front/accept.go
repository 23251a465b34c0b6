package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// Handler serves one accepted connection on the connection's own goroutine, and
// closes it. refusal, if not nil, says that the caller may not connect: the answer
// to its first request says so, or an alert.
type Handler interface {
	ServeConn(c *Conn, kind Kind, refusal *Refusal)
}

// Refusal says why a caller may not connect.
type Refusal struct {
	Reason problem.Reason
	Cause  problem.Cause
	Detail string // for the log: a closed text, with the peer's address in it where that helps
}

// Details of refusals, for the log.
const (
	detailNoHeader  = "no PROXY protocol header from %s, which is in listen[].proxy_protocol_from"
	detailBadHeader = "a malformed PROXY protocol header from %s"
	detailHeader    = "a PROXY protocol header from %s, which is not in listen[].proxy_protocol_from"
	detailPerClient = "too many connections from one client"
	detailShare     = "few connections are left, and this client has its share"
	detailLoop      = "the caller is a connection of our own"
)

// Rules are what the configuration says of a listener.
type Rules struct {
	Listener          *call.Listener // what connections inherit
	Allow             []netip.Prefix // who may connect; empty = everyone
	ProxyProtocolFrom []netip.Prefix // who must send a PROXY protocol header; others may not
}

// Denies reports whether the rules bar a client.
func (r *Rules) Denies(client netip.Addr) bool {
	return len(r.Allow) > 0 && !contains(r.Allow, client)
}

// Options are what Serve needs for one listener. Shared, Rules, Handler and
// Logger must be set.
type Options struct {
	Shared  *Shared      // of all listeners of the proxy
	Rules   func() Rules // in force
	Handler Handler
	Logger  *zap.Logger

	// OwnSocket reports whether a connection from peer to local is one of our
	// own outbound ones; nil = none is.
	OwnSocket func(peer, local netip.AddrPort) bool
	// OriginalDst asks the kernel where a connection was going before it was
	// redirected; zero = unknown. It is called on transparent listeners only.
	OriginalDst func(net.Conn) netip.AddrPort
	// Dropped is called for each refused connection that ends without an answer:
	// the caller left first, or it is barred and said nothing. nil = not called.
	Dropped func(*call.Conn, problem.Reason)
	// Ended is called after accepting has ended: every accepted connection is
	// among the open ones of Shared. nil = not called.
	Ended func()
}

// acceptor is one listener being served.
type acceptor struct {
	Options
	group    sync.WaitGroup
	retiring atomic.Bool // no more is accepted
}

// Serve accepts connections until ctx is done or the listener fails for good;
// it closes the listener. The connections that it accepted are asked to end
// after their next answer once ctx is done (Carrier.Retire). Serve returns when
// each was served. It returns nil when ctx was done.
func Serve(ctx context.Context, ln net.Listener, opt Options) error {
	a := &acceptor{Options: opt}
	defer a.group.Wait()
	if a.Ended != nil {
		defer a.Ended()
	}
	defer context.AfterFunc(ctx, func() {
		_ = ln.Close()
		a.Shared.retire(&a.retiring)
	})()
	for {
		nc, err := a.accept(ctx, ln)
		if err != nil {
			_ = ln.Close() // the context's end closes it too, but may still be about to
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting on %s: %w", a.Rules().Listener.Address, err)
		}
		c := newConn(ctx, nc, a.Shared, &a.retiring) // not later: a shutdown waits for those that are open
		a.group.Go(func() {
			// Side by side, not nested: an idle connection does not hold the stack
			// that admitting it took.
			if kind, refusal := a.admit(c); kind != KindEOF {
				a.Handler.ServeConn(c, kind, refusal)
			}
		})
	}
}

// Bounds of the pause after a failed accept.
const (
	minBackOff = 5 * time.Millisecond
	maxBackOff = time.Second
)

// accept returns the next connection. Running out of file descriptors or
// memory is no reason to stop listening: it waits and tries again.
func (a *acceptor) accept(ctx context.Context, ln net.Listener) (net.Conn, error) {
	for pause := minBackOff; ; pause = min(2*pause, maxBackOff) {
		nc, err := ln.Accept()
		if tcp, ok := nc.(*net.TCPConn); ok && err == nil {
			_ = tcp.SetKeepAlive(false) // an inherited listener's are on; see standing
		}
		if err == nil || ctx.Err() != nil || !passing(err) {
			return nc, err
		}
		advice := zap.Skip()
		if few := TooFewDescriptors(a.Shared.limits.Load().Connections); few != "" && outOfDescriptors(err) {
			advice = zap.String("advice", few)
		}
		a.Logger.Warn("accept failed, trying again",
			zap.String("listener", a.Rules().Listener.Address), zap.Duration("pause", pause), zap.Error(err), advice)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// passing reports whether an accept may work again later: EMFILE, ENFILE,
// ENOBUFS, ENOMEM, ECONNABORTED and their like.
func passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return isShortage(err) || errors.As(err, &temporary) && temporary.Temporary()
}

// admit decides about an accepted connection, and looks at its first bytes. After
// KindEOF it is closed; else it is the handler's.
func (a *acceptor) admit(c *Conn) (Kind, *Refusal) {
	lim, rules := *a.Shared.limits.Load(), a.Rules()
	facts := a.arrived(c.nc, rules.Listener)
	c.facts, c.rules = facts, a.Rules
	deadline := time.Time{}
	if lim.HeaderTimeout > 0 {
		deadline = facts.Accepted.Add(lim.HeaderTimeout)
	}
	if contains(rules.ProxyProtocolFrom, facts.Peer.Addr()) {
		c.Await(deadline)
		client, anonymous, err := readProxyHeader(c)
		if err != nil {
			return a.withoutHeader(c, err)
		}
		facts.Anonymous = anonymous
		if client.IsValid() {
			facts.Client, facts.ClientText = client, client.String()
		}
	}
	client := facts.Client.Addr()
	if over := a.Shared.countClient(c, client, lim); over != "" {
		return a.refuse(c, Refusal{Reason: problem.Limit, Detail: over})
	}
	if rules.Denies(client) {
		// Its requests are refused, for as long as the rules bar it.
		c.facts.Denied, c.rejectTimeout = true, a.Shared.rejectTimeout()
		deadline = time.Now().Add(c.rejectTimeout)
	}
	return a.look(c, deadline)
}

// withoutHeader refuses a connection that should have begun with a PROXY
// protocol header. One that ends without a byte is a load balancer's probe.
func (a *acceptor) withoutHeader(c *Conn, err error) (Kind, *Refusal) {
	if c.Buffered() == 0 {
		c.discard()
		return KindEOF, nil
	}
	a.Logger.Debug("no PROXY protocol header", zap.Stringer("peer", c.facts.Peer), zap.Error(err))
	detail := detailBadHeader
	if errors.Is(err, errNoProxyHeader) {
		detail = detailNoHeader
	}
	return a.refuse(c, proxyRefusal(problem.NoProxyHeader, detail, c.facts))
}

func proxyRefusal(cause problem.Cause, detail string, facts *call.Conn) Refusal {
	return Refusal{Reason: problem.Malformed, Cause: cause, Detail: fmt.Sprintf(detail, facts.Peer.Addr())}
}

// arrived is what the socket knows. It does not change once the connection is
// served.
func (a *acceptor) arrived(nc net.Conn, l *call.Listener) *call.Conn {
	facts := &call.Conn{
		Listener: l,
		Peer:     host.OfSocket(nc.RemoteAddr()),
		Local:    host.OfSocket(nc.LocalAddr()),
		Accepted: time.Now(),
	}
	facts.Client, facts.ClientText = facts.Peer, facts.Peer.String()
	if l.Accept.Has(call.Transparent) && a.OriginalDst != nil {
		dst := a.OriginalDst(nc)
		facts.OriginalDst = host.CanonicalPort(dst)
	}
	return facts
}

// drop closes without an answer.
func (a *acceptor) drop(c *Conn, reason problem.Reason) {
	if a.Dropped != nil {
		a.Dropped(c.facts, reason)
	}
	c.discard()
}

// serverFirstTimeout is how long after the accept a redirected caller that says nothing may
// be waiting for a server that speaks first.
const serverFirstTimeout = time.Second

// sniff is Sniff for a connection whose caller may connect.
func (a *acceptor) sniff(c *Conn, deadline time.Time) (Kind, error) {
	soon := c.facts.Accepted.Add(serverFirstTimeout)
	if !c.facts.OriginalDst.IsValid() || c.facts.Denied || !deadline.IsZero() && deadline.Before(soon) {
		return Sniff(c, deadline)
	}
	kind, err := Sniff(c, soon)
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return kind, err
	case c.Buffered() == 0 && !time.Now().Before(soon): // not sooner, by a drain
		return KindSilent, nil
	default:
		return Sniff(c, deadline)
	}
}

// look looks at the first bytes of a connection whose caller may connect, or is
// Denied. Our own sockets are looked for only now: a socket of ours is
// registered before it is written to.
func (a *acceptor) look(c *Conn, deadline time.Time) (Kind, *Refusal) {
	kind, err := a.sniff(c, deadline)
	switch {
	case (err != nil || kind == KindEOF) && c.facts.Denied:
		a.drop(c, problem.ACL)
		return KindEOF, nil
	case err != nil || kind == KindEOF:
		c.discard()
		return KindEOF, nil
	case a.OwnSocket != nil && a.isOwn(c.facts):
		return a.refuse(c, Refusal{Reason: problem.Loop, Detail: detailLoop})
	case kind == KindHTTP && !c.facts.OriginalDst.IsValid() && isProxyHeader(c.early):
		return a.refuse(c, proxyRefusal(problem.ProxyHeader, detailHeader, c.facts))
	default:
		return kind, nil
	}
}

// isOwn reports whether the connection is one of our own outbound ones, made to
// this listener or redirected to it.
func (a *acceptor) isOwn(facts *call.Conn) bool {
	return a.OwnSocket(facts.Peer, facts.Local) || facts.OriginalDst.IsValid() && a.OwnSocket(facts.Peer, facts.OriginalDst)
}

// refuse lets the handler answer why the caller may not connect, under short
// timeouts. A caller that says nothing gets an answer too, unless it left.
func (a *acceptor) refuse(c *Conn, refusal Refusal) (Kind, *Refusal) {
	c.rejectTimeout = a.Shared.rejectTimeout()
	kind, err := Sniff(c, time.Now().Add(c.rejectTimeout))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		kind = KindSilent
	case err != nil || kind == KindEOF:
		a.drop(c, refusal.Reason)
		return KindEOF, nil
	}
	return kind, &refusal
}

// contains reports whether a prefix covers an address. The zone that a
// link-local caller has is not part of it: no prefix contains an address with
// one.
func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	addr = host.Canonical(addr)
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
