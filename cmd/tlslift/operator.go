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
	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/host"
)

type adminListener struct {
	net.Listener
	address string // as configured
	public  bool   // only metrics and probes
}

// newAdmin prepares the admin side. Nothing listens yet.
func (a *app) newAdmin(in *loaded, reg prometheus.Gatherer) *admin.Admin {
	cfg := in.cfg
	return admin.New(admin.Options{
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
}

// adminHosts returns the names by which the admin side may be called: those of
// this machine, the one in its address, and the configured ones.
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

// proxyAddress returns where proxy requests are accepted, for /proxy.pac;
// "" = nowhere.
func proxyAddress(open []proxy.Bound) string {
	for _, l := range open {
		if l.Accept.Has(call.Forward) {
			return l.Addr.String()
		}
	}
	return ""
}

func (a *app) upstreams() []host.Pattern {
	var patterns []host.Pattern
	for _, u := range a.cfg.Load().Upstreams {
		patterns = append(patterns, u.Host)
	}
	return patterns
}

func (a *app) requestQuit() {
	select {
	case a.quit <- struct{}{}:
	default:
	}
}

// listenAdmin opens the admin listeners. They are not served yet.
func (a *app) listenAdmin(c configs.Admin) error {
	for _, l := range []struct {
		key, address string
		public       bool
	}{{"admin.address", c.Address, false}, {"admin.public", c.Public, true}} {
		if l.address == "" {
			continue
		}
		ln := a.inherited.Take(l.address)
		if ln == nil {
			var err error
			if ln, err = front.Listen(context.Background(), net.ListenConfig{}, l.address); err != nil {
				return fmt.Errorf("%s: listen on %s: %w", l.key, l.address, err)
			}
		}
		a.adminListeners = append(a.adminListeners, adminListener{ln, l.address, l.public})
		fields := []zap.Field{zap.String("address", ln.Addr().String())}
		if l.public {
			fields = append(fields, zap.Bool("public", true))
		}
		a.log.Info("admin listening", fields...)
	}
	return nil
}

// serveAdmin serves until the process ends, and sends any failure to a.ended.
func (a *app) serveAdmin() {
	for _, l := range a.adminListeners {
		serve := a.admin.Serve
		if l.public {
			serve = a.admin.ServePublic
		}
		go func() {
			if err := serve(l.Listener); err != nil {
				a.ended <- fmt.Errorf("admin: %w", err)
			}
		}()
	}
}

// ownAdmin reports whether an address is that of an admin listener.
func (a *app) ownAdmin(ap netip.AddrPort) bool {
	return slices.ContainsFunc(a.adminListeners, func(l adminListener) bool { return a.server.Covers(host.OfSocket(l.Addr()), ap) })
}
