package decide

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

const (
	api   = "api.smsportal.com"
	other = "other.example"
	odd   = "odd.smsportal.com" // an upstream on port 8443
)

func settings(others Others, ca bool) *Settings {
	return &Settings{
		Upstream: func(n host.Name) (uint16, bool) {
			switch n.String() {
			case api:
				return 443, true
			case odd:
				return 8443, true
			}
			return 0, false
		},
		Others: others,
		Local:  func(a netip.Addr) bool { return a.IsLoopback() || a == netip.MustParseAddr("10.0.0.1") },
		CA:     ca,
		Own:    func(ap netip.AddrPort) bool { return ap == netip.MustParseAddrPort("127.0.0.1:3128") },
		Listens: func(ap netip.AddrPort) (host.Name, bool) {
			switch ap.String() {
			case "127.0.0.1:3128", "10.0.0.1:3128", "10.0.0.1:80":
				return host.Name{}, true
			case "127.0.0.1:3130":
				return host.MustParse(odd), true
			}
			return host.Name{}, false
		},
		Lookup: func(n host.Name) []netip.Addr {
			if n.String() == "machine" {
				return []netip.Addr{netip.MustParseAddr("10.0.0.1")}
			}
			return nil
		},
		OwnerOf: func(a netip.Addr) (host.Name, call.Owner) {
			switch a.String() {
			case "192.0.2.1":
				return host.MustParse(api), call.OwnerUpstream
			case "192.0.2.2":
				return host.MustParse(odd), call.OwnerUnresolved
			case "10.9.9.9":
				return host.Name{}, call.OwnerForeign
			}
			return host.Name{}, call.OwnerUnknown
		},
	}
}

func everyWay() *call.Listener {
	return &call.Listener{Address: "l", Accept: call.Ways(call.Forward, call.Connect, call.Gateway, call.TLS)}
}

func conn(change ...func(*call.Conn)) *call.Conn {
	c := &call.Conn{Listener: everyWay(), Local: netip.MustParseAddrPort("10.0.0.1:3128")}
	for _, f := range change {
		f(c)
	}
	return c
}

// The kinds of connection that a request can come on.
var ways = map[string]func(*call.Conn){
	"plain":          func(*call.Conn) {},
	"inside CONNECT": func(c *call.Conn) { c.Ingress, c.Authority, c.Port = call.Connect, host.MustParse(api), 443 },
	"inside old TLS": func(c *call.Conn) {
		c.Ingress, c.Authority, c.Handling = call.TLS, host.MustParse(api), call.Terminated
	},
	"nameless old TLS": func(c *call.Conn) { c.Ingress, c.Handling = call.TLS, call.Terminated },
	"CONNECT, then TLS": func(c *call.Conn) {
		c.Ingress, c.Authority, c.Handling = call.Connect, host.MustParse(api), call.Terminated
	},
	"redirected": func(c *call.Conn) {
		c.Listener.Accept |= call.Ways(call.Transparent)
		c.OriginalDst = netip.MustParseAddrPort("198.51.100.7:80")
	},
	"redirected, TLS": func(c *call.Conn) {
		c.Listener.Accept |= call.Ways(call.Transparent)
		c.OriginalDst = netip.MustParseAddrPort("198.51.100.7:443")
		c.Ingress, c.Handling = call.Transparent, call.Terminated
	},
}

// foreignOpening is a request for a host that is not ours.
var foreignOpening = Opening{Hosts: []host.Name{host.MustParse(other)}, Certain: true}

func (s *Settings) ask(c *call.Conn, t Target, a Head) (Place, Decision) {
	p, found := s.Find(c, t)
	return p, s.Request(c, p, found, a)
}

