package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// nameServer is a DNS server on loopback, over UDP and TCP.
type nameServer struct {
	addr string

	mu      sync.Mutex
	records map[string][]string // "name type" to records, in zone file form
	fault   func(w dns.ResponseWriter, q *dns.Msg) (done bool)
	asked   []string
}

func newNameServer(t testing.TB, records map[string][]string) *nameServer {
	t.Helper()
	ns := &nameServer{records: records}
	pc, l := listenBoth(t)
	ns.addr = pc.LocalAddr().String()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: ns}, {Listener: l, Handler: ns}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		wg.Go(func() { _ = s.ActivateAndServe() })
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return ns
}

// listenBoth finds a port that is free for UDP and for TCP.
func listenBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		pc, err := net.ListenPacket("udp", l.Addr().String())
		if err == nil {
			return pc, l
		}
		_ = l.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

func (ns *nameServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	key := q.Question[0].Name + " " + dns.TypeToString[q.Question[0].Qtype]
	_, udp := w.LocalAddr().(*net.UDPAddr)
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.asked = append(ns.asked, key)
	if ns.fault != nil && ns.fault(w, q) {
		return
	}
	m := new(dns.Msg)
	m.SetReply(q)
	known := false
	for name := range ns.records {
		known = known || strings.HasPrefix(name, q.Question[0].Name+" ")
	}
	if !known {
		m.Rcode = dns.RcodeNameError
	}
	for _, s := range ns.records[key] {
		if rr, err := dns.NewRR(s); err == nil {
			m.Answer = append(m.Answer, rr)
		}
	}
	for _, s := range ns.records[q.Question[0].Name+" SOA"] {
		if rr, err := dns.NewRR(s); err == nil && len(m.Answer) == 0 {
			m.Ns = append(m.Ns, rr)
		}
	}
	if udp && len(m.Answer) > 20 {
		m.Answer, m.Truncated = nil, true
	}
	_ = w.WriteMsg(m)
}

func (ns *nameServer) set(fault func(dns.ResponseWriter, *dns.Msg) bool) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.fault = fault
}

func (ns *nameServer) questions() int {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return len(ns.asked)
}

// serverFailure answers SERVFAIL.
func serverFailure(w dns.ResponseWriter, q *dns.Msg) bool {
	m := new(dns.Msg)
	m.SetRcode(q, dns.RcodeServerFailure)
	_ = w.WriteMsg(m)
	return true
}

// silent answers nothing.
func silent(dns.ResponseWriter, *dns.Msg) bool { return true }

// testResolver returns a resolver that asks ns and reads the given hosts file.
func testResolver(t testing.TB, clk *clock, hosts string, servers ...string) *resolver {
	t.Helper()
	dir := t.TempDir()
	o := Options{DNSServers: servers, HostsFile: filepath.Join(dir, "hosts"), ResolvConf: filepath.Join(dir, "resolv.conf")}
	check(t, os.WriteFile(o.HostsFile, []byte(hosts), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r := newResolver(ctx, &o, clk.now)
	r.ownAddrs = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("192.0.2.200")} }
	r.system = func(_ context.Context, name string) ([]netip.Addr, error) {
		return nil, fmt.Errorf("the system was asked for %s", name)
	}
	return r
}

func nothing(netip.Addr) bool { return false }

// look returns the addresses of a name as a string.
func look(t testing.TB, r *resolver, name string) string {
	t.Helper()
	ans, err := r.lookup(t.Context(), name, false, nothing)
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(ans.addrs)
}

