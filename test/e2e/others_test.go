package e2e

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
	"tlslift/test/wire"
)

// foreignServer is somebody else's plain HTTP server; it keeps the heads as
// they came.
type foreignServer struct {
	listener net.Listener
	mu       sync.Mutex
	heads    []string
}

func startForeign(t *testing.T) *foreignServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &foreignServer{listener: listener}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	return f
}

func (f *foreignServer) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	raw, err := wire.ReadHead(reader)
	if err != nil {
		return
	}
	head, err := wire.ParseHead(raw)
	if err != nil {
		return
	}
	_, _, _ = head.ReadBody(reader)
	f.mu.Lock()
	f.heads = append(f.heads, string(raw))
	f.mu.Unlock()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nLocation: https://api.smsportal.com/\r\nSet-Cookie: a=b; Secure\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 7\r\nConnection: close\r\n\r\nforeign")
}

func (f *foreignServer) host() string { return f.listener.Addr().String() }

func (f *foreignServer) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.heads)
}

// TestOthers: what becomes of traffic that is not ours.
func TestOthers(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]struct{ http, connect bool }{
		"others: refuse": {false, false},
		"others: tunnel": {false, true},
		"others: pass":   {true, true},
		"others: auto":   {true, true}, // from this host; see TestLocalIsWhoCallsFromHere
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			_, p := portal(t, smsportal.Options{}, config)
			foreign := startForeign(t)
			answer := p.Ask("GET http://" + foreign.host() + "/a?b=c%zz HTTP/1.1\r\nHost: " + foreign.host() + "\r\nX-A: b\r\nProxy-Connection: keep-alive\r\n\r\n")
			if want.http {
				passedUnchanged(t, p, foreign, answer)
			} else if answer.StatusCode != 403 || answer.Problem() != "host" || foreign.count() != 0 {
				t.Errorf("http: %d %q, reached %d", answer.StatusCode, answer.Problem(), foreign.count())
			}
			tunnelled := dial(t, p).Send("CONNECT " + foreign.host() + " HTTP/1.1\r\n\r\n")
			answer = tunnelled.Answer("CONNECT")
			if !want.connect {
				if answer.StatusCode != 403 || answer.Problem() != "host" {
					t.Errorf("connect: %d %q", answer.StatusCode, answer.Problem())
				}
				return
			}
			before := foreign.count()
			exact := "GET /in/tunnel HTTP/1.1\r\nHost:   odd\r\nProxy-Connection: kept\r\n\r\n"
			rest := tunnelled.Send(exact).Rest()
			if !strings.HasSuffix(rest, "foreign") || !strings.Contains(rest, "; Secure") || foreign.count() != before+1 || foreign.heads[before] != exact {
				t.Errorf("the tunnel changed something: %q", rest)
			}
			tunnelled.Close()
			p.WaitLog(harness.Match{"msg": "tunnel", "ingress": "connect"})
		})
	}
}

func passedUnchanged(t *testing.T, p *harness.Process, foreign *foreignServer, answer harness.Answer) {
	t.Helper()
	if answer.StatusCode != 200 || answer.Text != "foreign" || answer.Header.Get("Location") != "https://api.smsportal.com/" ||
		answer.Header.Get("Set-Cookie") != "a=b; Secure" || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("passed: %d %v", answer.StatusCode, answer.Header)
	}
	if foreign.count() != 1 || !strings.HasPrefix(foreign.heads[0], "GET /a?b=c%zz HTTP/1.1\r\n") || !strings.Contains(foreign.heads[0], "\r\nX-A: b\r\n") || strings.Contains(foreign.heads[0], "Proxy-") {
		t.Errorf("the foreign server received %q", foreign.heads)
	}
	p.WaitMetric(1, "tlslift_responses_total", "upstream", "_other", "code", "200")
}

// Headers of the PROXY protocol, as a balancer on this host sends them.
const (
	fromElsewhere = "PROXY TCP4 203.0.113.5 127.0.0.1 4242 80\r\n"
	fromHere      = "PROXY TCP4 127.0.0.1 127.0.0.1 4242 80\r\n"
	fromAnyone    = "PROXY UNKNOWN\r\n"
	ofItsOwn      = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	behindBalance = "listen: [{address: '127.0.0.1:0', proxy_protocol_from: [127.0.0.1/32]}]\n"
)