// TestWaysAgree is the cross product of ways in and hosts: whatever the way,
// one of our hosts is upgraded, the self-test is answered, and a foreign host
// never is either.
func TestWaysAgree(t *testing.T) {
	t.Parallel()
	for way, change := range ways {
		for _, others := range []Others{OthersRefuse, OthersTunnel, OthersPass} {
			for name, want := range map[string]Action{api: Upgrade, host.SelfTest: SelfTest, other: Refuse, "localhost": Refuse} {
				for _, absolute := range []bool{false, true} {
					c, n := conn(change), host.MustParse(name)
					s := settings(others, true)
					_, d := s.ask(c, Target{Absolute: absolute, Scheme: "http", Host: n}, Head{Method: "GET"})
					want := want
					switch {
					case !c.Authority.IsZero() && c.Authority != n:
						if d.Action != Refuse || d.Reason != problem.Misdirected {
							t.Errorf("%s, %s: %v %v, want misdirected", way, name, d.Action, d.Reason)
						}
						continue
					case n.String() == other && others == OthersPass && absolute && c.Ingress == call.Unknown:
						want = Pass
					}
					if n.String() == "localhost" && others == OthersPass && absolute && c.Ingress == call.Unknown {
						want = Pass // port 80 of this machine is not ours
					}
					if d.Action != want {
						t.Errorf("%s, others %d, %s, absolute %v: %v (%s), want %v", way, others, name, absolute, d.Action, d.Detail, want)
					}
					if d.Action == Upgrade && (!d.Ours || d.Host != n) || d.Action == Pass && (d.Ours || d.Port != 80) {
						t.Errorf("%s, %s: %+v", way, name, d)
					}
				}
			}
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	name := host.MustParse(api)
	for _, c := range []struct {
		what     string
		conn     *call.Conn
		target   Target
		ingress  call.Ingress
		host     string
		seesHTTP bool
		reason   problem.Reason
	}{
		{"forward", conn(), Target{Absolute: true, Scheme: "http", Host: name}, call.Forward, api, true, 0},
		{"forward, https", conn(), Target{Absolute: true, Scheme: "https", Host: name}, call.Forward, api, false, 0},
		{"forward, ftp", conn(), Target{Absolute: true, Scheme: "ftp", Host: name}, call.Forward, api, false, problem.Malformed},
		{"gateway", conn(), Target{Host: name}, call.Gateway, api, true, 0},
		{"no host", conn(), Target{}, call.Gateway, "", true, problem.Malformed},
		{"default_upstream", conn(func(c *call.Conn) { c.Listener.DefaultUpstream = name }), Target{}, call.Gateway, api, true, 0},
		{"our host wins over default_upstream", conn(func(c *call.Conn) { c.Listener.DefaultUpstream = name }), Target{Host: host.MustParse(odd)}, call.Gateway, odd, true, 0},
		{"redirected", conn(ways["redirected"]), Target{Host: name}, call.Transparent, api, true, 0},
		{"redirected, no host", conn(ways["redirected"]), Target{}, call.Transparent, "198.51.100.7", true, 0},
		{"redirected, absolute form", conn(ways["redirected"]), Target{Absolute: true, Scheme: "http", Host: name}, call.Forward, api, true, 0},
		{"inside CONNECT", conn(ways["inside CONNECT"]), Target{}, call.Connect, api, true, 0},
		{"inside CONNECT, absolute form", conn(ways["inside CONNECT"]), Target{Absolute: true, Scheme: "https", Host: name, Port: 443}, call.Connect, api, true, 0},
		{"inside CONNECT, another host", conn(ways["inside CONNECT"]), Target{Host: host.MustParse(other)}, call.Connect, other, true, problem.Misdirected},
		{"inside old TLS", conn(ways["inside old TLS"]), Target{Host: name}, call.TLS, api, false, 0},
		{"nameless old TLS", conn(ways["nameless old TLS"]), Target{Host: name}, call.TLS, api, false, 0},
		{"nameless old TLS, guessed", conn(ways["nameless old TLS"], func(c *call.Conn) { c.DefaultHost = name }), Target{}, call.TLS, api, false, 0},
	} {
		p, d := settings(OthersRefuse, true).Find(c.conn, c.target)
		if p.Ingress != c.ingress || p.Host.String() != c.host || p.SeesHTTP != c.seesHTTP || d.Reason != c.reason || (d.Action == Refuse) != (c.reason != 0) {
			t.Errorf("%s: %+v %v %v", c.what, p, d.Action, d.Reason)
		}
	}
}

// TestRefusedForOurs: a refused request is for one of our upstreams if it, its base
// URL or its tunnel names one. A default for callers that name none does not count.
func TestRefusedForOurs(t *testing.T) {
	t.Parallel()
	ours, foreign := host.MustParse(api), host.MustParse(other)
	trace := Head{Method: http.MethodTrace}
	for _, c := range []struct {
		what   string
		conn   *call.Conn
		target Target
		head   Head
		want   bool
	}{
		{"named", conn(), Target{Host: ours}, trace, true},
		{"named, absolute form", conn(), Target{Absolute: true, Scheme: "http", Host: ours}, trace, true},
		{"a base URL", conn(), Target{Host: foreign, Path: "/" + api + "/a"}, trace, true},
		{"another host", conn(), Target{Host: foreign}, trace, false},
		{"none", conn(), Target{}, trace, false},
		{"default_upstream", conn(func(c *call.Conn) { c.Listener.DefaultUpstream = ours }), Target{}, trace, false},
		{"inside CONNECT", conn(ways["inside CONNECT"]), Target{}, trace, true},
		{"inside CONNECT, another host", conn(ways["inside CONNECT"]), Target{Host: foreign}, Head{Method: http.MethodGet}, true},
		{"a port that is not served", conn(), Target{Absolute: true, Scheme: "http", Host: ours, Port: 8080}, Head{Method: http.MethodGet}, true},
		{"a barred caller", conn(func(c *call.Conn) { c.Denied = true }), Target{Host: ours}, trace, false},
		{"without credentials", conn(), Target{Host: ours}, Head{Method: http.MethodGet, Unadmitted: errors.New("wrong")}, false},
		{"our own Via", conn(), Target{Host: ours}, Head{Method: http.MethodGet, OwnVia: true}, false},
	} {
		s := settings(OthersRefuse, true)
		p, found := s.Find(c.conn, c.target)
		if d := s.Request(c.conn, p, found, c.head); d.Action != Refuse || d.Ours != c.want {
			t.Errorf("%s: %v, ours %v, want %v (%s)", c.what, d.Action, d.Ours, c.want, d.Detail)
		}
	}
}

// TestPorts holds which ports a request for an upstream may name (design,
// section 1).
func TestPorts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what    string
		way     string
		target  Target
		allowed bool
	}{
		{"forward, none", "plain", Target{Absolute: true, Scheme: "http", Host: host.MustParse(api)}, true},
		{"forward, 80", "plain", Target{Absolute: true, Scheme: "http", Host: host.MustParse(api), Port: 80}, true},
		{"forward, 443", "plain", Target{Absolute: true, Scheme: "http", Host: host.MustParse(api), Port: 443}, false},
		{"forward, 8080", "plain", Target{Absolute: true, Scheme: "http", Host: host.MustParse(api), Port: 8080}, false},
		{"forward, https, 443", "plain", Target{Absolute: true, Scheme: "https", Host: host.MustParse(api), Port: 443}, true},
		{"forward, https, 80", "plain", Target{Absolute: true, Scheme: "https", Host: host.MustParse(api), Port: 80}, false},
		{"forward, https, its own", "plain", Target{Absolute: true, Scheme: "https", Host: host.MustParse(odd), Port: 8443}, true},
		{"gateway, ours", "plain", Target{Host: host.MustParse(api), Port: 3128}, true},
		{"gateway, 80", "plain", Target{Host: host.MustParse(api), Port: 80}, true},
		{"gateway, 8080", "plain", Target{Host: host.MustParse(api), Port: 8080}, false},
		{"inside CONNECT, any", "inside CONNECT", Target{Host: host.MustParse(api), Port: 8080}, true},
		{"inside TLS, 443", "nameless old TLS", Target{Host: host.MustParse(api), Port: 443}, true},
		{"inside TLS, 81", "nameless old TLS", Target{Host: host.MustParse(api), Port: 81}, false},
	} {
		_, d := settings(OthersPass, true).ask(conn(ways[c.way]), c.target, Head{Method: "GET"})
		if (d.Action == Upgrade) != c.allowed || !c.allowed && d.Reason != problem.Port {
			t.Errorf("%s: %v %v", c.what, d.Action, d.Reason)
		}
	}
}

