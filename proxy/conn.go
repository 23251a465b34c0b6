package proxy

import (
	"context"
	"net"
	"net/url"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/http1"
	"tlslift/proxy/identity"
	"tlslift/proxy/upstream"
)

// conn serves one client connection from accept to close. Only the goroutine that
// serves the connection uses it, except under the locks of evidence and splice.
type conn struct {
	s       *Server
	front   *front.Conn
	facts   *call.Conn     // replaced when more is known, never modified
	refusal *front.Refusal // why the caller may not connect, which it is answered with; nil if it may

	client call.Identity      // who is calling, as far as is known
	by     *identity.Resolver // that set client; nil = not identified yet
	final  bool               // no request can name the client better
	begun  bool               // http has served a request
	outer  *call.Identity     // named by the enclosing CONNECT, whose credentials were checked; nil = none

	evidence evidence // what the connection shows about its client

	owned upstream.Owned // upstream connections that only this caller uses

	http   *http1.Conn // serves the requests
	url    *url.URL    // see goproxyURL
	req    *request    // being served; nil between requests
	tunnel *tunnel     // not nil if the connection is a tunnel
	relay  *pair       // not nil if only relaying is left to do
}

// ServeConn implements front.Handler.
func (s *Server) ServeConn(fc *front.Conn, kind front.Kind, refusal *front.Refusal) {
	c := &conn{s: s, front: fc, facts: fc.Facts(), refusal: refusal}
	c.facts.Number = s.ids.number() // before anything else reads it
	defer c.leave()
	c.serve(kind)
	if c.tunnel == nil {
		c.reportPending()
	}
}

func (c *conn) serve(kind front.Kind) {
	if kind == front.KindSilent && c.refusal == nil {
		if c.relaySilent() {
			return
		}
		var err error
		if kind, err = c.awaitFirst(); err != nil || kind == front.KindEOF {
			return
		}
	}
	switch {
	case kind == front.KindSilent && c.facts.Listener.Plain():
		c.serveHTTP(c.front)
	case kind != front.KindHTTP && c.refusal != nil:
		c.direct().turnAway()
	case kind != front.KindHTTP:
		c.direct().secure()
	default:
		c.serveHTTP(c.front)
	}
}

// awaitFirst waits for the first bytes of a silent caller until the header timeout.
func (c *conn) awaitFirst() (front.Kind, error) {
	var deadline time.Time
	if timeout := c.s.settings.Load().Limits.HeaderTimeout; timeout > 0 {
		deadline = c.facts.Accepted.Add(timeout)
	}
	return front.Sniff(c.front, deadline)
}

// leave is deferred by each goroutine of the connection. It closes the connection, or
// starts the relay if one is left to run. It contains a panic, ours or a library's,
// in the connection.
func (c *conn) leave() {
	c.owned.Close() // its requests are over; a relay uses none
	switch v := recover(); {
	case v != nil:
		c.relay = nil
		c.s.logPanic(v, "panic in a connection", c.facts.ClientText)
		c.front.Reset()
		if t := c.tunnel; t != nil {
			t.panicked()
		}
	case c.relay == nil:
		c.front.Close()
	default:
		// A new goroutine begins with a small stack, so an idle tunnel costs little
		// more than its two stacks.
		c.s.serving.Go(func() {
			defer c.leave()
			c.tunnel.carry()
		})
	}
}

// serveHTTP serves the requests on nc, which is the front's connection or the TLS
// connection inside it. After a CONNECT it continues with the tunnel.
func (c *conn) serveHTTP(nc net.Conn) {
	c.beginHTTP(nc)
	end := c.http.Serve(c)
	c.endHTTP(nc, end)
}

// beginHTTP is not part of serveHTTP, whose stack frame an idle connection keeps.
func (c *conn) beginHTTP(nc net.Conn) {
	c.front.Show(c.facts.Handling)
	c.begun = false
	c.http = http1.NewConn(nc, http1.Options{
		Limits: c.limits, Buffers: &c.s.buffers, Budget: c.s.budget, Unasked: c.refusal != nil, Context: context.WithValue(context.Background(), connKey{}, c),
	})
	c.front.Carry(serving{c.http})
}

func (c *conn) endHTTP(nc net.Conn, end http1.End) {
	c.front.Carry(nil)
	if c.tunnel != nil && end != http1.Hijacked {
		c.tunnel.out.Ending = c.endOf(end)
	}
	switch end {
	case http1.Hijacked:
		if c.facts.Ingress == call.Transparent {
			c.relayOnwards()
		} else {
			c.connected()
		}
	case http1.Reset, http1.Broken:
		c.front.Reset()
	case http1.Lingering:
		c.front.Linger()
		nc.Close()
	default:
		nc.Close()
	}
}

// endOf returns how a tunnel whose requests were served here ended.
func (c *conn) endOf(end http1.End) call.End {
	switch {
	case end == http1.Idle:
		return call.EndIdle
	case end != http1.Reset && end != http1.Broken:
		return call.EndClosed
	case c.s.baseCtx.Err() != nil:
		return call.EndCut
	case end == http1.Broken:
		return call.EndResetByClient
	default:
		return call.EndResetByUpstream // its answer broke off
	}
}

type connKey struct{}

// connOf returns the connection that a request arrived on.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}

// renewRules applies what a reload changed in the connection's listener.
func (c *conn) renewRules() {
	if rules := c.front.Rules(); rules.Listener != c.facts.Listener {
		facts := *c.facts
		facts.Listener, facts.Denied = rules.Listener, rules.Denies(facts.Client.Addr())
		c.facts, c.by = &facts, nil
	}
}

// limits returns the limits for the connection's next request.
func (c *conn) limits() http1.Limits {
	lim := c.s.settings.Load().http
	if timeout := c.front.RejectTimeout(); timeout > 0 {
		lim.HeaderTimeout, lim.IdleTimeout = timeout, timeout
	}
	return lim
}

// identifyConnection names the caller by what is known without a request.
func (c *conn) identifyConnection(st *settings) {
	c.client, c.final = st.Resolver.Connection(c.facts)
	c.by = st.Resolver
}

// settleTime is how long a connection without a request in flight may be silent
// before a drain treats it as idle.
const settleTime = time.Second
