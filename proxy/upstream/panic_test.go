package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tlslift/proxy/contain"
	"tlslift/proxy/problem"
	"tlslift/test/memnet"
)

// traps panic where they are armed, once.
type traps struct {
	recorder
	connect, handshake, look, pool atomic.Bool
}

func spring(armed *atomic.Bool) {
	if armed.CompareAndSwap(true, false) {
		panic("secret")
	}
}

func (o *traps) Handshake(label string, version, cipher uint16, resumed bool) {
	spring(&o.handshake)
	o.recorder.Handshake(label, version, cipher, resumed)
}

func (o *traps) Pool(label string, idle, busy int) {
	spring(&o.pool)
	o.recorder.Pool(label, idle, busy)
}

// trapped is a connection that panics when it is looked at.
type trapped struct {
	*memnet.Conn
	armed *atomic.Bool
}

func (c trapped) TryRead(p []byte) (int, error) {
	spring(c.armed)
	return c.Conn.TryRead(p)
}

// A panic of the background ends the connection that it was about, with an error
// for the request that waits for it; the next request is served.
func TestPanicsStayInTheirConnection(t *testing.T) {
	t.Parallel()
	failed := func(t *testing.T, tr *Transport, r *Route, reason problem.Reason) {
		t.Helper()
		_, _, _, err := send(tr, r, "GET", "/", "")
		var e *Error
		if !errors.As(err, &e) || e.Reason != reason || e.Delivery != problem.NotSent || !errors.Is(err, contain.ErrPanic) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
	}
	for name, test := range map[string]func(t *testing.T, o *traps, tr *Transport, r *Route){
		"connecting": func(t *testing.T, o *traps, tr *Transport, r *Route) {
			o.connect.Store(true)
			failed(t, tr, r, problem.Connect)
			o.connect.Store(true)
			if _, err := tr.DialTunnel(t.Context(), r, &Exchange{}); !errors.Is(err, contain.ErrPanic) {
				t.Errorf("a tunnel: %v", err)
			}
		},
		"shaking hands": func(t *testing.T, o *traps, tr *Transport, r *Route) {
			o.handshake.Store(true)
			failed(t, tr, r, problem.Connect)
		},
		"looking at idle connections": func(t *testing.T, o *traps, tr *Transport, r *Route) {
			wantOK(t, tr, r)
			o.look.Store(true)
			time.Sleep(time.Minute)
		},
		"looking at the one to be used": func(t *testing.T, o *traps, tr *Transport, r *Route) {
			wantOK(t, tr, r)
			o.look.Store(true)
			if ex := wantOK(t, tr, r); ex.Reused {
				t.Error("used all the same")
			}
		},
		"counting": func(t *testing.T, o *traps, tr *Transport, r *Route) {
			wantOK(t, tr, r)
			synctest.Wait() // the fresh connection is there, too
			o.pool.Store(true)
			time.Sleep(time.Hour) // until both are too old
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := memServer(t, answerAll)
				core, seen := observer.New(zap.ErrorLevel)
				o := new(traps)
				dial := s.net
				s.net = func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
					spring(&o.connect)
					c, err := dial(ctx, addr, judge)
					if err != nil {
						return nil, err
					}
					return trapped{c.(*memnet.Conn), &o.look}, nil
				}
				tr := start(t, s, func(opts *Options) { opts.Observer, opts.Warm, opts.Logger = o, 1, zap.New(core) })
				r := route(t, tr, testHost)
				test(t, o, tr, r)
				if seen.Len() == 0 {
					t.Error("nothing was logged")
				}
				for range 3 { // the maintenance loop is there, too
					wantOK(t, tr, r)
					time.Sleep(time.Minute)
				}
				o.wantPool(t, 2, 0)
			})
		})
	}
}

// A panic in counting leaves no lock behind: it is the failure of one request alone.
func TestPanicWhileCounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, o := memServer(t, answerAll), new(traps)
		tr := start(t, s, func(opts *Options) { opts.Observer = o })
		r := route(t, tr, testHost)
		wantOK(t, tr, r)
		synctest.Wait()
		o.pool.Store(true)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _, _, _ = send(tr, r, "GET", "/", "")
		}()
		wantOK(t, tr, r)
	})
}

// A panic in sending a request's body is that request's failure.
func TestPanicWhileSendingABody(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, newServer maker) {
		s := newServer(t, answerAll)
		tr := start(t, s)
		r := route(t, tr, testHost)
		req, ex := newRequest("POST", "/", "")
		req.Body, req.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", smallBody)), panicking{})), 2*smallBody
		_, _, _, err := sendAs(tr, r, req, ex)
		var e *Error
		if !errors.As(err, &e) || e.Delivery != problem.Unknown || !errors.Is(err, contain.ErrPanic) {
			t.Error(err)
		}
		if ex := wantOK(t, tr, r); ex.Reused {
			t.Error("the connection was used again")
		}
	})
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("secret") }