// TestPrecedence: what is wrong with the caller comes before what is wrong with
// the request, and that before its target.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	foreign := Target{Host: host.MustParse(other)}
	barred := func(c *call.Conn) { c.Denied = true }
	noGateway := func(c *call.Conn) { c.Listener.Accept &^= call.Ways(call.Gateway) }
	for _, c := range []struct {
		what   string
		conn   *call.Conn
		target Target
		asked  Head
		want   problem.Reason
	}{
		{"barred", conn(barred), Target{}, Head{Method: "TRACE", Unadmitted: errors.New("wrong")}, problem.ACL},
		{"credentials", conn(), Target{}, Head{Method: "TRACE", Unadmitted: errors.New("wrong")}, problem.ProxyAuth},
		{"no host", conn(), Target{}, Head{Method: "TRACE"}, problem.Malformed},
		{"trace", conn(), foreign, Head{Method: http.MethodTrace, Upgrade: true, OwnVia: true}, problem.Method},
		{"upgrade", conn(), foreign, Head{Method: "GET", Upgrade: true, OwnVia: true}, problem.Method},
		{"via", conn(noGateway), foreign, Head{Method: "GET", OwnVia: true}, problem.Loop},
		{"ingress", conn(noGateway), foreign, Head{Method: "GET"}, problem.ACL},
		{"host", conn(), foreign, Head{Method: "GET"}, problem.Host},
		{"foreign https", conn(), Target{Absolute: true, Scheme: "https", Host: host.MustParse(other)}, Head{Method: "GET"}, problem.Host},
		{"ourselves", conn(), Target{Host: host.MustParse("127.0.0.1"), Port: 3128}, Head{Method: "GET"}, problem.Loop},
		{"ourselves by name", conn(), Target{Host: host.MustParse("localhost"), Port: 3128}, Head{Method: "GET"}, problem.Loop},
	} {
		_, d := settings(OthersRefuse, true).ask(c.conn, c.target, c.asked)
		if d.Action != Refuse || d.Reason != c.want || d.Detail == "" {
			t.Errorf("%s: %v %v %q, want %v", c.what, d.Action, d.Reason, d.Detail, c.want)
		}
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		conn   *call.Conn
		others Others
		host   string
		port   uint16
		asked  Head
		want   Action
		reason problem.Reason
	}{
		{"ours", conn(), OthersRefuse, api, 443, Head{}, Inspect, 0},
		{"ours, no port", conn(), OthersRefuse, api, 0, Head{}, Inspect, 0},
		{"ours, its own port", conn(), OthersRefuse, odd, 8443, Head{}, Inspect, 0},
		{"ours, port 80", conn(), OthersPass, api, 80, Head{}, Refuse, problem.Port},
		{"ours, port 22", conn(), OthersPass, api, 22, Head{}, Refuse, problem.Port},
		{"self-test", conn(), OthersRefuse, host.SelfTest, 443, Head{}, Inspect, 0},
		{"foreign, refuse", conn(), OthersRefuse, other, 443, Head{}, Refuse, problem.Host},
		{"foreign, tunnel", conn(), OthersTunnel, other, 22, Head{}, Relay, 0},
		{"foreign, pass", conn(), OthersPass, other, 443, Head{}, Relay, 0},
		{"ourselves", conn(), OthersPass, "127.0.0.1", 3128, Head{}, Refuse, problem.Loop},
		{"our Via", conn(), OthersPass, api, 443, Head{OwnVia: true}, Refuse, problem.Loop},
		{"barred", conn(func(c *call.Conn) { c.Denied = true }), OthersPass, api, 443, Head{Unadmitted: errors.New("wrong")}, Refuse, problem.ACL},
		{"credentials", conn(), OthersPass, "", 0, Head{Unadmitted: errors.New("wrong")}, Refuse, problem.ProxyAuth},
		{"no host", conn(), OthersPass, "", 443, Head{}, Refuse, problem.Malformed},
		{"nested", conn(ways["inside CONNECT"]), OthersPass, api, 443, Head{}, Refuse, problem.Method},
		{"nested in TLS", conn(ways["nameless old TLS"]), OthersPass, api, 443, Head{}, Refuse, problem.Method},
		{"not accepted", conn(func(c *call.Conn) { c.Listener.Accept &^= call.Ways(call.Connect) }), OthersPass, api, 443, Head{}, Refuse, problem.ACL},
	} {
		n, _ := host.Parse(c.host)
		d := settings(c.others, true).Connect(c.conn, n, c.port, c.asked)
		if d.Action != c.want || d.Reason != c.reason {
			t.Errorf("%s: %v %v %q, want %v %v", c.what, d.Action, d.Reason, d.Detail, c.want, c.reason)
		}
		if d.Action == Relay && !d.Guard {
			t.Errorf("%s: internal addresses are not guarded on an open listener", c.what)
		}
	}
}

