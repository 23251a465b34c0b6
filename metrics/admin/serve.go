package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// limits bound what one connection and all connections may take. They only have
// to serve probes, scrapes and people's browsers.
type limits struct {
	readHeader, read, write, idle time.Duration
	headerBytes, connections      int
}

var defaultLimits = limits{
	readHeader:  5 * time.Second,
	read:        10 * time.Second,
	write:       30 * time.Second,
	idle:        60 * time.Second,
	headerBytes: 16 << 10,
	connections: 576,
}

// Serve serves everything on ln until Shutdown, and closes it. The address that
// ln is bound to determines whether a token is needed. Serve returns nil after
// Shutdown, and otherwise the error that made the listener fail.
func (a *Admin) Serve(ln net.Listener) error {
	return a.serve(ln, a.Handler(isLoopback(ln.Addr())))
}

// ServePublic is like Serve, but serves only metrics and probes.
func (a *Admin) ServePublic(ln net.Listener) error {
	return a.serve(ln, a.PublicHandler())
}

func (a *Admin) serve(ln net.Listener, h http.Handler) error {
	errorLog, err := zap.NewStdLogAt(a.o.Logger, zap.WarnLevel)
	if err != nil {
		return fmt.Errorf("logging for the admin server: %w", err)
	}
	c := newConnLimiter(ln, a.limits.connections)
	srv := &http.Server{
		ConnState:         c.changed,
		Handler:           h,
		ReadHeaderTimeout: a.limits.readHeader,
		ReadTimeout:       a.limits.read,
		WriteTimeout:      a.limits.write,
		IdleTimeout:       a.limits.idle,
		MaxHeaderBytes:    a.limits.headerBytes,
		ErrorLog:          errorLog,
	}
	if !a.keep(srv) {
		return ln.Close()
	}
	err = srv.Serve(c)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the admin listener %s: %w", ln.Addr(), err)
}

// keep registers the server for Shutdown, unless that was already called.
func (a *Admin) keep(srv *http.Server) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.servers = append(a.servers, srv)
	return true
}

// Shutdown stops every server. In-flight answers may finish until ctx ends, and
// are then cut off.
func (a *Admin) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	a.closed = true
	servers := a.servers
	a.mu.Unlock()
	var failures []error
	for _, srv := range servers {
		if err := srv.Shutdown(ctx); err != nil {
			failures = append(failures, err, srv.Close())
		}
	}
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("stopping the admin listeners: %w", err)
	}
	return nil
}

// isLoopback reports whether only this machine can connect to addr.
func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
