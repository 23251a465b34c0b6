package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	tr, err := newDefault(Options{Hosts: []Host{
		Host{}.named("example.test"),
		Host{}.named("*.example.test"),
		Host{Port: 8443}.named("*.deep.example.test"),
		Host{To: host.MustParse("new.example.test")}.named("old.example.test"),
		Host{}.named("near.example.test").at("10.0.0.7:9443"),
		Host{Port: 444}.named("beside.example.test").at("other.test"),
		Host{}.named("192.0.2.9"),
		Host{Port: 8443}.named("2001:db8::1"),
	}})
	check(t, err)
	defer tr.Close()
	for _, tt := range []struct {
		host string
		port uint16 // that its clients know it by
		want string // label, dialled host and port, server name, Host header; "" = foreign
	}{
		{"example.test", 443, "example.test example.test:443 example.test example.test"},
		{"EXAMPLE.Test.", 443, "example.test example.test:443 example.test example.test"},
		{"a.example.test", 443, "*.example.test a.example.test:443 a.example.test a.example.test"},
		{"A.b.Example.TEST", 443, "*.example.test a.b.example.test:443 a.b.example.test a.b.example.test"},
		{"deep.example.test", 443, "*.example.test deep.example.test:443 deep.example.test deep.example.test"},
		{"x.deep.example.test", 8443, "*.deep.example.test x.deep.example.test:8443 x.deep.example.test x.deep.example.test:8443"},
		{"old.example.test", 443, "old.example.test new.example.test:443 new.example.test new.example.test"},
		{"near.example.test", 443, "near.example.test 10.0.0.7:9443 near.example.test near.example.test"},
		{"beside.example.test", 444, "beside.example.test other.test:444 beside.example.test beside.example.test:444"},
		{"192.0.2.9", 443, "192.0.2.9 192.0.2.9:443 192.0.2.9 192.0.2.9"},
		{"[2001:db8:0::1]", 8443, "2001:db8::1 [2001:db8::1]:8443 2001:db8::1 [2001:db8::1]:8443"},
		{"2001:DB8::1", 8443, "2001:db8::1 [2001:db8::1]:8443 2001:db8::1 [2001:db8::1]:8443"},
		{"test", 0, ""},
		{"notexample.test", 0, ""},
		{"example.test.evil", 0, ""},
	} {
		name := host.MustParse(tt.host)
		port, known := tr.Snapshot().Port(name)
		r, ours := tr.Snapshot().Route(name)
		if port != tt.port || known != ours {
			t.Errorf("%s: port %d, %t; want %d, %t", tt.host, port, known, tt.port, ours)
		}
		got := ""
		if ours {
			got = r.Label + " " + r.target.Host.Join(r.target.Port) + " " + r.target.ServerName.String() + " " + r.HostHeader
		}
		if got != tt.want {
			t.Errorf("%q, %d:\n got %s\nwant %s", tt.host, tt.port, got, tt.want)
		}
	}
}

// Callers can invent names below *.domain: what is kept for them is bounded.
func TestInventedNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 16
		s := memServer(t, answerAll)
		tr := start(t, s, func(o *Options) {
			o.Hosts[0] = o.Hosts[0].named("*.example.test")
			o.Warm, o.MaxConns = 2, most
		})
		call := func(format string, n int) {
			for i := range n {
				wantOK(t, tr, route(t, tr, fmt.Sprintf(format, i)))
			}
			synctest.Wait()
		}
		call("x%d.example.test", 2*maxPools)
		call("one%.0d.example.test", 20)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(tr.Snapshot().groups[0].pools); n > maxPools {
			t.Errorf("%d pools", n)
		}
		if counted := tr.Snapshot().groups[0].sum(); counted != s.open() || counted > most+1 { // it is counted when it is there
			t.Errorf("%d connections, %d counted", s.open(), counted)
		}
		time.Sleep(11 * time.Minute) // they are not in use any more
		call("y%d.example.test", 1)
		a, b := route(t, tr, "y0.example.test"), route(t, tr, "y0.example.test")
		if a.connections() != b.connections() {
			t.Error("two routes to one host share no connections")
		}
	})
}

// Names that cannot be reached leave nothing behind, however many there are.
func TestUnreachableNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		tr, err := newDefault(Options{
			Hosts: []Host{Host{}.named("*.example.test").at("192.0.2.1:443")}, Warm: 2,
			net: func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) {
				dials++
				return nil, errors.New("unreachable")
			},
		})
		check(t, err)
		defer tr.Close()
		for i := range 2 * maxPools {
			wantError(t, tr, route(t, tr, fmt.Sprintf("x%d.example.test", i)), problem.Connect)
		}
		time.Sleep(time.Minute)
		if dials != 2*maxPools {
			t.Errorf("%d dials for %d requests", dials, 2*maxPools)
		}
		if n := len(tr.Snapshot().groups[0].pools); n > maxPools {
			t.Errorf("%d pools", n)
		}
	})
}

func TestOptionsErrors(t *testing.T) {
	t.Parallel()
	_, err := newDefault(Options{ParentProxyPassword: "secret", ParentProxy: &url.URL{Scheme: "http", Host: "proxy.test"}})
	if err == nil || !strings.Contains(err.Error(), "without a user") {
		t.Fatal(err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("tells the password")
	}
	for _, u := range []url.URL{{Scheme: "http", Host: "a b"}, {Scheme: "http"}, {Scheme: "socks5", Host: "proxy.test"}} {
		if _, err := newDefault(Options{ParentProxy: &u}); err == nil || !strings.Contains(err.Error(), "the parent proxy must be") {
			t.Error(u.String(), err)
		}
	}
}

func TestPastTheParent(t *testing.T) {
	t.Parallel()
	except := []host.Set{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}, {Prefix: netip.MustParsePrefix("2001:db8::7/128")}}
	for _, text := range []string{"*.corp", "intranet.example.test"} {
		p, err := host.ParsePattern(text)
		check(t, err)
		except = append(except, host.Set{Pattern: p})
	}
	hosts := []Host{
		Host{}.named("*.example.test"),
		Host{}.named("inside.test").at("10.1.2.3:8443"),
		Host{}.named("inside.corp").at("192.0.2.1:443"),
		Host{To: host.MustParse("new.corp")}.named("moved.test"),
	}
	for _, parent := range []*url.URL{nil, {Scheme: "http", Host: "proxy.corp:8080"}} {
		tr, err := newDefault(Options{Hosts: hosts, ParentProxy: parent, ParentExcept: except})
		check(t, err)
		defer tr.Close()
		for name, want := range map[string]bool{
			"10.255.0.1": true, "11.0.0.1": false, "2001:db8::7": true, "2001:db8::8": false,
			"a.corp": true, "a.b.corp": true, "corp": false, "notcorp": false, "example.org": false,
			"intranet.example.test": true, "api.example.test": false,
			"inside.test": true, "inside.corp": true, "moved.test": true,
		} {
			n := host.MustParse(name)
			r, ours := tr.Snapshot().Route(n)
			if !ours {
				r = tr.Snapshot().Foreign(n, 80, true, false)
				if always := tr.Snapshot().Foreign(n, 80, true, true); !always.target.Direct {
					t.Errorf("%s: not direct", name)
				}
			}
			if got, want := r.target.Direct, want && parent != nil; got != want {
				t.Errorf("%s with %v: %t", name, parent, got)
			}
			if name == "moved.test" && r.untouched().Direct { // that goes to moved.test itself
				t.Error("a splice of moved.test is direct")
			}
		}
	}
}