// TestHello is the cross product of hellos and where they are for.
func TestHello(t *testing.T) {
	t.Parallel()
	direct := func(c *call.Conn) { c.Ingress = call.TLS }
	transparent := func(dst string) func(*call.Conn) {
		return func(c *call.Conn) {
			c.Listener.Accept |= call.Ways(call.Transparent)
			c.Ingress, c.OriginalDst = call.Transparent, netip.MustParseAddrPort(dst)
		}
	}
	fallback := func(c *call.Conn) { c.Ingress, c.Listener.DefaultUpstream = call.TLS, host.MustParse(api) }
	connect := func(name string) func(*call.Conn) {
		return func(c *call.Conn) { c.Ingress, c.Authority = call.Connect, host.MustParse(name) }
	}
	for _, c := range []struct {
		what        string
		change      func(*call.Conn)
		sni         string
		modern, old Action // what becomes of a hello that offers TLS 1.2, and of one that does not
		host        string // of a splice
		reason      problem.Reason
	}{
		{"CONNECT", connect(api), api, Splice, Terminate, api, 0},
		{"CONNECT, no SNI", connect(api), "", Splice, Terminate, api, 0},
		{"CONNECT, another SNI", connect(api), other, Splice, Terminate, api, 0},
		{"CONNECT to the self-test", connect(host.SelfTest), "", Terminate, Terminate, host.SelfTest, 0},
		{"direct", direct, api, Splice, Terminate, api, 0},
		{"direct, self-test", direct, host.SelfTest, Terminate, Terminate, host.SelfTest, 0},
		{"direct, no SNI", direct, "", Refuse, Terminate, "", problem.Host},
		{"direct, foreign SNI", direct, other, Refuse, Terminate, "", problem.Host},
		{"direct, an address for SNI", direct, "192.0.2.1", Refuse, Terminate, "", problem.Host},
		{"default_upstream, an address for SNI", fallback, "192.0.2.1", Splice, Terminate, api, 0},
		{"direct, nonsense SNI", direct, "a b", Refuse, Terminate, "", problem.Host},
		{"default_upstream", fallback, "", Splice, Terminate, api, 0},
		{"default_upstream, foreign SNI", fallback, other, Refuse, Terminate, "", problem.Host},
		{"redirected, ours", transparent("198.51.100.7:443"), api, Splice, Terminate, api, 0},
		{"redirected, foreign", transparent("198.51.100.7:443"), other, Relay, Relay, "198.51.100.7", 0},
		{"redirected, no SNI, our address", transparent("192.0.2.1:443"), "", Splice, Terminate, api, 0},
		{"redirected, no SNI, foreign address", transparent("198.51.100.7:443"), "", Relay, Relay, "198.51.100.7", 0},
		{"redirected to ourselves", transparent("127.0.0.1:3128"), "", Refuse, Refuse, "", problem.Loop},
		{"barred", func(c *call.Conn) { c.Ingress, c.Denied = call.TLS, true }, api, Refuse, Refuse, "", problem.ACL},
		{"not accepted", func(c *call.Conn) { c.Ingress, c.Listener.Accept = call.TLS, call.Ways(call.Connect) }, api, Refuse, Refuse, "", problem.ACL},
	} {
		for _, modern := range []bool{true, false} {
			want := c.old
			if modern {
				want = c.modern
			}
			d := settings(OthersRefuse, true).Hello(conn(c.change), Hello{Modern: modern, ServerName: c.sni})
			if d.Action != want {
				t.Errorf("%s, modern %v: %v %q, want %v", c.what, modern, d.Action, d.Detail, want)
			}
			switch d.Action {
			case Refuse:
				if d.Reason != c.reason || d.Alert == 0 {
					t.Errorf("%s: %v, alert %d, want %v", c.what, d.Reason, d.Alert, c.reason)
				}
			case Splice, Relay:
				if d.Host.String() != c.host {
					t.Errorf("%s: to %q, want %q", c.what, d.Host, c.host)
				}
			}
		}
		if c.modern == Splice {
			d := settings(OthersRefuse, true).Hello(conn(c.change), Hello{Modern: true, ServerName: c.sni, Terminate: true})
			if d.Action != Terminate {
				t.Errorf("%s, terminate_clients: %v", c.what, d.Action)
			}
		}
		if d := settings(OthersRefuse, true).Hello(conn(c.change), Hello{ServerName: c.sni, Own: true}); d.Reason != problem.Loop {
			t.Errorf("%s: our own hello is not a loop: %v", c.what, d.Reason)
		}
	}
	// What a refused modern client shows: one that names nobody may be for us, and
	// one that calls us by our own name is, or by an alias where default_upstream answers.
	for _, c := range []struct {
		change         func(*call.Conn)
		sni            string
		ours, misnamed bool
		failure        call.HandshakeFailure
	}{
		{direct, "", true, false, call.HandshakeNoServerName},
		{direct, "localhost", true, true, call.HandshakeOther},
		{direct, other, false, false, call.HandshakeOK},
		{fallback, other, true, true, call.HandshakeOther},
		{fallback, "a b", true, true, call.HandshakeOther},
	} {
		d := settings(OthersRefuse, true).Hello(conn(c.change), Hello{Modern: true, ServerName: c.sni})
		if d.Action != Refuse || d.Ours != c.ours || d.Misnamed != c.misnamed || d.Failure != c.failure {
			t.Errorf("SNI %q: %+v", c.sni, d)
		}
		d = settings(OthersRefuse, true).Hello(conn(c.change), Hello{ServerName: c.sni})
		if d.Action != Terminate || d.Misnamed != c.misnamed {
			t.Errorf("SNI %q of an old client: %+v", c.sni, d)
		}
	}
	d := settings(OthersRefuse, false).Hello(conn(connect(host.SelfTest)), Hello{})
	if d.Action != Refuse || d.Reason != problem.Host || d.Alert != alertProtocolVersion {
		t.Errorf("the self-test without a CA: %+v", d)
	}
}

