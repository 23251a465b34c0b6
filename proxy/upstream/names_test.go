package upstream

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/test/nameserver"
)

// The whole way: a name that is rebound to an internal address is refused
// when it is dialled, whatever it was before.
func TestRebinding(t *testing.T) {
	t.Parallel()
	ns := nameserver.New(t, testHost+" 1 A 127.0.0.1")
	dns := ns.Listen(t)
	s := newServer(t, answerAll)
	h := Host{Port: netip.MustParseAddrPort(s.addr).Port(), Roots: s.ca.pool}.named(testHost)
	options := func(o *Options) { o.Hosts, o.DNSServers = []Host{h}, []string{dns} }
	tr := start(t, s, options)
	wantError(t, tr, route(t, tr, testHost), problem.InternalAddress)
	_, err := tr.DialTunnel(t.Context(), route(t, tr, testHost), &Exchange{})
	var e *Error
	if !errors.As(err, &e) || e.Reason != problem.InternalAddress {
		t.Error(err)
	}
	if accepted, _, _ := s.counts(); accepted != 0 {
		t.Error("connected")
	}

	obs := &recorder{}
	tr = start(t, s, options, func(o *Options) { o.AllowInternal, o.Observer = true, obs })
	wantOK(t, tr, route(t, tr, testHost))
	for _, phase := range []string{"dns", "connect", "tls", "first_byte"} {
		if n := obs.count("phase " + testHost + " " + phase); n != 1 {
			t.Errorf("phase %s %d times", phase, n)
		}
	}

	ns.Set(nameserver.Fail(dnsmessage.RCodeServerFailure))
	tr = start(t, s, options, func(o *Options) { o.AllowInternal = true })
	wantError(t, tr, route(t, tr, testHost), problem.DNS)
}

// An address tells the upstream, for callers that name no host.
func TestKnownHost(t *testing.T) {
	t.Parallel()
	dns := nameserver.New(t, "exact.test 60 A 192.0.2.1", "a.wild.test 60 A 192.0.2.2", "far.test 60 A 192.0.2.4").Listen(t)
	tr, err := New(Options{
		Hosts:      []Host{Host{}.named("exact.test"), Host{}.named("*.wild.test"), Host{}.named("fixed.test").at("192.0.2.3:8443")},
		DNSServers: []string{dns}, HostsFile: os.DevNull,
	})
	check(t, err)
	defer tr.Close()
	look := func(name string) {
		t.Helper()
		_, _, err := tr.Snapshot().dialer.Names.Lookup(t.Context(), host.MustParse(name), func(netip.Addr) bool { return false })
		check(t, err)
	}
	want := func(addr, want string) {
		t.Helper()
		if name, ok := tr.KnownHost(netip.MustParseAddr(addr)); name.String() != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", addr, name, want)
		}
	}
	want("192.0.2.1", "exact.test")
	want("::ffff:192.0.2.1", "exact.test")
	want("192.0.2.3", "fixed.test")
	want("192.0.2.2", "") // not used yet
	look("a.wild.test")
	look("far.test")
	want("192.0.2.2", "a.wild.test")
	want("192.0.2.4", "") // known, but no upstream
}
