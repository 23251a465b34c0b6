package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/problem"
)

// dialFor makes a connection for a waiter. If that was served meanwhile, it is
// for whoever waits, or is kept.
func (p *pool) dialFor(w *waiter) {
	c, err := p.connect(p.t.ctx)
	p.mu.Lock()
	if err != nil {
		p.answer(w, grant{err: err})
		p.open--
		p.promote(&p.t.state.Load().opts)
		p.mu.Unlock()
		return
	}
	p.enter(c, p.t.now())
	p.h.busy.Add(1)
	if !p.answer(w, grant{c: c}) {
		p.h.busy.Add(-1)
		p.keepNew(c)
	}
	p.mu.Unlock()
	p.h.report()
}

// enter puts a new connection on the books.
func (p *pool) enter(c *conn, now time.Time) {
	p.all[c] = struct{}{}
	c.idleSince, c.lastAlive = now, now
	select {
	case p.t.wake <- struct{}{}:
	default:
	}
}

// keepNew finds a use for a new connection that nobody asked for any more.
func (p *pool) keepNew(c *conn) {
	o := &p.t.state.Load().opts
	switch {
	case p.retired || p.oneShot || p.gone.Load():
		p.forget(c)
		p.t.spawn(func() { c.close(false) })
	case p.first(c):
	case len(p.warm) < o.Warm:
		p.addWarm(c, c.idleSince, o)
	default:
		p.idle(&p.used, c)
	}
}

// connect makes a connection. A handshake that fails for another reason than
// the server's certificate is tried once more with the classic hello. Nothing
// of a request has been written then.
func (p *pool) connect(ctx context.Context) (*conn, *Error) {
	if p.route.plain {
		return p.connectPlain(ctx)
	}
	classic, doubted := p.hellos.next(p.t.now())
	if classic {
		c, err := p.connectTLS(ctx, p.h.tls.classic)
		if err != nil && err.Reason == problem.TLS {
			p.hellos.doubt(false)
		}
		return c, err
	}
	c, err := p.connectTLS(ctx, p.h.tls.modern)
	if err == nil {
		p.hellos.doubt(false)
	}
	if err == nil || err.Reason != problem.TLS || ctx.Err() != nil {
		return c, err
	}
	o := &p.t.state.Load().opts
	o.Observer.ClassicHello(p.route.Label)
	c, second := p.connectTLS(ctx, p.h.tls.classic)
	switch {
	case second != nil && second.Reason == problem.TLSVerify:
		return nil, second
	case second != nil: // down for any hello
		p.hellos.doubt(false)
		return nil, err
	case doubted:
		p.hellos.believe(p.t.now())
		o.Logger.Warn("upstream understands the classic ClientHello only",
			zap.String("upstream", p.route.Label), zap.Stringer("host", p.route.ServerName), zap.String("cause", err.Error()))
	default:
		p.hellos.doubt(true)
	}
	return c, nil
}

func (p *pool) connectPlain(ctx context.Context) (*conn, *Error) {
	var f facts
	top, s, err := p.t.dial(ctx, p.route, &f)
	if err != nil {
		return nil, p.dialError(ctx, err)
	}
	return newConn(p, top, s, nil, f), nil
}

func (p *pool) connectTLS(ctx context.Context, conf *tls.Config) (*conn, *Error) {
	var f facts
	top, s, err := p.t.dial(ctx, p.route, &f)
	if err != nil {
		return nil, p.dialError(ctx, err)
	}
	tc, took, err := p.t.handshake(ctx, top, s, conf, p.route.ServerName.String(), p.route.Label)
	if err != nil {
		return nil, p.dialError(ctx, err)
	}
	f.tls = took
	return newConn(p, tc, s, tc, f), nil
}

// dialError makes an *Error of what dialling failed with.
func (p *pool) dialError(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return notSent(problem.Draining, errors.Join(errClosed, err))
	}
	return asError(err, problem.Connect)
}