// TestRedirected: a call that could be for one of our hosts is never relayed,
// which would send it in clear.
func TestRedirected(t *testing.T) {
	t.Parallel()
	const (
		unknown    = "198.51.100.7:80"
		ours       = "192.0.2.1:80"
		unresolved = "192.0.2.2:80"
		internal   = "10.9.9.9:80"
	)
	incomplete := func(o *Opening) { o.Certain = false }
	otherProtocol := func(o *Opening) { o.Certain, o.OtherProtocol = false, true }
	for _, tt := range []struct {
		what, named string // hosts, with blanks between them
		dst         string
		change      func(*Opening)
		want        Action
		guess       string
		reason      problem.Reason
	}{
		{what: "ours", named: api, dst: unknown, want: Upgrade},
		{what: "ours, internal address", named: api, dst: internal, want: Upgrade},
		{what: "ours among others", named: other + " " + api, dst: unknown, want: Upgrade},
		{what: "ours, incomplete", named: api, dst: internal, change: incomplete, want: Upgrade},
		{what: "self-test", named: host.SelfTest, dst: unknown, want: Upgrade},
		{what: "foreign", named: other, dst: unknown, want: Relay},
		{what: "foreign, our address", named: other, dst: ours, want: Relay},
		{what: "foreign, unresolved", named: other, dst: unresolved, want: Relay},
		{what: "foreign, incomplete", named: other, dst: unknown, change: incomplete, want: Upgrade},
		{what: "foreign, incomplete, internal address", named: other, dst: internal, change: incomplete, want: Relay},
		{what: "nameless, our address", dst: ours, want: Upgrade, guess: api},
		{what: "nameless, unknown address", dst: unknown, want: Upgrade},
		{what: "nameless, internal address", dst: internal, want: Relay},
		{what: "nameless, unresolved", dst: unresolved, want: Refuse, reason: problem.DNS},
		{what: "nameless, incomplete", dst: unknown, change: incomplete, want: Upgrade},
		{what: "by our address", named: "192.0.2.1", dst: ours, want: Upgrade, guess: api},
		{what: "by another address", named: "192.0.2.1", dst: unknown, want: Relay},
		{what: "by an unknown address", named: "198.51.100.7", dst: unknown, want: Relay},
		{what: "another protocol", dst: unknown, change: otherProtocol, want: Relay},
		{what: "another protocol, unresolved", dst: unresolved, change: otherProtocol, want: Relay},
		{what: "another protocol, our address", dst: ours, change: otherProtocol, want: Upgrade, guess: api},
	} {
		c := conn(ways["redirected"], func(f *call.Conn) { f.OriginalDst = netip.MustParseAddrPort(tt.dst) })
		o := Opening{Certain: true}
		for name := range strings.FieldsSeq(tt.named) {
			o.Hosts = append(o.Hosts, host.MustParse(name))
		}
		if tt.change != nil {
			tt.change(&o)
		}
		d := settings(OthersPass, true).Redirected(c, o)
		if d.Action != tt.want || d.DefaultHost.String() != tt.guess || d.Reason != tt.reason {
			t.Errorf("%s: %v, guess %q, %v", tt.what, d.Action, d.DefaultHost, d.Reason)
		}
		if d.Action == Relay && (!d.Direct || netip.AddrPortFrom(d.Host.Addr(), d.Port).String() != tt.dst) {
			t.Errorf("%s: to %v:%d, direct %t", tt.what, d.Host, d.Port, d.Direct)
		}
	}
}

