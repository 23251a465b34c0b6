package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/configs"
	"tlslift/metrics/admin"
	"tlslift/proxy"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
)

// operator is the operator's side: the admin listeners and what they serve.
type operator struct {
	*admin.Admin
	cfg       configs.Admin
	log       *zap.Logger
	inherited *proxy.Sockets

	mu     sync.Mutex
	main   net.Listener // everything; nil when off
	public net.Listener // metrics and probes; nil when off
}

// newOperator prepares the operator's side. Nothing listens yet.
func (a *app) newOperator(cfg *configs.Config, reg prometheus.Gatherer) (*operator, error) {
	token, wrong := adminToken(cfg)
	if len(wrong) > 0 {
		return nil, wrong
	}
	o := &operator{cfg: cfg.Admin, log: a.log.Logger, inherited: a.inherited}
	o.Admin = admin.New(admin.Options{
		Gatherer:  reg,
		Logger:    a.log.Logger,
		Hosts:     adminHosts(cfg.Admin),
		Token:     token,
		CA:        a.server.CAPEM,
		Proxy:     func() string { return proxyAddress(a.server.Bound()) },
		Upstreams: a.upstreams,
		Trouble:   a.trouble,
		Quit:      a.requestQuit,
		AllowQuit: cfg.Admin.Quit,
		Profiles:  cfg.Admin.Pprof,
		Build:     admin.Build{Version: version, Revision: sourceRevision(), GoVersion: runtime.Version()},
	})
	return o, nil
}

// adminHosts are the names by which the admin side may be called: those of this
// machine, the one in its address, and the configured ones.
func adminHosts(c configs.Admin) []host.Name {
	machine, _ := os.Hostname()
	short, _, _ := strings.Cut(machine, ".")
	bound, _, _ := net.SplitHostPort(c.Address)
	names := slices.Clone(c.Hosts)
	for _, text := range []string{machine, short, bound} {
		if n, err := host.Parse(text); err == nil {
			names = append(names, n)
		}
	}
	return names
}

// proxyAddress is where proxy requests are taken, for /proxy.pac; "" = nowhere.
func proxyAddress(open []proxy.Bound) string {
	for _, l := range open {
		if l.Forward {
			return l.Addr.String()
		}
	}
	return ""
}

// upstreams are the configured hosts and patterns.
func (a *app) upstreams() []host.Pattern {
	var patterns []host.Pattern
	for _, u := range a.cfg.Load().Upstreams {
		patterns = append(patterns, u.Host)
	}
	return patterns
}

// requestQuit begins a graceful end.
func (a *app) requestQuit() {
	select {
	case a.quit <- struct{}{}:
	default:
	}
}

// listen opens the admin listeners.
func (o *operator) listen() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	if o.main, err = o.open("admin.address", o.cfg.Address); err != nil {
		return err
	}
	if o.public, err = o.open("admin.public", o.cfg.Public); err != nil {
		if o.main != nil {
			o.main.Close()
		}
		return err
	}
	if o.main != nil {
		o.log.Info("admin listening", zap.String("address", o.main.Addr().String()))
	}
	if o.public != nil {
		o.log.Info("admin listening", zap.String("address", o.public.Addr().String()), zap.Bool("public", true))
	}
	return nil
}

func (o *operator) open(key, address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	if ln := o.inherited.Take(address); ln != nil {
		return ln, nil
	}
	ln, err := front.Listen(context.Background(), net.ListenConfig{}, address)
	if err != nil {
		return nil, fmt.Errorf("%s: listen on %s: %w", key, address, err)
	}
	return ln, nil
}

// eachListener calls f with each open listener and its address as configured.
func (o *operator) eachListener(f func(address string, ln net.Listener)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.main != nil {
		f(o.cfg.Address, o.main)
	}
	if o.public != nil {
		f(o.cfg.Public, o.public)
	}
}

// serve answers until the process ends; a failure is sent to ended.
func (o *operator) serve(ended chan<- error) {
	run := func(ln net.Listener, serve func(net.Listener) error) {
		if ln == nil {
			return
		}
		go func() {
			if err := serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
				ended <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
	run(o.main, o.Serve)
	run(o.public, o.ServePublic)
}

// owns reports whether an address is one of the admin listeners'.
func (o *operator) owns(ap netip.AddrPort, covers func(bound, ap netip.AddrPort) bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ln := range []net.Listener{o.main, o.public} {
		if ln == nil {
			continue
		}
		if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
			bound := tcp.AddrPort()
			if covers(netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()), ap) {
				return true
			}
		}
	}
	return false
}
