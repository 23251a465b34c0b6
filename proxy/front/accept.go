package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// Handler serves one accepted connection on the connection's own goroutine, and
// closes it. If refusal is not nil, the caller may not connect: the handler says so
// in an answer to its first request, or with a TLS alert.
type Handler interface {
	ServeConn(c *Conn, kind Kind, refusal *Refusal)
}

// Refusal says why a caller may not connect.
type Refusal struct {
	Reason problem.Reason
	Cause  problem.Cause
	Detail string // for the log: one of a fixed set of sentences, with the peer's address where that helps
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

// Rules holds what the configuration says about a listener.
type Rules struct {
	Listener          *call.Listener // copied to the facts of its connections
	Allow             []netip.Prefix // who may connect; empty means everyone
	ProxyProtocolFrom []netip.Prefix // who must send a PROXY protocol header; others may not
}

// Denies reports whether the rules forbid client to connect.
func (r *Rules) Denies(client netip.Addr) bool {
	return len(r.Allow) > 0 && !contains(r.Allow, client)
}

// Options holds what Serve needs for one listener. Shared, Rules, Handler and
// Logger must be set.
type Options struct {
	Shared  *Shared      // shared by all listeners of the proxy
	Rules   func() Rules // returns the current rules
	Handler Handler
	Logger  *zap.Logger

	// OwnSocket reports whether a connection from peer to local is one of our
	// own outbound connections; nil means that none is.
	OwnSocket func(peer, local netip.AddrPort) bool
	// OriginalDst asks the kernel where a connection was going before it was
	// redirected; zero if unknown. It is called only on transparent listeners.
	OriginalDst func(net.Conn) netip.AddrPort
	// Dropped is called for each refused connection that ends without an answer:
	// the caller left first, or it was denied and sent nothing. It may be nil.
	Dropped func(*call.Conn, problem.Reason)
	// Ended is called when the accept loop has ended. Shared then counts every
	// accepted connection that is still open. It may be nil.
	Ended func()
}

// acceptor is one listener being served.
type acceptor struct {
	Options
	group    sync.WaitGroup
	retiring atomic.Bool // set once it accepts no more
}

// Serve accepts connections until ctx is done or the listener fails permanently,
// and then closes the listener. Once ctx is done, the accepted connections are
// asked to end after their next answer (Carrier.Retire). Serve returns when every
// connection has been served, with nil if ctx is done.
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
			_ = ln.Close() // the context's AfterFunc closes it too, but may not have run yet
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("accepting on %s: %w", a.Rules().Listener.Address, err)
		}
		c := newConn(ctx, nc, a.Shared, &a.retiring) // at once, because a shutdown waits for the open connections
		a.group.Go(func() {
			// One after the other, not nested, so an idle connection does not keep
			// the stack that admit used.
			if kind, refusal := a.admit(c); kind != KindEOF {
				a.Handler.ServeConn(c, kind, refusal)
			}
		})
	}
}

// Limits of the pause after a failed accept.
const (
	minBackOff = 5 * time.Millisecond
	maxBackOff = time.Second
)

// accept returns the next connection. When file descriptors or memory run out, it
// pauses and tries again, and the listener stays open.
func (a *acceptor) accept(ctx context.Context, ln net.Listener) (net.Conn, error) {
	for pause := minBackOff; ; pause = min(2*pause, maxBackOff) {
		nc, err := ln.Accept()
		if tcp, ok := nc.(*net.TCPConn); ok && err == nil {
			_ = tcp.SetKeepAlive(false) // connections of an inherited listener have it on; see standing
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

// passing reports whether accept may succeed later, as after EMFILE, ENFILE,
// ENOBUFS, ENOMEM, ECONNABORTED and similar errors.
func passing(err error) bool {
	var temporary interface{ Temporary() bool }
	return isShortage(err) || errors.As(err, &temporary) && temporary.Temporary()
}

// admit decides about an accepted connection, and looks at its first bytes. It
// closes the connection if it returns KindEOF.
func (a *acceptor) admit(c *Conn) (Kind, *Refusal) {
	lim, rules := *a.Shared.limits.Load(), a.Rules()
	facts := &call.Conn{
		Listener: rules.Listener,
		Peer:     host.OfSocket(c.RemoteAddr()),
		Local:    host.OfSocket(c.LocalAddr()),
		Accepted: time.Now(),
	}
	facts.Client, facts.ClientText = facts.Peer, facts.Peer.String()
	if rules.Listener.Accept.Has(call.Transparent) && a.OriginalDst != nil {
		facts.OriginalDst = host.CanonicalPort(a.OriginalDst(c.Conn))
	}
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
		// Its requests are refused for as long as the rules deny it.
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

// drop closes without an answer.
func (a *acceptor) drop(c *Conn, reason problem.Reason) {
	if a.Dropped != nil {
		a.Dropped(c.facts, reason)
	}
	c.discard()
}

// serverFirstTimeout is how long after the accept a redirected caller must be
// silent before it counts as waiting for a server that speaks first.
const serverFirstTimeout = time.Second

// sniff is Sniff, and returns KindSilent for a redirected caller that stays silent.
func (a *acceptor) sniff(c *Conn, deadline time.Time) (Kind, error) {
	soon := c.facts.Accepted.Add(serverFirstTimeout)
	if !c.facts.OriginalDst.IsValid() || c.facts.Denied || !deadline.IsZero() && deadline.Before(soon) {
		return Sniff(c, deadline)
	}
	kind, err := Sniff(c, soon)
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return kind, err
	case c.Buffered() == 0 && !time.Now().Before(soon): // not earlier, by a drain
		return KindSilent, nil
	default:
		return Sniff(c, deadline)
	}
}

// look looks at the first bytes of a connection whose caller may connect, or is
// Denied. Only then does it check for our own sockets: a socket of ours is
// registered before anything is written to it.
func (a *acceptor) look(c *Conn, deadline time.Time) (Kind, *Refusal) {
	kind, err := a.sniff(c, deadline)
	switch {
	case (err != nil || kind == KindEOF) && c.facts.Denied:
		a.drop(c, problem.ACL)
		return KindEOF, nil
	case err != nil || kind == KindEOF:
		c.discard()
		return KindEOF, nil
	case a.OwnSocket != nil && (a.OwnSocket(c.facts.Peer, c.facts.Local) || c.facts.OriginalDst.IsValid() && a.OwnSocket(c.facts.Peer, c.facts.OriginalDst)):
		// It is one of our own outbound connections, made to this listener or redirected
		// to it.
		return a.refuse(c, Refusal{Reason: problem.Loop, Detail: detailLoop})
	case kind == KindHTTP && !c.facts.OriginalDst.IsValid() && isProxyHeader(c.early):
		return a.refuse(c, proxyRefusal(problem.ProxyHeader, detailHeader, c.facts))
	default:
		return kind, nil
	}
}

// refuse lets the handler answer why the caller may not connect, with short
// timeouts. A silent caller gets an answer too, unless it left.
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

// contains reports whether one of the prefixes contains addr. It ignores the zone
// of a link-local address, because no prefix contains an address with a zone.
func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	addr = host.Canonical(addr)
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