// TestRedirectedRequests: what is not relayed is upgraded, or refused.
func TestRedirectedRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what, named, dst string
		byDefault        string // default_upstream
		want             string // the host that it is upgraded to; "" = refused
	}{
		{"nameless, our address", "", "192.0.2.1:80", "", api},
		{"by our address", "192.0.2.1", "192.0.2.1:80", "", api},
		{"nameless, unknown address", "", "198.51.100.7:80", "", ""},
		{"nameless, unknown address, default_upstream", "", "198.51.100.7:80", odd, odd},
		{"nameless, unresolved, default_upstream", "", "192.0.2.2:80", odd, odd},
		{"nameless, our address, default_upstream", "", "192.0.2.1:80", odd, api},
	} {
		c := conn(ways["redirected"], func(f *call.Conn) {
			f.OriginalDst = netip.MustParseAddrPort(tt.dst)
			f.Listener.DefaultUpstream, _ = host.Parse(tt.byDefault)
		})
		s := settings(OthersPass, true)
		o := Opening{Certain: true}
		named, _ := host.Parse(tt.named)
		if !named.IsZero() {
			o.Hosts = []host.Name{named}
		}
		c.DefaultHost = s.Redirected(c, o).DefaultHost
		_, d := s.ask(c, Target{Host: named}, Head{Method: "GET"})
		if d.Host.String() != tt.want || (d.Action == Upgrade) != (tt.want != "") || tt.want == "" && d.Reason != problem.Host {
			t.Errorf("%s: %v to %v, %v", tt.what, d.Action, d.Host, d.Reason)
		}
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	for dst, want := range map[string]Action{
		"198.51.100.7:443":  Relay, // a server that speaks first, as SSH does
		"198.51.100.7:22":   Relay,
		"[2001:db8::7]:443": Relay,
		"198.51.100.7:80":   Inspect, // in HTTP the caller speaks first
		"192.0.2.1:443":     Inspect, // our upstream's address
		"192.0.2.1:8443":    Inspect,
		"192.0.2.2:443":     Relay,
	} {
		d := settings(OthersRefuse, true).Silent(conn(func(f *call.Conn) { f.OriginalDst = netip.MustParseAddrPort(dst) }))
		if d.Action != want {
			t.Errorf("%s: %v", dst, d.Action)
		}
		if d.Action == Relay && (!d.Direct || netip.AddrPortFrom(d.Host.Addr(), d.Port).String() != dst) {
			t.Errorf("%s: to %v:%d, direct %t", dst, d.Host, d.Port, d.Direct)
		}
	}
}

