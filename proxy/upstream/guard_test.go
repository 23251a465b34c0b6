package upstream

import (
	"errors"
	"net/netip"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	plain := newServer(t, answerAll, noTLS)
	self := netip.MustParseAddrPort(s.addr)
	for _, tt := range []struct {
		name   string
		adjust func(*Options)
		route  func(*Transport) *Route
		reason problem.Reason // None = works
	}{
		{"address is exempt", func(*Options) {}, func(tr *Transport) *Route { return route(t, tr, testHost) }, problem.None},
		{
			"but not if it is us", func(o *Options) { o.Own = func(a netip.AddrPort) bool { return a == self } },
			func(tr *Transport) *Route { return route(t, tr, testHost) }, problem.Loop,
		},
		{
			"upstream that is an internal address", func(o *Options) { o.Hosts = []Host{Host{Port: self.Port()}.named("127.0.0.1")} },
			func(tr *Transport) *Route { return route(t, tr, "127.0.0.1") }, problem.InternalAddress,
		},
		{"foreign, guarded", func(*Options) {}, func(tr *Transport) *Route { return foreign(t, tr, plain.addr, true) }, problem.InternalAddress},
		{"foreign, not guarded", func(*Options) {}, func(tr *Transport) *Route { return foreign(t, tr, plain.addr, false) }, problem.None},
		{
			"foreign, us", func(o *Options) { o.Own = func(netip.AddrPort) bool { return true } },
			func(tr *Transport) *Route { return foreign(t, tr, plain.addr, false) }, problem.Loop,
		},
		{"foreign, mapped", func(*Options) {}, func(tr *Transport) *Route { return foreign(t, tr, "[::ffff:127.0.0.1]:80", true) }, problem.InternalAddress},
		{"foreign, decimal", func(*Options) {}, func(tr *Transport) *Route { return foreign(t, tr, "[::1]:80", true) }, problem.InternalAddress},
		{"localhost", func(*Options) {}, func(tr *Transport) *Route {
			return tr.Snapshot().Foreign(host.MustParse("LOCALHOST."), 80, true, false)
		}, problem.InternalAddress},
		{"below localhost", func(*Options) {}, func(tr *Transport) *Route {
			return tr.Snapshot().Foreign(host.MustParse("a.localhost"), 80, true, false)
		}, problem.InternalAddress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tr := start(t, s, tt.adjust)
			r := tt.route(tr)
			if tt.reason == problem.None {
				wantOK(t, tr, r)
				c, err := tr.DialTunnel(t.Context(), r, &Exchange{})
				check(t, err)
				_ = c.Close()
				return
			}
			wantError(t, tr, r, tt.reason)
			_, err := tr.DialTunnel(t.Context(), r, &Exchange{})
			var e *Error
			if !errors.As(err, &e) || e.Reason != tt.reason || e.Delivery != problem.NotSent {
				t.Errorf("tunnel: %v", err)
			}
		})
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	tr, err := newDefault(Options{})
	check(t, err)
	defer tr.Close()
	if r := tr.Snapshot().Foreign(host.MustParse("Example.Test."), 0, true, false); r.Label != call.LabelOther || r.HostHeader != "example.test" || r.target.Port != 80 {
		t.Errorf("%+v", r)
	}
	if r := tr.Snapshot().Foreign(host.MustParse("::1"), 8080, true, false); r.HostHeader != "[::1]:8080" {
		t.Error(r.HostHeader)
	}
}