// TestLocalIsWhoCallsFromHere: foreign hosts pass by default, internal ones too,
// for callers that could go there themselves. A balancer on this host makes
// nobody local.
func TestLocalIsWhoCallsFromHere(t *testing.T) {
	t.Parallel()
	foreign := startForeign(t)
	for _, tt := range []struct {
		name, config, header string
		reason               string // "" = passes
	}{
		{"from elsewhere", behindBalance, fromElsewhere, "host"},
		{"from here", behindBalance, fromHere, ""},
		{"nobody says from where", behindBalance, fromAnyone, "host"},
		{"the balancer itself", behindBalance, ofItsOwn, ""},
		{"from elsewhere, pass", behindBalance + "others: pass", fromElsewhere, "internal_address"},
		{"from here, pass", behindBalance + "others: pass", fromHere, ""},
		{"from elsewhere, pass, internal allowed", behindBalance + "others: pass\nallow_internal_addresses: true", fromElsewhere, ""},
		{"from here, to every address", "listen: [{address: '0.0.0.0:0'}]", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, p := portal(t, smsportal.Options{}, tt.config)
			_, port, err := net.SplitHostPort(p.Addr())
			if err != nil {
				t.Fatal(err)
			}
			for method, target := range map[string]string{"GET": "http://" + foreign.host() + "/", "CONNECT": foreign.host()} {
				mark := p.Mark()
				c := harness.Dial(t, net.JoinHostPort("127.0.0.1", port)).Send(tt.header + method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")
				answer := c.Answer(method)
				if want := map[bool]int{true: 200, false: 403}[tt.reason == ""]; answer.StatusCode != want || answer.Problem() != tt.reason {
					t.Errorf("%s: %d %q", method, answer.StatusCode, answer.Problem())
				}
				if tt.reason == "internal_address" && !strings.Contains(answer.Text, "Exempt it from the client's proxy setting") {
					t.Errorf("%s: it is taken for an upstream: %s", method, answer.Text)
				}
				if tt.reason != "" {
					p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": method, "error": tt.reason, "status": 403, "delivery": "not_sent"})
				}
			}
			if tt.reason != "" {
				p.WaitMetric(2, "tlslift_denied_total", "reason", tt.reason)
				p.WaitMetric(2, "tlslift_responses_total", "upstream", "_denied", "code", "403")
				if p.Metrics().Has("tlslift_responses_total", "upstream", "_other") {
					t.Error("what was refused counts as passed")
				}
			}
		})
	}
}

// TestBytesSentTogetherWithCONNECT are not lost.
func TestBytesSentTogetherWithCONNECT(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for name, connect := range map[string]string{
		"one segment":       "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: api.smsportal.com:443\r\n\r\n",
		"no header at all":  "CONNECT api.smsportal.com:443 HTTP/1.0\r\n\r\n",
		"bare line feeds":   "CONNECT api.smsportal.com:443 HTTP/1.0\nUser-Agent: Axis\n\n",
		"Host is ours":      "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: " + p.Addr() + "\r\n\r\n",
		"a length, no body": "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 0\r\n\r\n",
		"a lying length":    "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 4\r\n\r\n",
		"upper case":        "CONNECT API.SMSPORTAL.COM:443 HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server.Reset()
			in := dial(t, p).Send(connect + "GET /early HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n")
			if answer := in.Answer("CONNECT"); answer.StatusCode != 200 {
				t.Fatalf("CONNECT: %d %s", answer.StatusCode, answer.Problem())
			}
			if answer := in.Answer("GET"); answer.Problem() != "" {
				t.Errorf("%d %q", answer.StatusCode, answer.Problem())
			}
			if got := server.Requests(); len(got) != 1 || got[0].Target != "/early" {
				t.Errorf("the upstream received %d requests", len(got))
			}
		})
	}
}

// TestUnresolvedStranger: a caller that misspells a host is told so before anyone
// looks at DNS. Go asks no server for a name below onion.
func TestUnresolvedStranger(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "others: pass\n")
	answer := harness.Dial(t, p.ListenAddr(0)).Send("GET http://api.smsportall.onion/ HTTP/1.1\r\nHost: api.smsportall.onion\r\n\r\n").Answer("GET")
	if answer.Problem() != "dns" || !strings.Contains(answer.Text, "Check the spelling of the host") {
		t.Errorf("%d %s: %s", answer.StatusCode, answer.Problem(), answer.Text)
	}
}
