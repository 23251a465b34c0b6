package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/contain"
	"tlslift/proxy/host"
	"tlslift/test/nameserver"
)

const server = "192.0.2.53:53"

// testResolver asks servers in memory, by their addresses, and knows no hosts
// file but the given text.
func testResolver(t *testing.T, hosts string, servers map[string]*nameserver.Server) *Resolver {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(file, []byte(hosts), 0o600); err != nil {
		t.Fatal(err)
	}
	var addrs []string
	for addr := range servers {
		addrs = append(addrs, addr)
	}
	slices.Sort(addrs)
	return newResolver(t, Options{
		Servers: addrs, HostsFile: file, ResolvConf: filepath.Join(t.TempDir(), "none"),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return servers[address].Dial(ctx, network, address)
		},
		System: func(_ context.Context, name string) ([]netip.Addr, error) {
			return nil, fmt.Errorf("the system was asked for %s", name)
		},
		Local: func() map[netip.Addr]bool { return map[netip.Addr]bool{netip.MustParseAddr("192.0.2.200"): true} },
	})
}

// newResolver is New with defaults for what must be set.
func newResolver(t *testing.T, o Options) *Resolver {
	o.Logger, o.Now = zap.NewNop(), time.Now
	if o.Known == nil {
		o.Known = new(Known)
	}
	return New(t.Context(), o)
}

func one(s *nameserver.Server) map[string]*nameserver.Server {
	return map[string]*nameserver.Server{server: s}
}

func never(netip.Addr) bool { return false }

// look returns the addresses of a name as a string.
func look(t *testing.T, r *Resolver, name string) string {
	t.Helper()
	addrs, _, err := r.Lookup(t.Context(), host.MustParse(name), never)
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprint(addrs)
}

func TestAnswers(t *testing.T) {
	zone := []string{
		"a.test 60 A 192.0.2.1",
		"both.test 60 AAAA 2001:db8::1", "both.test 60 A 192.0.2.1", "both.test 60 A 192.0.2.2",
		"six.test 60 AAAA 2001:db8::1",
		"mapped.test 60 AAAA ::ffff:10.0.0.1",
		"alias.test 60 CNAME real.test", "real.test 60 A 192.0.2.3",
		"loop.test 60 CNAME loop2.test", "loop2.test 60 CNAME loop.test",
		"self.test 60 CNAME self.test",
		"empty.test 60 SOA 5",
	}
	for i := range 30 {
		zone = append(zone, fmt.Sprintf("many.test 60 A 192.0.2.%d", i+1), fmt.Sprintf("c%d.test 60 CNAME c%d.test", i, i+1))
	}
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, zone...)
		r := testResolver(t, "", one(ns))
		for name, want := range map[string]string{
			"a.test":      "[192.0.2.1]",
			"A.Test.":     "[192.0.2.1]",
			"both.test":   "[192.0.2.1 192.0.2.2 2001:db8::1]",
			"six.test":    "[2001:db8::1]",
			"mapped.test": "[10.0.0.1]",
			"alias.test":  "[192.0.2.3]",
			"loop.test":   "error: look up loop.test: DNS server 192.0.2.53:53: the name has no address",
			"self.test":   "error: look up self.test: DNS server 192.0.2.53:53: the name has no address",
			"c0.test":     "error: look up c0.test: DNS server 192.0.2.53:53: the name has no address",
			"empty.test":  "error: look up empty.test: DNS server 192.0.2.53:53: the name has no address",
			"none.test":   "error: look up none.test: DNS server 192.0.2.53:53: the name has no address",
		} {
			if got := look(t, r, name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		if got := strings.Count(look(t, r, "many.test"), "192.0.2."); got != 30 {
			t.Errorf("%d of 30 addresses: the truncated answer was not asked for over TCP", got)
		}
	})
}

// TestRecordsOfOthers holds that only records that the name leads to count,
// whatever their order.
func TestRecordsOfOthers(t *testing.T) {
	name := func(s string) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(s), Class: dnsmessage.ClassINET, TTL: 60}
	}
	address := func(s, addr string) dnsmessage.Resource {
		return dnsmessage.Resource{Header: name(s), Body: &dnsmessage.AResource{A: netip.MustParseAddr(addr).As4()}}
	}
	alias := dnsmessage.Resource{Header: name("a.test."), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("Real.test.")}}
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("a.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	for _, c := range []struct {
		answers []dnsmessage.Resource
		want    string
	}{
		{[]dnsmessage.Resource{address("real.test.", "192.0.2.3"), alias}, "[192.0.2.3]"},
		{[]dnsmessage.Resource{address("A.TEST.", "192.0.2.4")}, "[192.0.2.4]"},
		{[]dnsmessage.Resource{address("other.test.", "192.0.2.66")}, "[]"},
		{[]dnsmessage.Resource{alias, address("other.test.", "192.0.2.66")}, "[]"},
		{nil, "[]"},
	} {
		rec := extract(&dnsmessage.Message{Answers: c.answers}, q)
		if got := fmt.Sprint(rec.addrs); got != c.want || (rec.err == nil) != (c.want != "[]") {
			t.Errorf("%v %v, want %s", got, rec.err, c.want)
		}
	}
}

