package upstream

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/test/nameserver"
)

// anyServer stands for a DNS server in memory.
var anyServer = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}

// The whole way: a name that is rebound to an internal address is refused
// when it is dialled, whatever it was before.
func TestRebinding(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, testHost+" 1 A 127.0.0.1")
		s := memServer(t, answerAll)
		begin := func(adjust ...func(*Options)) *Transport {
			named := func(o *Options) { o.Hosts, o.DNSServers = []Host{Host{Roots: s.ca.pool}.named(testHost)}, anyServer }
			tr := start(t, s, append(adjust, named)...)
			tr.Snapshot().dialer.Names.Dial = ns.Dial
			return tr
		}
		tr := begin()
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
		tr = begin(func(o *Options) { o.AllowInternal, o.Observer = true, obs })
		wantOK(t, tr, route(t, tr, testHost))
		for _, phase := range []string{"dns", "connect", "tls", "first_byte"} {
			if n := obs.count("phase " + testHost + " " + phase); n != 1 {
				t.Errorf("phase %s %d times", phase, n)
			}
		}

		ns.Set(nameserver.Fail(dnsmessage.RCodeServerFailure))
		tr = begin(func(o *Options) { o.AllowInternal = true })
		wantError(t, tr, route(t, tr, testHost), problem.DNS)
	})
}

// An address tells the upstream, for callers that name no host.
func TestOwnerOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, "exact.test 60 A 192.0.2.1", "a.wild.test 60 A 192.0.2.2", "far.test 60 A 192.0.2.4")
		options := defaulted(Options{
			Hosts: []Host{
				Host{}.named("exact.test"), Host{}.named("*.wild.test"), Host{}.named("fixed.test").at("192.0.2.3:8443"),
				Host{}.named("gone.test"), Host{}.named("inside.test").at("10.0.0.3:443"),
			},
			DNSServers: anyServer, HostsFile: os.DevNull,
		})
		tr, err := New(options)
		check(t, err)
		defer tr.Close()
		tr.Snapshot().dialer.Names.Dial = ns.Dial
		look := func(name string) {
			t.Helper()
			_, _, err := tr.Snapshot().dialer.Names.Lookup(t.Context(), host.MustParse(name), func(netip.Addr) bool { return false })
			check(t, err)
		}
		want := func(addr, want string, owner call.Owner) {
			t.Helper()
			if name, got := tr.Snapshot().OwnerOf(netip.MustParseAddr(addr)); name.String() != want || got != owner {
				t.Errorf("%s: %q, %v, want %q", addr, name, got, want)
			}
		}
		ns.Set(nameserver.Fail(dnsmessage.RCodeServerFailure))
		want("192.0.2.1", "exact.test", call.OwnerUnresolved)
		want("192.0.2.99", "exact.test", call.OwnerUnresolved)
		want("192.0.2.3", "fixed.test", call.OwnerUpstream)
		want("10.0.0.3", "inside.test", call.OwnerUpstream)
		want("10.0.0.4", "", call.OwnerForeign)
		ns.Set(nil)
		time.Sleep(time.Minute)
		want("192.0.2.1", "exact.test", call.OwnerUpstream)
		want("::ffff:192.0.2.1", "exact.test", call.OwnerUpstream)
		want("192.0.2.2", "", call.OwnerUnknown) // not used yet
		look("a.wild.test")
		look("far.test")
		want("192.0.2.2", "a.wild.test", call.OwnerUpstream)
		want("192.0.2.4", "", call.OwnerUnknown) // known, but no upstream

		ns.Set(nameserver.Silence)
		time.Sleep(time.Hour)
		want("192.0.2.1", "exact.test", call.OwnerUpstream) // still known
		want("192.0.2.2", "a.wild.test", call.OwnerUpstream)
		options.DNSServers, options.AllowInternal = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.54:53")}, true
		check(t, tr.Reconfigure(options))
		tr.Snapshot().dialer.Names.Dial = ns.Dial
		want("192.0.2.2", "a.wild.test", call.OwnerUpstream)
		want("10.0.0.4", "exact.test", call.OwnerUnresolved) // an upstream may have it
	})
}
