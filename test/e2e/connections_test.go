package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestOpenConnectionsAreAllOfThem: the gauge counts what limits.connections
// limits, and a connection that only waits takes a place as well.
func TestOpenConnectionsAreAllOfThem(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	for range 3 {
		dial(t, p)                              // says nothing
		dial(t, p).Send("GET / HT")             // half a head
		dial(t, p).Send("\x16\x03\x01\x02\x00") // the beginning of a hello
		tunnel(t, p)                            // a CONNECT, and no hello after it
	}
	p.WaitMetric(12, "tlslift_open_connections")
	if n := p.Metrics().Sum("tlslift_open_connections"); n != 12 {
		t.Errorf("%v connections are open", n)
	}
}

// TestWhoseConnectionItWas: calls of somebody else's, and refused ones, are no
// insecure connections to the API.
func TestWhoseConnectionItWas(t *testing.T) {
	t.Parallel()
	foreign := startFault(t, fault.Options{})
	_, p := portal(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0'}, {address: '127.0.0.1:0', allow: [10.0.0.0/8]}]")
	p.Ask("GET " + api + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	p.Ask("GET http://" + foreign.Addr() + "/ HTTP/1.1\r\nHost: x\r\n\r\n") // it speaks TLS only: 502, and yet somebody else's
	harness.Dial(t, p.ListenAddr(1)).Send("GET " + api + "/ HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET")
	for handling, want := range map[string]float64{"plain": 1, "tunnelled": 1, "refused": 1} {
		p.WaitMetric(want, "tlslift_client_connections_total", "handling", handling)
		if n := p.Metrics().Sum("tlslift_client_connections_total", "handling", handling); n != want {
			t.Errorf("%v connections are %s", n, handling)
		}
	}
}

// TestWhatFailsElsewhereIsElsewheres: a call for a host that is no upstream is no insecure
// connection to the API, however it fails and by whichever way it came.
func TestWhatFailsElsewhereIsElsewheres(t *testing.T) {
	t.Parallel()
	closed := startFault(t, fault.Options{})
	_ = closed.Close()
	silent := startFault(t, fault.Options{})
	for name, config := range map[string]string{"": "", "parent_proxy": "upstream: {parent_proxy: 'http://" + closed.Addr() + "'}\n"} {
		_, p := portal(t, smsportal.Options{}, config+"others: pass")
		targets := map[string]string{"nobody.onion:80": "dns", closed.Addr(): "connect"} // Go asks no server for a name below onion
		if name != "" {
			targets = map[string]string{"nobody.onion:443": name}
		}
		failed := 0.0
		for target, reason := range targets {
			for method, request := range map[string]string{"CONNECT": "CONNECT " + target, "GET": "GET http://" + target + "/"} {
				c := dial(t, p).Send(request + " HTTP/1.1\r\nHost: x\r\n\r\n")
				if answer := c.Answer(method); answer.Problem() != reason {
					t.Errorf("%s is answered %d %q, want %q", request, answer.StatusCode, answer.Problem(), reason)
				}
				c.Close()
				failed++
				p.WaitMetric(failed, "tlslift_client_connections_total", "handling", "tunnelled")
			}
		}
		c := dial(t, p).Send("CONNECT " + silent.Addr() + " HTTP/1.1\r\n\r\nx")
		c.Answer("CONNECT")
		c.Close()
		if n := p.Metrics().Sum("tlslift_client_connections_total", "handling", "plain"); n != 0 {
			t.Errorf("%v connections are plain", n)
		}
	}
}

// TestAConnectionsFirstRequestSaysItsWayIn, although it was refused.
func TestAConnectionsFirstRequestSaysItsWayIn(t *testing.T) {
	t.Parallel()
	const connect, forward = "CONNECT example.com:443 HTTP/1.1\r\n\r\n", "GET http://example.com/ HTTP/1.1\r\nHost: x\r\n\r\n"
	const served, refused = "GET /a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n", "GET /a HTTP/1.1\r\nHost: example.com\r\n\r\n"
	_, p := portal(t, smsportal.Options{}, "others: refuse")
	for _, tt := range []struct{ first, second, ingress, handling string }{
		{connect, served, "connect", "plain"},
		{forward, served, "forward", "plain"},
		{connect, refused, "connect", "refused"},
		{forward, refused, "forward", "refused"},
		{connect, "CONNECT " + legacyHost + ":443 HTTP/1.1\r\n\r\n", "connect", "refused"},
		{forward, "CONNECT " + legacyHost + ":443 HTTP/1.1\r\n\r\n", "forward", "refused"},
	} {
		series := []string{"ingress", tt.ingress, "handling", tt.handling}
		before := p.Metrics().Sum("tlslift_client_connections_total", series...)
		c := dial(t, p)
		c.Send(tt.first).Answer("GET")
		c.Send(tt.second).Answer("CONNECT")
		c.Close()
		p.WaitMetric(before+1, "tlslift_client_connections_total", series...)
	}
	if n := p.Metrics().Sum("tlslift_client_connections_total"); n != 6 {
		t.Errorf("%v connections were counted", n)
	}
}

// TestACallDecidesWhoseConnectionItIs: one connection carries calls to hosts of all
// kinds. With one to an upstream it counts for that, once, whatever came before.
func TestACallDecidesWhoseConnectionItIs(t *testing.T) {
	t.Parallel()
	foreign := startForeign(t)
	get := func(target, host string) string { return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n" }
	ours, self, passed := get("http://"+legacyHost+"/a", "x"), get("http://check.tlslift.test/", "x"), get("http://"+foreign.host()+"/", "x")
	refused, inner, stranger := get("http://"+legacyHost+":81/", "x"), get("/a", legacyHost), get("/a", "10.1.2.3")
	connect, elsewhere := "CONNECT "+legacyHost+":443 HTTP/1.1\r\n\r\n", "CONNECT "+foreign.host()+" HTTP/1.1\r\n\r\n"
	toSelf, innerSelf := "CONNECT check.tlslift.test:443 HTTP/1.1\r\n\r\n", get("/", "check.tlslift.test")
	const plain, tunnelled, terminated = "plain", "tunnelled", "terminated"
	tests := []struct {
		client            string
		requests          []string
		ingress, handling string
		state             string
	}{
		{"passed, ours", []string{passed, ours, ours}, "forward", plain, "insecure"},
		{"passed, self-test, ours", []string{passed, self, ours}, "forward", plain, "insecure"},
		{"passed, refused, ours", []string{passed, refused, ours}, "forward", plain, "insecure"},
		{"unanswered, passed, ours", []string{stranger, passed, ours}, "gateway", plain, "insecure"},
		{"ours, passed", []string{ours, passed}, "forward", plain, "insecure"},
		{"passed, origin form", []string{passed, inner}, "forward", plain, "insecure"},
		{"passed, inside a CONNECT", []string{passed, connect, inner}, "forward", plain, "insecure"},
		{"passed", []string{passed, passed}, "forward", tunnelled, "unseen"},
		{"passed, unanswered", []string{passed, stranger}, "forward", tunnelled, "unseen"},
		{"unanswered, passed", []string{stranger, passed}, "gateway", tunnelled, "unseen"},
		{"passed, self-test", []string{passed, self}, "forward", tunnelled, "unseen"},
		{"passed, unused CONNECT", []string{passed, connect}, "forward", tunnelled, "unseen"},
		{"passed, foreign CONNECT", []string{passed, elsewhere}, "forward", tunnelled, "unseen"},
		{"TLS, ours", []string{"", inner}, "tls", terminated, "insecure"},
		{"TLS, unanswered, ours", []string{"", stranger, inner}, "tls", terminated, "insecure"},
		{"TLS, ours, unanswered", []string{"", inner, stranger}, "tls", terminated, "insecure"},
		{"TLS, unanswered", []string{"", stranger, stranger}, "tls", terminated, "unseen"},
		{"passed, TLS, ours", []string{passed, connect, "", inner}, "forward", terminated, "insecure"},
		{"passed, TLS", []string{passed, connect, ""}, "forward", tunnelled, "no-calls"},
		{"passed, TLS, self-test", []string{passed, toSelf, "", innerSelf}, "forward", tunnelled, "unseen"},
	}
	listen := ""
	for _, tt := range tests {
		listen += fmt.Sprintf("{address: '127.0.0.1:0', client: %q}, ", tt.client)
	}
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Env: caFiles(t), Config: "others: pass\nlisten: [" + listen + "]"})
	for n, tt := range tests {
		c := harness.Dial(t, p.ListenAddr(n))
		for _, request := range tt.requests {
			if request == "" {
				inside := tls.Client(c.Bytes(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
				if err := inside.HandshakeContext(t.Context()); err != nil {
					t.Fatal(err)
				}
				c = harness.NewCaller(t, inside)
				continue
			}
			method, _, _ := strings.Cut(request, " ")
			c.Send(request).Answer(method)
		}
		c.Close()
	}
	for _, tt := range tests {
		p.WaitMetric(1, "tlslift_client_connections_total", "client", tt.client, "ingress", tt.ingress, "handling", tt.handling)
	}
	var list struct{ Clients []ledger.Row }
	_, body := p.Get("/api/v1/clients")
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	m, rows := p.Metrics(), map[string]ledger.Row{}
	for _, row := range list.Clients {
		rows[row.Client] = row
	}
	for _, tt := range tests {
		if n := m.Sum("tlslift_client_connections_total", "client", tt.client); n != 1 {
			t.Errorf("%s: %v connections were counted", tt.client, n)
		}
		connections := ""
		if tt.state == "insecure" {
			connections = tt.handling + " 1"
		}
		got := ""
		for _, c := range rows[tt.client].Connections {
			got += fmt.Sprint(c.Handling, " ", c.Count)
		}
		if state := rows[tt.client].State.String(); state != tt.state || got != connections {
			t.Errorf("%s: the API says %s with connections %q, want %s with %q", tt.client, state, got, tt.state, connections)
		}
	}
}

// caFiles makes a CA for clients of the legacy hosts.
func caFiles(t *testing.T) (env []string) {
	t.Helper()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key}
}

// TestATunnelsRefusedRequest is counted as it is outside one.
func TestATunnelsRefusedRequest(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "limits: {body_bytes: 10, header_bytes: 4KiB}")
	for n, tt := range []struct {
		request string
		status  int
	}{
		{"\x01\x02\x03 junk\r\n\r\n", 400},
		{"FOO / HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\nHost: " + legacyHost + "\r\nContent-Length: 11\r\n\r\n", 413},
		{"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 5000) + "\r\n\r\n", 431},
	} {
		c := dial(t, p).Tunnel(legacyHost + ":443")
		if answer := c.Send(tt.request).Answer("GET"); answer.StatusCode != tt.status {
			t.Errorf("%.20q was answered %d, want %d", tt.request, answer.StatusCode, tt.status)
		}
		c.Close()
		p.WaitMetric(float64(n+1), "tlslift_client_connections_total", "ingress", "connect", "handling", "refused", "tls_version", "none")
	}
	if n := p.Metrics().Sum("tlslift_client_connections_total"); n != 4 {
		t.Errorf("%v connections were counted", n)
	}
}

// TestAccountsLeaveAddressesNoPlace: a caller that its request names takes one
// place among the discovered clients, wherever it calls from.
func TestAccountsLeaveAddressesNoPlace(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "clients: {account: plain, label_limit: 1}")
	for range 3 {
		p.Ask("GET " + api + "/api5/http5.aspx?Type=credits&Username=bob&Password=x HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	p.WaitMetric(3, "tlslift_client_requests_total", "client", "bob")
	m := p.Metrics()
	if n := m.Sum("tlslift_clients", "kind", "labelled"); n != 1 {
		t.Errorf("%v clients have a label", n)
	}
	if n := m.Sum("tlslift_client_overflow_total"); n != 0 {
		t.Errorf("%v overflowed", n)
	}
	if _, text := p.Get("/metrics"); strings.Contains(text, `client="127.0.0.1"`) {
		t.Error("the address has series of its own")
	}
}

// TestATunnelAfterACallShowsItsClient: a CONNECT that follows a call, or a refused
// request, on its connection is seen as one on a connection of its own is.
func TestATunnelAfterACallShowsItsClient(t *testing.T) {
	t.Parallel()
	server := startPortal(t, smsportal.Options{})
	const call, refused = "GET http://" + legacyHost + "/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\n\r\n"
	old := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}
	anyCA := old.Clone()
	anyCA.InsecureSkipVerify = true
	tests := []struct {
		client, before, host string
		config               *tls.Config
		inside               string // the call inside the tunnel; "" = none
		state                string
		series               []string
	}{
		{"spliced", call, legacyHost, &tls.Config{RootCAs: server.Roots()}, "GET /b HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n", "mixed", []string{"tlslift_client_connections_total", "handling", "spliced"}},
		{"terminated", call, legacyHost, anyCA, "GET /b HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n", "insecure", []string{"tlslift_client_connections_total", "handling", "terminated"}},
		{"distrusts us", call, legacyHost, old, "", "insecure", []string{"tlslift_client_handshake_failures_total", "reason", "client_rejected_ca"}},
		{"no call", call, legacyHost, anyCA, "", "insecure", []string{"tlslift_client_handshake_failures_total", "reason", "no_call"}},
		{"distrusts the upstream", call, legacyHost, &tls.Config{}, "", "insecure", []string{"tlslift_client_handshake_failures_total", "reason", "client_rejected_upstream"}},
		{"self-test", refused, "check.tlslift.test", old, "", "unseen", []string{"tlslift_client_connections_total", "handling", "refused", "tls_version", "none"}},
		{"self-test that works", refused, "check.tlslift.test", anyCA, "GET / HTTP/1.1\r\nHost: check.tlslift.test\r\n\r\n", "unseen", []string{"tlslift_client_connections_total", "handling", "refused", "tls_version", "none"}},
	}
	listen := ""
	for _, tt := range tests {
		listen += fmt.Sprintf("{address: '127.0.0.1:0', client: %q}, ", tt.client)
	}
	p := harness.Start(t, harness.Options{Upstream: server, Env: caFiles(t), Config: "others: refuse\nlisten: [" + listen + "]"})
	for n, tt := range tests {
		c := harness.Dial(t, p.ListenAddr(n)).Send(tt.before)
		c.Answer("GET")
		tt.config.ServerName = tt.host
		inside := tls.Client(c.Tunnel(tt.host+":443").Bytes(), tt.config)
		if err := inside.HandshakeContext(t.Context()); err == nil && tt.inside != "" {
			harness.NewCaller(t, inside).Send(tt.inside).Answer("GET")
		}
		c.Close()
	}
	for _, tt := range tests {
		p.WaitMetric(1, tt.series[0], append([]string{"client", tt.client}, tt.series[1:]...)...)
	}
	var list struct{ Clients []ledger.Row }
	_, body := p.Get("/api/v1/clients")
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	m := p.Metrics()
	for _, tt := range tests {
		hellos := 1.0
		if tt.before == refused {
			hellos = 0 // a self-test counts for no client
		}
		if n := m.Sum("tlslift_client_hellos_total", "client", tt.client); n != hellos {
			t.Errorf("%s: %v hellos, want %v", tt.client, n, hellos)
		}
		i := slices.IndexFunc(list.Clients, func(r ledger.Row) bool { return r.Client == tt.client })
		if i < 0 || list.Clients[i].State.String() != tt.state {
			t.Errorf("%s: %+v, want %s", tt.client, list.Clients, tt.state)
		}
	}
}