func TestLifetimes(t *testing.T) {
	for name, ttl := range map[string]time.Duration{
		"zero.test": time.Second, "short.test": 30 * time.Second, "long.test": time.Hour, "alias.test": 20 * time.Second, "none.test": time.Second,
		"soa.test": 7 * time.Second, "far.test": 30 * time.Second, "both.test": 40 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			ns := nameserver.New(t,
				"zero.test 0 A 192.0.2.1", "short.test 30 A 192.0.2.1", "long.test 604800 A 192.0.2.1",
				"alias.test 600 CNAME real.test", "real.test 20 A 192.0.2.1",
				"both.test 60 A 192.0.2.1", "both.test 40 AAAA 2001:db8::1",
				"soa.test 600 SOA 7", "far.test 600 SOA 86400")
			r := testResolver(t, "", one(ns))
			look(t, r, name)
			time.Sleep(ttl - 1)
			look(t, r, name)
			if n := len(ns.Asked()); n != 2 {
				t.Errorf("%s: asked again before %v", name, ttl)
			}
			time.Sleep(time.Nanosecond)
			look(t, r, name)
			if n := len(ns.Asked()); n != 4 {
				t.Errorf("%s: not asked again after %v", name, ttl)
			}
		})
	}
}

// TestStale: when DNS fails, a known answer serves on for a while.
func TestStale(t *testing.T) {
	for name, fault := range map[string]nameserver.Fault{"fails": nameserver.Fail(dnsmessage.RCodeServerFailure), "is silent": nameserver.Silence} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ns := nameserver.New(t, "a.test 10 A 192.0.2.1")
				r := testResolver(t, "", one(ns))
				want := func(when, want string) {
					t.Helper()
					start := time.Now()
					if got := look(t, r, "a.test"); !strings.HasPrefix(got, want) || time.Since(start) > lookupTimeout {
						t.Errorf("%s: %s after %v, want %s", when, got, time.Since(start), want)
					}
				}
				want("at first", "[192.0.2.1]")
				ns.Set(fault)
				time.Sleep(11 * time.Second)
				start := time.Now()
				want("just expired", "[192.0.2.1]")
				if took := time.Since(start); took > staleWait {
					t.Errorf("the failing server is waited for %v", took)
				}
				asked := len(ns.Asked())
				want("asked a moment ago", "[192.0.2.1]")
				if len(ns.Asked()) != asked {
					t.Error("the failing server is asked each time")
				}
				time.Sleep(staleRetry)
				want("later", "[192.0.2.1]")
				if len(ns.Asked()) == asked {
					t.Error("the failing server is never asked again")
				}
				time.Sleep(staleFor)
				want("too old", "error")
				ns.Set(nil)
				time.Sleep(minTTL)
				want("recovered", "[192.0.2.1]")
				ns.SetZone(t)
				time.Sleep(11 * time.Second)
				want("gone", "error: look up a.test: DNS server 192.0.2.53:53: the name has no address") // that is an answer
			})
		})
	}
}

// TestStaleFailover: asking goes on when an expired answer has served, so the
// server that does answer is found, and asked first from then on.
func TestStaleFailover(t *testing.T) {
	for name, reply := range map[string]nameserver.Fault{"at once": nil, "late": delayed(staleWait)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := nameserver.New(t, "a.test 5 A 192.0.2.1"), nameserver.New(t, "a.test 5 A 192.0.2.2")
				r := testResolver(t, "", map[string]*nameserver.Server{"192.0.2.53:53": first, "192.0.2.54:53": second})
				look(t, r, "a.test")
				first.Set(nameserver.Silence)
				second.Set(reply)
				time.Sleep(time.Minute)
				start := time.Now()
				for time.Since(start) < lookupTimeout {
					before := time.Now()
					got := look(t, r, "a.test")
					if took := time.Since(before); before != start && took > 0 || took > staleWait {
						t.Errorf("waits %v after %v", took, before.Sub(start))
					}
					if got == "[192.0.2.2]" {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(start); took > 2*staleWait {
					t.Errorf("the new answer came after %v", took)
				}
				asked := len(first.Asked())
				time.Sleep(time.Minute)
				if look(t, r, "a.test"); len(first.Asked()) != asked && reply == nil {
					t.Error("the silent server is asked first again")
				}
				time.Sleep(time.Minute) // the servers end
			})
		})
	}
}

