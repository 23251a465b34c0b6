package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// Handler is what happens with accepted connections. Its methods are called
// on the connection's own goroutine and take the connection over.
type Handler interface {
	// HTTP serves a connection that does not start like TLS.
	HTTP(c *Conn)
	// TLS takes a connection that starts with a ClientHello; kind is KindTLS
	// or KindSSLv2. The hello is still to be read.
	TLS(c *Conn, kind Kind)
	// Refused serves a connection that may not be served: its first request,
	// whatever it is, has a Refusal with this reason, and is its last.
	Refused(c *Conn, reason problem.Reason)
	// RefusedTLS is Refused for a connection that starts with a ClientHello,
	// which is still to be read.
	RefusedTLS(c *Conn, refusal Refusal)
}

// Options are what Serve needs for one listener. Shared, Listener, Handler
// and Logger must be set.
type Options struct {
	Shared            *Shared        // of all listeners of the proxy
	Listener          *call.Listener // what connections inherit
	Allow             []netip.Prefix // who may connect; empty = everybody
	ProxyProtocolFrom []netip.Prefix // who must send a PROXY protocol header; nobody else may
	Handler           Handler
	Logger            *zap.Logger

	// OwnSocket reports whether a connection from peer to local is one of our
	// own outbound ones; nil = none is.
	OwnSocket func(peer, local netip.AddrPort) bool
	// OriginalDst asks the kernel where a connection was going before it was
	// redirected; zero = unknown. It is called on transparent listeners only.
	OriginalDst func(net.Conn) netip.AddrPort
	// Dropped, if set, hears of connections that are closed for a reason
	// without an answer: they do not speak HTTP, or too many are refused.
	Dropped func(*call.Conn, problem.Reason)
}

// acceptor is one listener being served.
type acceptor struct {
	Options
	group sync.WaitGroup
}

// Serve accepts connections until ctx is done or the listener fails for good;
// it closes the listener. It returns when every connection that it accepted
// was given to the handler or closed: after HeaderTimeout at the latest, or
// sooner with [Shared.Drain]. It returns nil when ctx was done.
func Serve(ctx context.Context, ln net.Listener, opt Options) error {
	a := &acceptor{Options: opt}
	defer a.group.Wait()
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	for {
		nc, err := a.accept(ctx, ln)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			_ = ln.Close()
			return fmt.Errorf("accepting on %s: %w", a.Listener.Address, err)
		}
		a.group.Go(func() { a.welcome(nc) })
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
		if err == nil || ctx.Err() != nil || errors.Is(err, net.ErrClosed) || !passing(err) {
			return nc, err
		}
		a.Logger.Warn("accept failed, trying again",
			zap.String("listener", a.Listener.Address), zap.Duration("pause", pause), zap.Error(err))
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

// welcome decides about one accepted connection.
func (a *acceptor) welcome(nc net.Conn) {
	over := a.overTotal()
	c := newConn(nc, a.arrived(nc), a.Shared, true)
	lim := a.Shared.Limits()
	deadline := time.Time{}
	if lim.HeaderTimeout > 0 {
		deadline = time.Now().Add(lim.HeaderTimeout)
	}
	switch {
	case over:
		a.refuse(c, problem.Limit, detailConnections)
		return
	case contains(a.ProxyProtocolFrom, c.arrival.Peer.Addr()):
		if err := readProxyHeader(c, deadline); err != nil {
			a.withoutHeader(c, err)
			return
		}
	}
	client := c.arrival.Client.Addr()
	switch {
	case len(a.Allow) > 0 && !contains(a.Allow, client):
		a.bar(c)
	case !a.Shared.countClient(c, client, lim.ConnectionsPerClient):
		a.refuse(c, problem.Limit, detailPerClient)
	default:
		a.direct(c, deadline)
	}
}

// withoutHeader refuses a connection that should have begun with a PROXY
// protocol header. One that ends without a byte is a load balancer's probe.
func (a *acceptor) withoutHeader(c *Conn, err error) {
	if c.buffered() == 0 {
		_ = c.Close()
		return
	}
	a.Logger.Debug("no PROXY protocol header", zap.Stringer("peer", c.arrival.Peer), zap.Error(err))
	a.refuse(c, problem.Malformed, detailProxyProtocol)
}

// overTotal counts one more connection and reports whether it is too many.
func (a *acceptor) overTotal() bool {
	limit := a.Shared.Limits().Connections
	return a.Shared.open.Add(1) > int64(limit) && limit > 0
}

// arrived fills in what the socket tells.
func (a *acceptor) arrived(nc net.Conn) *call.Conn {
	arr := &call.Conn{
		Listener: a.Listener,
		Peer:     addrPort(nc.RemoteAddr()),
		Local:    addrPort(nc.LocalAddr()),
		Accepted: time.Now(),
	}
	arr.Client = arr.Peer
	if a.Listener.Transparent && a.OriginalDst != nil {
		dst := a.OriginalDst(nc)
		arr.OriginalDst = netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port())
	}
	return arr
}

// bar lets a caller in who is not on the list, to be told so: every request of
// the connection is refused, under the short timeouts of a refused caller.
func (a *acceptor) bar(c *Conn) {
	c.arrival.Barred, c.hurried = true, true
	if a.Shared.takeSlot(c) {
		a.direct(c, time.Now().Add(hurry))
		return
	}
	a.drop(c, problem.ACL)
}

// drop closes without a word.
func (a *acceptor) drop(c *Conn, reason problem.Reason) {
	if a.Dropped != nil {
		a.Dropped(c.arrival, reason)
	}
	_ = c.Close()
}

// direct looks at the first bytes of an admitted connection and gives it to
// the handler. Our own sockets are looked for only now: whoever dialled has
// registered its socket before it wrote to it.
func (a *acceptor) direct(c *Conn, deadline time.Time) {
	kind, err := Sniff(c, deadline)
	switch {
	case (err != nil || kind == KindEOF) && c.arrival.Barred:
		a.drop(c, problem.ACL)
	case err != nil || kind == KindEOF:
		_ = c.Close()
	case a.OwnSocket != nil && a.isOwn(c.arrival):
		a.refuse(c, problem.Loop, detailLoop)
	case kind == KindHTTP:
		a.Handler.HTTP(c)
	default:
		a.Handler.TLS(c, kind)
	}
}

// isOwn reports whether the connection is one of our own outbound ones, made to
// this listener or redirected to it.
func (a *acceptor) isOwn(arr *call.Conn) bool {
	return a.OwnSocket(arr.Peer, arr.Local) || arr.OriginalDst.IsValid() && a.OwnSocket(arr.Peer, arr.OriginalDst)
}

// refuse tells a caller why it may not connect, in a hurry: by an answer or by
// an alert.
func (a *acceptor) refuse(c *Conn, reason problem.Reason, detail string) {
	c.force(reason, detail)
	if !a.Shared.takeSlot(c) {
		a.drop(c, reason)
		return
	}
	switch kind, err := Sniff(c, time.Now().Add(hurry)); {
	case err != nil || kind == KindEOF:
		a.drop(c, reason)
	case kind == KindHTTP:
		a.Handler.Refused(c, reason)
	default:
		a.Handler.RefusedTLS(c, *c.forced)
	}
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// addrPort converts a socket's address; IPv4-mapped ones become IPv4.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
