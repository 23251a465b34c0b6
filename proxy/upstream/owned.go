package upstream

import (
	"context"
	"slices"
	"strings"
	"time"

	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/pool"
)

const (
	// maxOwned limits the idle connections of one client connection. The least
	// recently used one is closed to make room.
	maxOwned = 4
	// foreignIdle is how long a foreign connection without a sign-in stays idle.
	// Later the server may be about to close it.
	foreignIdle = 5 * time.Second
)

// Owned are the idle upstream connections that belong to one client connection: those
// to foreign hosts, and those on which its caller signed in with NTLM or Negotiate,
// which sign in a connection and not a request (RFC 4559 section 6). No other caller
// gets them, so none can act in that user's name.
//
// The zero value is ready for use. Close it when the client connection ends. It
// serves one request at a time and is not safe for concurrent use.
type Owned struct {
	idle   []lease // least recently used first
	closed bool
}

// lease is a connection held by one request, or by one client connection.
type lease struct {
	c   *pool.Conn
	r   *Route      // where it goes
	p   *pool.Pool  // where it came from; nil for a foreign connection
	end *time.Timer // closes it while it is idle; nil = it may stay
}

// get returns the client connection's own connection for a route, else one from the
// route's pool. For a foreign host, it makes a new one instead. The error is an
// *Error.
func (o *Owned) get(ctx context.Context, r *Route) (lease, error) {
	if l, ok := o.take(r); ok {
		return l, nil
	}
	if !r.foreign() {
		p := r.connections()
		c, err := p.Get(ctx)
		return lease{c: c, r: r, p: p}, err
	}
	c, err := r.snapshot.dialer.Connect(ctx, r.target, r.Label, r.group.tls, new(dial.Hellos))
	if err != nil {
		return lease{}, err
	}
	return lease{c: &pool.Conn{Conn: c}, r: r}, nil
}

// take removes a connection for a route that is open as far as can be seen.
func (o *Owned) take(r *Route) (lease, bool) {
	for i, l := range slices.Backward(o.idle) {
		if l.r.group != r.group || l.r.target != r.target {
			continue
		}
		o.idle = slices.Delete(o.idle, i, i+1)
		if (l.end == nil || l.end.Stop()) && l.c.Reusable() {
			return l, true
		}
		l.discard()
	}
	return lease{}, false
}

// put returns a reusable connection to its pool, or to the client connection if no
// other may have it.
func (o *Owned) put(l lease) {
	switch {
	case l.p != nil && !l.c.Signed:
		l.p.Put(l.c)
		return
	case o.closed, l.p != nil && !l.p.Keep(l.c):
		l.discard()
		return
	}
	l.end = nil
	if !l.c.Signed {
		l.end = time.AfterFunc(foreignIdle, l.c.Abort)
	}
	if len(o.idle) >= maxOwned {
		o.idle[0].discard()
		o.idle = slices.Delete(o.idle, 0, 1)
	}
	o.idle = append(o.idle, l)
}

// giveBack returns a connection that was not used after all.
func (o *Owned) giveBack(l lease) {
	if l.p != nil && !l.c.Signed {
		l.p.Return(l.c)
		return
	}
	o.put(l)
}

// Close closes the idle connections. One that is returned later is closed at once.
func (o *Owned) Close() {
	for _, l := range o.idle {
		l.discard()
	}
	o.idle, o.closed = nil, true
}

// discard closes the connection.
func (l *lease) discard() {
	if l.end != nil {
		l.end.Stop()
	}
	if l.p != nil {
		l.p.Discard(l.c)
		return
	}
	if !l.r.snapshot.background.Go(l.c.Close) {
		l.c.Abort()
	}
}

// signsIn reports whether one of the values of Authorization, WWW-Authenticate or
// Proxy-Authenticate (RFC 9110 section 11.6) names a scheme that signs in the
// connection.
func signsIn(values []string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			scheme := strings.Trim(part, " \t")
			if i := strings.IndexAny(scheme, " \t"); i >= 0 {
				scheme = scheme[:i]
			}
			if strings.EqualFold(scheme, "NTLM") || strings.EqualFold(scheme, "Negotiate") {
				return true
			}
		}
	}
	return false
}