// TestLocalCallers: who calls from this host could go there itself, so foreign
// hosts pass by default, internal ones too. What counts is the caller's own
// address.
func TestLocalCallers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		client, peer string
		anonymous    bool
		local        bool
	}{
		{"loopback", "127.0.0.1:9", "127.0.0.1:9", false, true},
		{"loopback, IPv6", "[::1]:9", "[::1]:9", false, true},
		{"this host's address", "10.0.0.1:9", "10.0.0.1:9", false, true},
		{"elsewhere", "10.0.0.2:9", "10.0.0.2:9", false, false},
		{"elsewhere, by a balancer on this host", "203.0.113.5:9", "127.0.0.1:9", false, false},
		{"loopback, by a balancer on this host", "127.0.0.1:8", "127.0.0.1:9", false, true},
		{"a balancer's own loopback", "127.0.0.1:8", "10.0.0.2:9", false, false},
		{"this host, by a balancer elsewhere", "10.0.0.1:8", "10.0.0.2:9", false, true},
		{"not named by a balancer on this host", "127.0.0.1:9", "127.0.0.1:9", true, false},
	} {
		c := conn(func(c *call.Conn) {
			c.Client, c.Peer, c.Anonymous = netip.MustParseAddrPort(tt.client), netip.MustParseAddrPort(tt.peer), tt.anonymous
		})
		want := Refuse
		if tt.local {
			want = Pass
		}
		target := Target{Absolute: true, Scheme: "http", Host: host.MustParse(other)}
		if _, d := settings(OthersAuto, true).ask(c, target, Head{Method: "GET"}); d.Action != want {
			t.Errorf("%s, auto: %+v", tt.name, d)
		}
		if d := settings(OthersAuto, true).Connect(c, host.MustParse(other), 443, Head{}); (d.Action == Relay) != tt.local {
			t.Errorf("%s, CONNECT, auto: %+v", tt.name, d)
		}
		for _, allowed := range []bool{false, true} {
			s := settings(OthersPass, true)
			s.AllowInternal = allowed
			guarded := !tt.local && !allowed
			_, d := s.ask(c, target, Head{Method: "GET"})
			if d.Action != Pass || d.Guard != guarded {
				t.Errorf("%s, allowed %v: %+v", tt.name, allowed, d)
			}
			c := *c
			c.OriginalDst, c.Ingress = netip.MustParseAddrPort("10.9.9.9:443"), call.Transparent
			c.Listener.Accept |= call.Ways(call.Transparent)
			if d := s.Hello(&c, Hello{Modern: true, ServerName: other}); d.Action != Relay || d.Guard != guarded {
				t.Errorf("%s, allowed %v, redirected TLS: %+v", tt.name, allowed, d)
			}
			if d := s.Redirected(&c, foreignOpening); d.Action != Relay || d.Guard != guarded {
				t.Errorf("%s, allowed %v, redirected: %+v", tt.name, allowed, d)
			}
			c.Listener.Accept &^= call.Ways(call.Transparent)
		}
	}
}

