package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"tlslift/proxy/problem"
)

func TestHostsFile(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{
		"loop.test. A": {"loop.test. 60 IN A 192.0.2.1"}, "own.test. A": {"own.test. 60 IN A 192.0.2.2"}, "skip.test. A": {"skip.test. 60 IN A 192.0.2.3"},
	})
	r := testResolver(t, newClock(), `
127.0.0.1	localhost loop.test # for the legacy application
::1		loop.test
192.0.2.200	own.test
192.0.2.7	Named.Test. alias   # both
10.0.0.1	skip.test
0.0.0.0		loop.test
::ffff:192.0.2.8 mapped.test
not an address
192.0.2.9
`, ns.addr)
	skip := func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") }
	for name, want := range map[string]string{
		"loop.test": "[192.0.2.1]", "own.test": "[192.0.2.2]", "skip.test": "[192.0.2.3]",
		"named.test": "[192.0.2.7]", "alias": "[192.0.2.7]", "mapped.test": "[192.0.2.8]",
	} {
		ans, err := r.lookup(t.Context(), name, false, skip)
		if got := fmt.Sprint(ans.addrs); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", name, got, err, want)
		}
	}
	// A foreign name is what the system says it is.
	if ans, err := r.lookup(t.Context(), "loop.test", true, skip); err != nil || len(ans.addrs) != 3 {
		t.Error(ans.addrs, err)
	}
}

func TestFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 1 IN A 192.0.2.1"}})
	clk := newClock()
	r := testResolver(t, clk, "192.0.2.5 a.test")
	if got := look(t, r, "a.test"); got != "[192.0.2.5]" {
		t.Error(got)
	}
	check(t, os.WriteFile(r.hosts.path, nil, 0o600))
	if got := look(t, r, "a.test"); got != "[192.0.2.5]" {
		t.Error("looked at too soon:", got)
	}
	clk.advance(fileCheck)
	if got := look(t, r, "a.test"); got != "error: the system was asked for a.test." { // no resolv.conf
		t.Error(got)
	}
	// resolv.conf names no port, so the server is known only to the parser.
	check(t, os.WriteFile(r.conf.path, []byte("search x.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53 # two\noptions ndots:5\nnameserver x\n"), 0o600))
	clk.advance(fileCheck)
	if got := fmt.Sprint(r.conf.get(clk.now())); got != "[192.0.2.53:53 [2001:db8::53]:53]" {
		t.Error(got)
	}
	check(t, os.Remove(r.conf.path))
	clk.advance(fileCheck)
	if got := r.conf.get(clk.now()); len(got) != 0 {
		t.Error(got)
	}
	r.servers = []string{ns.addr}
	if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
		t.Error(got)
	}
}

// The whole way: a name that is rebound to an internal address is refused
// when it is dialled, whatever it was before.
func TestRebinding(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{testHost + ". A": {testHost + ". 1 IN A 127.0.0.1"}})
	s := newServer(t, answerAll)
	_, port, err := splitAddress(s.addr, 0)
	check(t, err)
	h := Host{Pattern: testHost, Port: port, Roots: s.ca.pool}
	options := func(o *Options) { o.Hosts, o.DNSServers, o.HostsFile = []Host{h}, []string{ns.addr}, os.DevNull }
	tr := start(t, s, options)
	wantError(t, tr, route(t, tr, testHost), problem.InternalAddress)
	_, err = tr.DialTunnel(t.Context(), route(t, tr, testHost), &Exchange{})
	var e *Error
	if !errors.As(err, &e) || e.Reason != problem.InternalAddress {
		t.Error(err)
	}
	if accepted, _, _ := s.counts(); accepted != 0 {
		t.Error("connected")
	}

	tr = start(t, s, options, func(o *Options) { o.AllowInternal = true })
	ex := wantOK(t, tr, route(t, tr, testHost))
	if ex.DNS == 0 || ex.Connect == 0 || ex.TLS == 0 || ex.Wait < ex.DNS+ex.Connect+ex.TLS {
		t.Errorf("%+v", ex)
	}

	ns.set(serverFailure)
	tr = start(t, s, options, func(o *Options) { o.AllowInternal = true })
	wantError(t, tr, route(t, tr, testHost), problem.DNS)
}

// An address that does not answer costs attemptDelay, not the request.
func TestAddressesInTurn(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	good := netip.MustParseAddrPort(s.addr)
	refused := netip.MustParseAddrPort(closedPort(t))
	st := tr.state.Load()
	for _, addrs := range [][]netip.AddrPort{{refused, good}, {refused, refused, refused, good}, {good, refused}, {good, good, good}} {
		sock, err := tr.dialAddrs(t.Context(), st, addrs, true)
		check(t, err)
		if addrPort(sock.RemoteAddr()) != good {
			t.Error(sock.RemoteAddr())
		}
		_ = sock.Close()
	}
	if _, err := tr.dialAddrs(t.Context(), st, []netip.AddrPort{refused, refused}, true); asError(err, problem.None).Reason != problem.Connect {
		t.Error(err)
	}
}

// FuzzNameFiles holds that no hosts file or resolv.conf does harm.
func FuzzNameFiles(f *testing.F) {
	f.Add([]byte("127.0.0.1 localhost\n::1 x # y\nnameserver 192.0.2.1\n"))
	f.Add([]byte("nameserver fe80::1%eth0\nnameserver\n;\n#\n\x00 \xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, addrs := range parseHosts(b) {
			if n, ok := normalise(name); !ok || n != name || len(addrs) == 0 {
				t.Errorf("%q %v", name, addrs)
			}
		}
		for _, s := range parseResolvConf(b) {
			if _, _, err := net.SplitHostPort(s); err != nil {
				t.Error(err)
			}
		}
	})
}

// An address tells the upstream, for callers that name no host.
func TestKnownHost(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{
		"exact.test. A": {"exact.test. 60 IN A 192.0.2.1"}, "a.wild.test. A": {"a.wild.test. 60 IN A 192.0.2.2"}, "far.test. A": {"far.test. 60 IN A 192.0.2.4"},
	})
	tr, err := New(Options{
		Hosts:      []Host{{Pattern: "exact.test"}, {Pattern: "*.wild.test"}, {Pattern: "fixed.test", Address: "192.0.2.3:8443"}},
		DNSServers: []string{ns.addr}, HostsFile: os.DevNull,
	})
	check(t, err)
	defer tr.Close()
	names := tr.state.Load().names
	want := func(addr, want string) {
		t.Helper()
		if host, ok := tr.KnownHost(netip.MustParseAddr(addr)); host != want || ok != (want != "") {
			t.Errorf("%s: %q, want %q", addr, host, want)
		}
	}
	want("192.0.2.1", "exact.test")
	want("::ffff:192.0.2.1", "exact.test")
	want("192.0.2.3", "fixed.test")
	want("192.0.2.2", "") // not used yet
	look(t, names, "a.wild.test")
	look(t, names, "far.test")
	want("192.0.2.2", "a.wild.test")
	want("192.0.2.4", "") // known, but no upstream
}
