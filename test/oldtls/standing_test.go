package oldtls

import (
	"crypto/tls"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const lastSecure, lastInsecure = "tlslift_client_last_secure_timestamp_seconds", "tlslift_client_last_insecure_timestamp_seconds"

// TestWhoNeverGotThroughIsNotMigrated: to offer TLS 1.2 is not to have spoken
// it with the API.
func TestWhoNeverGotThroughIsNotMigrated(t *testing.T) {
	t.Parallel()
	t.Run("the upstream says nothing", func(t *testing.T) {
		t.Parallel()
		server, err := fault.New(fault.Options{Greet: func(int) fault.Greeting { return fault.CloseOnHello }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		s := bare(t, server, "")
		conn := connect.open(t, s, api)
		if tls.Client(conn, speaking(tls.VersionTLS13, nil, api)).Handshake() == nil {
			t.Fatal("a handshake with nobody")
		}
		_ = conn.Close()
		s.says("tunnel", harness.Match{"handling": "spliced"})
		s.failed(t, "eof")
		s.neverThrough(t)
	})
	t.Run("the client leaves after the certificate", func(t *testing.T) {
		t.Parallel()
		s := bare(t, portal(t, smsportal.Options{}), "")
		conn := connect.open(t, s, api)
		config := speaking(tls.VersionTLS13, nil, api)
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(tls.ConnectionState) error { return conn.Close() }
		_ = tls.Client(conn, config).Handshake()
		s.says("tunnel", harness.Match{"handling": "spliced"})
		s.failed(t, "eof")
		s.neverThrough(t)
	})
	t.Run("only the self-test", func(t *testing.T) {
		t.Parallel()
		s := start(t, smsportal.Options{}, "")
		for _, w := range ways {
			c := s.hello(t, w, "check.tlslift.test", speaking(tls.VersionTLS13, s.ours, "check.tlslift.test"))
			if answer := c.Send(ask("check.tlslift.test", "/")).Answer("GET"); answer.StatusCode != 200 {
				t.Errorf("%s: %d", w.name, answer.StatusCode)
			}
			c.Close()
			s.says("tunnel", harness.Match{"host": "check.tlslift.test", "ingress": w.name})
		}
		s.counts(t, wants{0, lastSecure, nil}, wants{0, lastInsecure, nil}, wants{0, "tlslift_client_requests_total", nil},
			wants{0, "tlslift_client_connections_total", nil}, wants{0, "tlslift_client_hellos_total", nil})
	})
}

// A self-test inside a connection for an upstream shows nothing, and what follows it
// on that connection is a call.
func TestASelfTestBeforeACall(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', default_upstream: "+api+"}]")
	for n, then := range []string{"", ask(api, "/a")} {
		c := harness.NewCaller(t, tls.Client(direct.open(t, s, ""), naming(tls.VersionTLS10, s.ours, "", api)))
		if answer := c.Send(ask("check.tlslift.test", "/")).Answer("GET"); answer.StatusCode != 200 {
			t.Fatalf("the self-test: %d", answer.StatusCode)
		}
		if then != "" {
			c.Send(then).Answer("GET")
		}
		c.Close()
		s.WaitLogs(0, harness.Match{"msg": "tunnel", "handling": "terminated"}, n+1)
		for _, name := range []string{"tlslift_client_requests_total", "tlslift_client_connections_total", "tlslift_client_hellos_total"} {
			s.WaitMetric(float64(n), name)
			if got := s.Metrics().Sum(name); got != float64(n) {
				t.Errorf("%s is %v after %d calls", name, got, n)
			}
		}
		s.counts(t, wants{0, "tlslift_client_handshake_failures_total", nil})
	}
}

func (s *stage) neverThrough(t *testing.T) {
	t.Helper()
	s.counts(t, wants{0, lastSecure, nil}, wants{0, lastInsecure, nil}, wants{0, "tlslift_client_connections_total", []string{"client", s.client, "handling", "spliced"}})
	if got := s.standing(t); got.State != "no-calls" {
		t.Errorf("the client stands %+v", got)
	}
}

// TestTunnelWithoutARequest: a client that finished its handshake and says no
// more is none to migrate, though its hello shows what it could do.
func TestTunnelWithoutARequest(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, smsportal.Options{}, "limits: {header_timeout: 2s}")
			s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy)).Rest()
			line := s.says("tunnel", harness.Match{"handling": "terminated", "ingress": w.name, "tls_version": "1.0", "host": legacy, "handshake": "no_call", "end": "idle"})
			if line.String("ja4") == "" || line.String("tls_cipher") == "" {
				t.Errorf("logged %v", line)
			}
			s.failed(t, "no_call")
			s.counts(t, wants{0, "tlslift_client_connections_total", nil}, wants{0, lastInsecure, nil}, wants{1, "tlslift_client_hellos_total", nil})
			if got := s.standing(t); got.State != "no-calls" || got.Verdict != "legacy-only" {
				t.Errorf("the client stands %+v", got)
			}
		})
	}
}

// TestOneLinePerTunnel, whatever comes out of it, beside those of its requests.
func TestOneLinePerTunnel(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, w := range ways {
		c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
		for range 3 {
			c.Send(ask(legacy, credits)).Answer("GET")
		}
		c.Close()
		line := s.says("tunnel", harness.Match{"handling": "terminated", "ingress": w.name})
		if line.String("response_bytes") == "0" || line.String("status") != "200" {
			t.Errorf("logged %v", line)
		}
	}
	inside := harness.Dial(t, s.Addr()).Tunnel(legacy + ":443")
	inside.Send(ask(legacy, credits)).Answer("GET")
	inside.Close()
	s.says("tunnel", harness.Match{"handling": "plain", "ingress": "connect"})
	if n := len(s.Lines(0, harness.Match{"msg": "tunnel"})); n != 3 {
		t.Errorf("%d lines for 3 tunnels", n)
	}
	if n := len(s.Lines(0, harness.Match{"msg": "request"})); n != 7 {
		t.Errorf("%d lines for 7 requests", n)
	}
}

// TestHelloThatNamesNobodyIsCounted, with the version that it offers.
func TestHelloThatNamesNobodyIsCounted(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	refused(t, say(t, direct.open(t, s, ""), spelled{version: tls.VersionTLS12, suites: plainSuites}.wire()), alertUnrecognizedName)
	s.counts(t, wants{1, "tlslift_client_hellos_total", []string{"client", s.client, "max_version", "1.2", "sni", "no"}},
		wants{1, "tlslift_client_connections_total", []string{"client", s.client, "handling", "refused", "tls_version", "1.2"}}, wants{0, lastSecure, nil})
}

// TestSelfTestWithoutACA: there is nothing to answer it with.
func TestSelfTestWithoutACA(t *testing.T) {
	t.Parallel()
	s := bare(t, portal(t, smsportal.Options{}), "")
	for _, w := range ways {
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
			h := spelled{version: version, suites: plainSuites, sni: "check.tlslift.test"}
			refused(t, say(t, w.open(t, s, "check.tlslift.test"), h.wire()), alertProtocolVersion)
		}
	}
}