// TestWaysWithoutCredentials: where callers need proxy credentials, a way in that
// cannot carry them is closed, unless the listener says otherwise.
func TestWaysWithoutCredentials(t *testing.T) {
	t.Parallel()
	name := host.MustParse(api)
	for _, needed := range []bool{false, true} {
		for _, open := range []bool{false, true} {
			s := settings(OthersPass, true)
			s.Authenticated = needed
			free := func(c *call.Conn) {
				if open {
					c.Listener.Unauthenticated = call.Ways(call.Gateway, call.TLS, call.Transparent)
				}
			}
			want := !needed || open
			for what, d := range map[string]Decision{
				"gateway":            askOnly(s, conn(free), Target{Host: name}),
				"redirected":         askOnly(s, conn(ways["redirected"], free), Target{Host: name}),
				"inside TLS":         askOnly(s, conn(ways["inside old TLS"], free), Target{Host: name}),
				"a hello":            s.Hello(conn(free, func(c *call.Conn) { c.Ingress = call.TLS }), Hello{Modern: true, ServerName: api}),
				"a redirected hello": s.Hello(conn(ways["redirected, TLS"], free), Hello{Modern: true, ServerName: other}),
			} {
				if (d.Action != Refuse) != want || !want && d.Reason != problem.ACL {
					t.Errorf("needed %v, open %v, %s: %v %v", needed, open, what, d.Action, d.Reason)
				}
				if !want && d.Detail != detailUsers {
					t.Errorf("%s: detail %q", what, d.Detail)
				}
			}
			if d := s.Redirected(conn(ways["redirected"], free), foreignOpening); (d.Action == Relay) != want {
				t.Errorf("needed %v, open %v, redirected to a stranger: %v", needed, open, d.Action)
			}
			for what, d := range map[string]Decision{
				"forward":        askOnly(s, conn(free), Target{Absolute: true, Scheme: "http", Host: name}),
				"inside CONNECT": askOnly(s, conn(ways["inside CONNECT"], free), Target{Host: name}),
				"CONNECT":        s.Connect(conn(free), name, 443, Head{}),
			} {
				if d.Action == Refuse {
					t.Errorf("needed %v, open %v, %s: %v", needed, open, what, d.Reason)
				}
			}
		}
	}
}

func askOnly(s *Settings, c *call.Conn, t Target) Decision {
	_, d := s.ask(c, t, Head{Method: "GET"})
	return d
}

// TestMethods: for our hosts methods are a closed set, and any other word ends
// the connection.
func TestMethods(t *testing.T) {
	t.Parallel()
	const refused, ends = "refused", "ends"
	for _, tt := range []struct{ method, ours, foreign string }{
		{"GET", "", ""},
		{"post", "", ""},
		{"PATCH", "", ""},
		{"TRACE", refused, refused},
		{"PROPFIND", ends, ""},
		{"M-SEARCH", ends, ""},
		{"8861POST", ends, ends},
		{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", ends, ends},
	} {
		for name, want := range map[string]string{api: tt.ours, host.SelfTest: tt.ours, other: tt.foreign} {
			got := ""
			_, d := settings(OthersPass, true).ask(conn(), Target{Absolute: true, Scheme: "http", Host: host.MustParse(name)}, Head{Method: tt.method})
			switch {
			case d.Action == Refuse && d.Reason != problem.Method:
				t.Errorf("%s to %s: %v", tt.method, name, d.Reason)
			case d.Action == Refuse && d.Closes:
				got = ends
			case d.Action == Refuse:
				got = refused
			}
			if got != want {
				t.Errorf("%s to %s: %q, want %q", tt.method, name, got, want)
			}
		}
	}
	text := Target{Absolute: true, Scheme: "http", Host: host.MustParse(other)}
	if _, d := settings(OthersPass, true).ask(conn(), text, Head{Method: "PIN", Blanks: true}); d.Reason != problem.Method || !d.Closes {
		t.Errorf("a text before the request line: %+v", d)
	}
	if _, d := settings(OthersPass, true).ask(conn(), text, Head{Method: "GET", Blanks: true}); d.Action != Pass {
		t.Errorf("blanks in a target: %+v", d)
	}
	if _, d := settings(OthersPass, true).ask(conn(), Target{}, Head{Method: "8861POST"}); d.Reason != problem.Method || !d.Closes {
		t.Errorf("without a host: %+v", d)
	}
	if _, d := settings(OthersPass, true).ask(conn(), Target{}, Head{Method: "8861POST", Unadmitted: errors.New("wrong")}); d.Reason != problem.ProxyAuth {
		t.Errorf("without credentials: %+v", d)
	}
}
