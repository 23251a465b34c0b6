package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"

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
	log       *zap.Logger
	inherited *proxy.Sockets
	listeners []adminListener // those that are configured
}

// adminListener is a listener of the operator's side.
type adminListener struct {
	net.Listener        // nil until listen
	key          string // of the configuration
	address      string // as configured
	public       bool   // metrics and probes alone
}

// newOperator prepares the operator's side. Nothing listens yet.
func (a *app) newOperator(in *loaded, reg prometheus.Gatherer) *operator {
	cfg := in.cfg
	o := &operator{log: a.log.Logger, inherited: a.inherited}
	for _, l := range []adminListener{
		{key: "admin.address", address: cfg.Admin.Address},
		{key: "admin.public", address: cfg.Admin.Public, public: true},
	} {
		if l.address != "" {
			o.listeners = append(o.listeners, l)
		}
	}
	o.Admin = admin.New(admin.Options{
		Gatherer:  reg,
		Logger:    a.log.Logger,
		Hosts:     adminHosts(cfg.Admin),
		Token:     in.token,
		CA:        a.server.CAPEM,
		Proxy:     func() string { return proxyAddress(a.server.Bound()) },
		Upstreams: a.upstreams,
		Trouble:   a.trouble,
		Quit:      a.requestQuit,
		AllowQuit: cfg.Admin.Quit,
		Profiles:  cfg.Admin.Pprof,
		Build:     admin.Build{Version: version, Revision: sourceRevision(), GoVersion: runtime.Version()},
	})
	return o
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

// listen opens the admin listeners. Nothing else is called before.
func (o *operator) listen() (err error) {
	for i := range o.listeners {
		l := &o.listeners[i]
		if l.Listener = o.inherited.Take(l.address); l.Listener == nil {
			if l.Listener, err = front.Listen(context.Background(), net.ListenConfig{}, l.address); err != nil {
				return fmt.Errorf("%s: listen on %s: %w", l.key, l.address, err)
			}
		}
		fields := []zap.Field{zap.String("address", l.Addr().String())}
		if l.public {
			fields = append(fields, zap.Bool("public", true))
		}
		o.log.Info("admin listening", fields...)
	}
	return nil
}

// serve answers until the process ends; a failure is sent to ended.
func (o *operator) serve(ended chan<- error) {
	for _, l := range o.listeners {
		serve := o.Serve
		if l.public {
			serve = o.ServePublic
		}
		go func() {
			if err := serve(l.Listener); err != nil {
				ended <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
}

// ownAdmin reports whether an address is one of the admin listeners'.
func (a *app) ownAdmin(ap netip.AddrPort) bool {
	for _, l := range a.admin.listeners {
		if tcp, ok := l.Addr().(*net.TCPAddr); ok {
			bound := tcp.AddrPort()
			if a.server.Covers(netip.AddrPortFrom(bound.Addr().Unmap(), bound.Port()), ap) {
				return true
			}
		}
	}
	return false
}