func TestFailover(t *testing.T) {
	for name, fault := range map[string]nameserver.Fault{
		"SERVFAIL": nameserver.Fail(dnsmessage.RCodeServerFailure),
		"silence":  nameserver.Silence,
		"refused":  nameserver.Fail(dnsmessage.RCodeRefused),
		"another question": func(_ dnsmessage.Message, normal []byte) []byte {
			var m dnsmessage.Message
			_ = m.Unpack(normal)
			m.Questions[0].Name = dnsmessage.MustNewName("evil.test.")
			b, _ := m.Pack()
			return b
		},
		"another ID": func(_ dnsmessage.Message, normal []byte) []byte { normal[0]++; return normal },
		"a question": func(q dnsmessage.Message, _ []byte) []byte { b, _ := q.Pack(); return b },
		"garbage":    func(dnsmessage.Message, []byte) []byte { return []byte("garbage") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad, good := nameserver.New(t, "a.test 1 A 192.0.2.66"), nameserver.New(t, "a.test 1 A 192.0.2.1")
				bad.Set(fault)
				r := testResolver(t, "", map[string]*nameserver.Server{"192.0.2.53:53": bad, "192.0.2.54:53": good})
				if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
					t.Error(got)
				}
				asked := len(bad.Asked())
				time.Sleep(time.Minute)
				if got := look(t, r, "a.test"); got != "[192.0.2.1]" || len(bad.Asked()) != asked {
					t.Errorf("%s, and the bad server was asked first again", got)
				}
			})
		})
	}
}

// delayed is a Fault of a server that needs so long for an answer.
func delayed(d time.Duration) nameserver.Fault {
	return func(_ dnsmessage.Message, normal []byte) []byte { time.Sleep(d); return normal }
}

// TestSlowServers: an answer counts whenever it comes, and asking again ends no
// wait for it.
func TestSlowServers(t *testing.T) {
	const never = time.Hour
	for _, tt := range []struct{ servers []time.Duration }{
		{[]time.Duration{1300 * time.Millisecond}},
		{[]time.Duration{lookupTimeout - time.Millisecond}},
		{[]time.Duration{never, 1300 * time.Millisecond}},
		{[]time.Duration{1300 * time.Millisecond, never}},
		{[]time.Duration{never, never, 1300 * time.Millisecond}},
	} {
		synctest.Test(t, func(t *testing.T) {
			servers := make(map[string]*nameserver.Server)
			for i, delay := range tt.servers {
				ns := nameserver.New(t, "a.test 60 A 192.0.2.1", "a.test 60 AAAA 2001:db8::1")
				if ns.Set(delayed(delay)); delay == never {
					ns.Set(nameserver.Silence)
				}
				servers[fmt.Sprintf("192.0.2.%d:53", 53+i)] = ns
			}
			if got := look(t, testResolver(t, "", servers), "a.test"); got != "[192.0.2.1 2001:db8::1]" {
				t.Errorf("%v: %s", tt.servers, got)
			}
			time.Sleep(lookupTimeout) // the servers end
		})
	}
}

// TestForgedAnswers: an answer to another question does not end the wait for
// the true one.
func TestForgedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		r := newResolver(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }})
		go func() {
			b := make([]byte, maxUDP)
			n, _ := far.Read(b)
			var m dnsmessage.Message
			_ = m.Unpack(b[:n])
			for _, forge := range []func(*dnsmessage.Message){
				func(m *dnsmessage.Message) { m.ID++ },
				func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA },
				func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError },
			} {
				reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: slices.Clone(m.Questions)}
				forge(&reply)
				b, _ := reply.Pack()
				_, _ = far.Write(b)
			}
		}()
		q := dnsmessage.Question{Name: dnsmessage.MustNewName("a.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
		m, err := r.askServer(t.Context(), server, q, true)
		if err != nil || m.RCode != dnsmessage.RCodeNameError {
			t.Error(m, err)
		}
	})
}

func TestWithoutEDNS(t *testing.T) {
	for name, fault := range map[string]nameserver.Fault{"FORMERR": nameserver.Fail(dnsmessage.RCodeFormatError), "silence": nameserver.Silence} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ns := nameserver.New(t, "a.test 60 A 192.0.2.1")
				edns := 0
				var mu sync.Mutex
				ns.Set(func(q dnsmessage.Message, normal []byte) []byte {
					mu.Lock()
					defer mu.Unlock()
					if len(q.Additionals) == 0 {
						return normal
					}
					edns++
					return fault(q, normal)
				})
				if got := look(t, testResolver(t, "", one(ns)), "a.test"); got != "[192.0.2.1]" || edns != 2 {
					t.Error(got, edns)
				}
			})
		})
	}
}

