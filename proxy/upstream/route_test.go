package upstream

import (
	"strings"
	"testing"
)

func TestRoute(t *testing.T) {
	t.Parallel()
	tr, err := New(Options{Hosts: []Host{
		{Pattern: "example.test"},
		{Pattern: "*.example.test"},
		{Pattern: "*.deep.example.test", Port: 8443},
		{Pattern: "old.example.test", To: "New.example.test."},
		{Pattern: "near.example.test", Address: "10.0.0.7:9443"},
		{Pattern: "beside.example.test", Address: "other.test", Port: 444},
		{Pattern: "192.0.2.9"},
		{Pattern: "2001:db8::1", Port: 8443},
	}})
	check(t, err)
	defer tr.Close()
	for _, tt := range []struct {
		host string
		port uint16
		want string // label, dialled host and port, server name, Host header
	}{
		{"example.test", 0, "example.test example.test:443 example.test example.test"},
		{"EXAMPLE.Test.", 443, "example.test example.test:443 example.test example.test"},
		{"example.test", 80, "example.test example.test:443 example.test example.test"},
		{"example.test", 8080, "port"},
		{"a.example.test", 0, "*.example.test a.example.test:443 a.example.test a.example.test"},
		{"A.b.Example.TEST", 80, "*.example.test a.b.example.test:443 a.b.example.test a.b.example.test"},
		{"deep.example.test", 0, "*.example.test deep.example.test:443 deep.example.test deep.example.test"},
		{"x.deep.example.test", 8443, "*.deep.example.test x.deep.example.test:8443 x.deep.example.test x.deep.example.test:8443"},
		{"x.deep.example.test", 80, "*.deep.example.test x.deep.example.test:8443 x.deep.example.test x.deep.example.test:8443"},
		{"x.deep.example.test", 8444, "port"},
		{"old.example.test", 0, "old.example.test new.example.test:443 new.example.test new.example.test"},
		{"near.example.test", 0, "near.example.test 10.0.0.7:9443 near.example.test near.example.test"},
		{"near.example.test", 9443, "port"},
		{"beside.example.test", 444, "beside.example.test other.test:444 beside.example.test beside.example.test:444"},
		{"192.0.2.9", 0, "192.0.2.9 192.0.2.9:443 192.0.2.9 192.0.2.9"},
		{"[2001:db8:0::1]", 8443, "2001:db8::1 [2001:db8::1]:8443 2001:db8::1 [2001:db8::1]:8443"},
		{"2001:DB8::1", 0, "2001:db8::1 [2001:db8::1]:8443 2001:db8::1 [2001:db8::1]:8443"},
		{"test", 0, "foreign"},
		{"notexample.test", 0, "foreign"},
		{"example.test.evil", 0, "foreign"},
		{".example.test", 0, "foreign"},
		{"a..example.test", 0, "foreign"},
		{"example.test..", 0, "foreign"},
		{"a\r\nb.example.test", 0, "foreign"},
		{"a b.example.test", 0, "foreign"},
		{"a/b.example.test", 0, "foreign"},
		{"a\x00.example.test", 0, "foreign"},
		{"a%2e.example.test", 0, "foreign"},
		{"b\xc3\xbc.example.test", 0, "foreign"},
		{strings.Repeat("a", 64) + ".example.test", 0, "foreign"},
		{strings.Repeat("a.", 130) + "example.test", 0, "foreign"},
		{"", 0, "foreign"},
		{".", 0, "foreign"},
		{"[example.test]", 0, "example.test example.test:443 example.test example.test"},
		{"[::1", 0, "foreign"},
		{"fe80::1%eth0", 0, "foreign"},
	} {
		r, v := tr.Route(tt.host, tt.port)
		got := v.String()
		if v == Ours {
			got = r.Label + " " + hostPort(r.DialHost, r.Port) + " " + r.ServerName + " " + r.HostHeader
		} else if r != nil {
			t.Errorf("%s: a route for %v", tt.host, v)
		}
		if got != tt.want {
			t.Errorf("%q:%d:\n got %s\nwant %s", tt.host, tt.port, got, tt.want)
		}
	}
}

func TestAllowsConnect(t *testing.T) {
	t.Parallel()
	tr, err := New(Options{Hosts: []Host{{Pattern: "a.test"}, {Pattern: "b.test", Port: 8443}}})
	check(t, err)
	defer tr.Close()
	for _, tt := range []struct {
		host string
		port uint16
		want bool
	}{{"a.test", 443, true}, {"a.test", 80, false}, {"b.test", 443, true}, {"b.test", 8443, true}, {"b.test", 80, false}} {
		if got := route(t, tr, tt.host).AllowsConnect(tt.port); got != tt.want {
			t.Errorf("%s:%d: %v", tt.host, tt.port, got)
		}
	}
}

// Callers can invent names below *.domain: what is remembered is bounded.
func TestRoutesAreBounded(t *testing.T) {
	t.Parallel()
	tr, err := New(Options{Hosts: []Host{{Pattern: "*.example.test"}}})
	check(t, err)
	defer tr.Close()
	name := func(i int) string {
		return strings.Repeat("x", i%50+1) + "." + strings.Repeat("y", i/50+1) + ".example.test"
	}
	for i := range 2 * maxRoutes {
		r := route(t, tr, name(i))
		r.host.poolFor(r)
	}
	h := tr.state.Load().hosts[0]
	if len(h.routes) != maxRoutes || len(h.pools) != maxPools {
		t.Errorf("%d routes, %d pools", len(h.routes), len(h.pools))
	}
	if a, b := route(t, tr, name(1)), route(t, tr, name(1)); a != b {
		t.Error("a remembered route is made anew")
	}
}

func TestOptionsErrors(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		Hosts: []Host{
			{Pattern: "Upper.test"},
			{Pattern: "a.test"},
			{Pattern: "a.test"},
			{Pattern: "b.test", To: "x y"},
			{Pattern: "c.test", Address: "h:99999"},
			{Pattern: "d.test", Pins: [][]byte{{1}}},
			{Pattern: "*."},
		},
		MinTLS: 0x0301, Warm: -1, DialTimeout: -1, DNSServers: []string{"dns.test"}, ParentProxyPassword: "secret",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`"Upper.test": not a host name`, `"a.test" is given twice`, `"b.test": to: "x y"`, `"c.test": address: the port`, `"d.test": a pin of 1 bytes`,
		`"*.": not a host name`, "0x0301", "negative connection count", "negative timeout", `DNS server "dns.test"`, "without a user",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Error("tells the password")
	}
}