func TestDNSAnswers(t *testing.T) {
	t.Parallel()
	many := make([]string, 30)
	for i := range many {
		many[i] = fmt.Sprintf("many.test. 60 IN A 192.0.2.%d", i+1)
	}
	var chain []string
	for i := range 20 {
		chain = append(chain, fmt.Sprintf("c%d.test. 60 IN CNAME c%d.test.", i, i+1))
	}
	ns := newNameServer(t, map[string][]string{
		"a.test. A":         {"a.test. 60 IN A 192.0.2.1"},
		"both.test. A":      {"both.test. 60 IN A 192.0.2.1", "both.test. 60 IN A 192.0.2.2"},
		"both.test. AAAA":   {"both.test. 60 IN AAAA 2001:db8::1"},
		"six.test. AAAA":    {"six.test. 60 IN AAAA 2001:db8::1"},
		"many.test. A":      many,
		"alias.test. A":     {"alias.test. 60 IN CNAME real.test.", "real.test. 60 IN A 192.0.2.3"},
		"order.test. A":     {"real.test. 60 IN A 192.0.2.3", "order.test. 60 IN CNAME real.test."},
		"far.test. A":       {"far.test. 60 IN CNAME a.test."},
		"loop.test. A":      {"loop.test. 60 IN CNAME loop2.test.", "loop2.test. 60 IN CNAME loop.test."},
		"self.test. A":      {"self.test. 60 IN CNAME self.test."},
		"c0.test. A":        chain,
		"injected.test. A":  {"other.test. 60 IN A 192.0.2.66"},
		"empty.test. MX":    {"empty.test. 60 IN MX 1 a.test."},
		"wrongtype.test. A": {"wrongtype.test. 60 IN AAAA 2001:db8::1"},
	})
	r := testResolver(t, newClock(), "", ns.addr)
	for name, want := range map[string]string{
		"a.test":         "[192.0.2.1]",
		"both.test":      "[192.0.2.1 2001:db8::1 192.0.2.2]",
		"six.test":       "[2001:db8::1]",
		"alias.test":     "[192.0.2.3]",
		"order.test":     "[192.0.2.3]",
		"far.test":       "[192.0.2.1]",
		"loop.test":      "error",
		"self.test":      "error",
		"c0.test":        "error",
		"injected.test":  "error: the name has no address",
		"empty.test":     "error: the name has no address",
		"wrongtype.test": "error: the name has no address",
		"none.test":      "error: the name has no address",
	} {
		if got := look(t, r, name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := strings.Count(look(t, r, "many.test"), "192.0.2."); got != 30 {
		t.Errorf("%d of 30 addresses: the truncated answer was not asked for over TCP", got)
	}
	for _, q := range ns.asked {
		if strings.Count(q, ".") != 2 && !strings.HasPrefix(q, "c") {
			t.Errorf("asked for %s: not absolute", q)
		}
	}
}

func TestDNSRotation(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 60 IN A 192.0.2.1", "a.test. 60 IN A 192.0.2.2", "a.test. 60 IN A 192.0.2.3"}})
	r := testResolver(t, newClock(), "", ns.addr)
	for _, want := range []string{"[192.0.2.1 192.0.2.2 192.0.2.3]", "[192.0.2.2 192.0.2.3 192.0.2.1]", "[192.0.2.3 192.0.2.1 192.0.2.2]", "[192.0.2.1 192.0.2.2 192.0.2.3]"} {
		if got := look(t, r, "a.test"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if n := ns.questions(); n != 2 {
		t.Errorf("%d questions", n)
	}
}

func TestDNSLifetimes(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{
		"zero.test. A":  {"zero.test. 0 IN A 192.0.2.1"},
		"short.test. A": {"short.test. 30 IN A 192.0.2.1"},
		"long.test. A":  {"long.test. 604800 IN A 192.0.2.1"},
		"alias.test. A": {"alias.test. 600 IN CNAME real.test.", "real.test. 20 IN A 192.0.2.1"},
		"soa.test. SOA": {"soa.test. 600 IN SOA ns.test. admin.test. 1 2 3 4 7"},
		"far.test. SOA": {"far.test. 600 IN SOA ns.test. admin.test. 1 2 3 4 86400"},
	})
	for name, ttl := range map[string]time.Duration{
		"zero.test": time.Second, "short.test": 30 * time.Second, "long.test": time.Hour, "alias.test": 20 * time.Second, "none.test": time.Second,
		"soa.test": 7 * time.Second, "far.test": 30 * time.Second,
	} {
		clk := newClock()
		r := testResolver(t, clk, "", ns.addr)
		look(t, r, name)
		before := ns.questions()
		clk.advance(ttl - 1)
		look(t, r, name)
		if ns.questions() != before {
			t.Errorf("%s: asked again before %v", name, ttl)
		}
		clk.advance(1)
		look(t, r, name)
		if ns.questions() == before {
			t.Errorf("%s: not asked again after %v", name, ttl)
		}
	}
}

// When DNS fails, what was known serves on for a while.
func TestDNSStale(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 10 IN A 192.0.2.1"}})
	clk := newClock()
	r := testResolver(t, clk, "", ns.addr)
	want := func(when, want string) {
		t.Helper()
		if got := look(t, r, "a.test"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	want("at first", "[192.0.2.1]")
	ns.set(serverFailure)
	clk.advance(11 * time.Second)
	want("just expired", "[192.0.2.1]")
	asked := ns.questions()
	want("asked a moment ago", "[192.0.2.1]")
	if ns.questions() != asked {
		t.Error("the failing server is asked each time")
	}
	clk.advance(staleRetry)
	want("later", "[192.0.2.1]")
	if ns.questions() == asked {
		t.Error("the failing server is never asked again")
	}
	clk.advance(staleFor)
	want("too old", "error")
	ns.set(nil)
	clk.advance(minTTL)
	want("recovered", "[192.0.2.1]")
	ns.mu.Lock()
	ns.records = map[string][]string{}
	ns.mu.Unlock()
	clk.advance(11 * time.Second)
	want("gone", "error: the name has no address") // that is an answer
}

func TestDNSFailover(t *testing.T) {
	t.Parallel()
	good := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 1 IN A 192.0.2.1"}})
	for name, fault := range map[string]func(dns.ResponseWriter, *dns.Msg) bool{
		"SERVFAIL": serverFailure,
		"silence":  silent,
		"refused": func(w dns.ResponseWriter, q *dns.Msg) bool {
			m := new(dns.Msg)
			m.SetRcode(q, dns.RcodeRefused)
			_ = w.WriteMsg(m)
			return true
		},
		"another question": func(w dns.ResponseWriter, q *dns.Msg) bool {
			m := new(dns.Msg)
			m.SetReply(q)
			m.Question[0].Name = "evil.test."
			rr, _ := dns.NewRR("a.test. 60 IN A 192.0.2.66")
			m.Answer = []dns.RR{rr}
			_ = w.WriteMsg(m)
			return true
		},
		"garbage": func(w dns.ResponseWriter, _ *dns.Msg) bool { _, _ = w.Write([]byte("garbage")); return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := newNameServer(t, nil)
			bad.set(fault)
			clk := newClock()
			r := testResolver(t, clk, "", bad.addr, good.addr)
			if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
				t.Error(got)
			}
			asked := bad.questions()
			clk.advance(time.Minute)
			if got := look(t, r, "a.test"); got != "[192.0.2.1]" || bad.questions() != asked {
				t.Errorf("%s, and the bad server was asked first again", got)
			}
		})
	}
}

func TestDNSWithoutEDNS(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 60 IN A 192.0.2.1"}})
	ns.set(func(w dns.ResponseWriter, q *dns.Msg) bool {
		if q.IsEdns0() == nil {
			return false
		}
		m := new(dns.Msg)
		m.SetRcode(q, dns.RcodeFormatError)
		_ = w.WriteMsg(m)
		return true
	})
	if got := look(t, testResolver(t, newClock(), "", ns.addr), "a.test"); got != "[192.0.2.1]" {
		t.Error(got)
	}
}

// A server that never answers for one family does not delay the other.
func TestDNSOneFamilySilent(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 600 IN A 192.0.2.1"}})
	ns.set(func(_ dns.ResponseWriter, q *dns.Msg) bool { return q.Question[0].Qtype == dns.TypeAAAA })
	clk := newClock()
	r := testResolver(t, clk, "", ns.addr)
	start := time.Now()
	if got := look(t, r, "a.test"); got != "[192.0.2.1]" || time.Since(start) > dnsTimeout/2 {
		t.Error(got, time.Since(start))
	}
	asked := ns.questions()
	clk.advance(partialTTL)
	look(t, r, "a.test")
	if ns.questions() == asked {
		t.Error("the half answer is kept for its whole life")
	}
}

func TestDNSSingleFlight(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, map[string][]string{"a.test. A": {"a.test. 60 IN A 192.0.2.1"}})
	release := make(chan struct{})
	ns.set(func(dns.ResponseWriter, *dns.Msg) bool { <-release; return false })
	r := testResolver(t, newClock(), "", ns.addr)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
				t.Error(got)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := ns.questions(); n != 2 {
		t.Errorf("%d questions for 50 requests", n)
	}
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	ns := newNameServer(t, nil)
	r := testResolver(t, newClock(), "", ns.addr)
	for i := range maxNames {
		r.names[fmt.Sprint(i)] = &nameEntry{}
	}
	r.names["kept"] = &nameEntry{stale: r.now().Add(time.Hour)}
	look(t, r, "a.test")
	if len(r.names) > maxNames || r.names["kept"] == nil {
		t.Errorf("%d names", len(r.names))
	}
}