// TestOneFamilySilent: a server that never answers for one family does not
// delay the other.
func TestOneFamilySilent(t *testing.T) {
	for _, silent := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		synctest.Test(t, func(t *testing.T) {
			ns := nameserver.New(t, "a.test 600 A 192.0.2.1", "a.test 600 AAAA 2001:db8::1")
			ns.Set(func(q dnsmessage.Message, normal []byte) []byte {
				if q.Questions[0].Type == silent {
					return nil
				}
				return normal
			})
			r := testResolver(t, "", one(ns))
			start := time.Now()
			if got := look(t, r, "a.test"); strings.Contains(got, " ") || time.Since(start) != familyDelay {
				t.Error(got, time.Since(start))
			}
			ns.Set(nil)
			time.Sleep(partialTTL)
			if got := look(t, r, "a.test"); got != "[192.0.2.1 2001:db8::1]" {
				t.Error("the half answer is kept for its whole life:", got)
			}
		})
	}
}

func TestAskedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, "a.test 60 A 192.0.2.1")
		release := make(chan struct{})
		ns.Set(func(_ dnsmessage.Message, normal []byte) []byte { <-release; return normal })
		r := testResolver(t, "", one(ns))
		impatient, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := r.Lookup(impatient, host.MustParse("a.test"), never); err == nil {
				t.Error("who has left got an answer")
			}
		})
		for range 50 {
			wg.Go(func() {
				if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
					t.Error(got)
				}
			})
		}
		synctest.Wait()
		leave()
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := len(ns.Asked()); n != 2 {
			t.Errorf("%d questions for 51 lookups", n)
		}
	})
}

// TestNoServerAnswers: a lookup ends in time.
func TestNoServerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t)
		ns.Set(nameserver.Silence)
		servers := make(map[string]*nameserver.Server)
		for i := range 5 {
			servers[fmt.Sprintf("192.0.2.%d:53", i)] = ns
		}
		start := time.Now()
		if got := look(t, testResolver(t, "", servers), "a.test"); !strings.HasPrefix(got, "error: look up a.test: no answer from DNS server 192.0.2.") || !strings.HasSuffix(got, ":53 in time") || time.Since(start) != lookupTimeout {
			t.Error(got, time.Since(start))
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testResolver(t, "", one(nameserver.New(t)))
		past := time.Now().Add(-time.Second)
		for i := range maxNames - 1 {
			r.cache[host.MustParse(fmt.Sprintf("n%d.test", i))] = &entry{expires: past, stale: past}
		}
		r.cache[host.MustParse("kept.test")] = &entry{expires: time.Now().Add(time.Hour)}
		look(t, r, "a.test")
		if len(r.cache) != 2 || r.cache[host.MustParse("kept.test")] == nil {
			t.Errorf("%d names", len(r.cache))
		}
		for i := range maxNames {
			r.cache[host.MustParse(fmt.Sprintf("n%d.test", i))] = &entry{expires: time.Now().Add(time.Hour)}
		}
		look(t, r, "b.test")
		if len(r.cache) > maxNames {
			t.Errorf("%d names", len(r.cache))
		}
	})
}

// TestSockets asks a server on loopback, as the default Dial does.
func TestSockets(t *testing.T) {
	t.Parallel()
	zone := []string{"a.test 60 A 192.0.2.1"}
	for i := range 30 {
		zone = append(zone, fmt.Sprintf("many.test 60 A 192.0.2.%d", i+1))
	}
	ns := nameserver.New(t, zone...)
	r := newResolver(t, Options{Servers: []string{ns.Listen(t)}, HostsFile: os.DevNull})
	for name, want := range map[string]int{"a.test": 1, "many.test": 30} {
		got := look(t, r, name)
		for strings.HasPrefix(got, "error") { // the machine is slow
			got = look(t, r, name)
		}
		if strings.Count(got, "192.0.2.") != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// FuzzAnswer holds that no packet of a server does harm.
func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("a.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	seed, _ := pack(0, q, true)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m dnsmessage.Message
		if m.Unpack(b) != nil {
			return
		}
		rec := extract(&m, q)
		if (rec.err == nil) != (len(rec.addrs) > 0) || rec.ttl < minTTL || rec.ttl > maxTTL || len(rec.addrs) > maxRecords {
			t.Errorf("%+v", rec)
		}
	})
}

// A panic while asking is an answer that failed: nothing waits beside it that could
// recover.
func TestPanicWhileAsking(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Resolver){
		"a server": func(r *Resolver) {
			r.Dial = func(context.Context, string, string) (net.Conn, error) { panic("secret") }
		},
		"the system": func(r *Resolver) {
			r.Servers, r.System = nil, func(context.Context, string) ([]netip.Addr, error) { panic("secret") }
		},
	} {
		r := testResolver(t, "", one(nil))
		change(r)
		_, _, err := r.Lookup(t.Context(), host.MustParse("a.test"), never)
		if !errors.Is(err, contain.ErrPanic) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
