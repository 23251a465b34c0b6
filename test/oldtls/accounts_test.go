package oldtls

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// asAccount asks as an account of the API.
func asAccount(name string) string {
	credentials := base64.StdEncoding.EncodeToString([]byte(name + ":secret"))
	return "GET " + credits + " HTTP/1.1\r\nHost: " + legacy + "\r\nAuthorization: Basic " + credentials + "\r\n\r\n"
}

// clients are all rows of the API by their names.
func (s *stage) clients(t testing.TB) (names []string) {
	t.Helper()
	_, body := s.Get("/api/v1/clients")
	var list struct {
		Clients []standing `json:"clients"`
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	for _, c := range list.Clients {
		names = append(names, c.Client)
	}
	slices.Sort(names)
	return names
}

// TestAccountsOnOneConnection: each account is a client with a verdict, and the
// address that they come from is none. The hello counts once.
func TestAccountsOnOneConnection(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "clients: {account: plain}")
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	for _, name := range []string{"acme", "umbrella"} {
		c.Send(asAccount(name)).Answer("GET")
		s.WaitLog(harness.Match{"msg": "request", "client": name, "tls_version": "1.0"})
	}
	c.Close()
	s.WaitLog(harness.Match{"msg": "tunnel", "end": "closed", "client": "acme"}) // as the connection counts
	if got := s.clients(t); !slices.Equal(got, []string{"acme", "umbrella"}) {
		t.Errorf("the clients are %q", got)
	}
	for _, name := range []string{"acme", "umbrella"} {
		s.client = name
		if got := s.standing(t); got.State != "insecure" || got.Verdict != "legacy-only" || got.Fix == "" {
			t.Errorf("%s stands %+v", name, got)
		}
	}
	if _, page := s.Get("/clients/acme"); !strings.Contains(page, "Secrets over old TLS") || strings.Contains(page, "Secrets in clear") {
		t.Error("its page does not say how its secrets came")
	}
	m := s.Metrics()
	if n := m.Sum("tlslift_client_hellos_total"); n != 1 {
		t.Errorf("%v hellos were counted", n)
	}
	if n := m.Sum("tlslift_client_connections_total"); n != 1 {
		t.Errorf("%v connections were counted", n)
	}
}

// TestAccountLearntLate: after ten seconds the hello counts under the address;
// when the account shows, row and verdict are the account's alone.
func TestAccountLearntLate(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "clients: {account: plain}\nlimits: {header_timeout: 60s, idle_timeout: 60s}") // it calls after 10 s
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	s.WaitMetric(1, "tlslift_client_hellos_total", "client", "127.0.0.1", "max_version", "1.0")
	if got := s.standing(t); got.State != "no-calls" || got.Verdict != "legacy-only" {
		t.Errorf("before it called, the address stands %+v", got)
	}
	c.Send(asAccount("acme")).Answer("GET")
	s.WaitMetric(1, "tlslift_client_connections_total", "client", "acme", "handling", "terminated")
	if got := s.clients(t); !slices.Contains(got, "acme") || slices.Contains(got, "127.0.0.1") {
		t.Errorf("the clients are %q", got)
	}
	s.client = "acme"
	if got := s.standing(t); got.State != "insecure" || got.Verdict != "legacy-only" || got.Fix == "" {
		t.Errorf("the account stands %+v", got)
	}
	if n := s.Metrics().Sum("tlslift_client_hellos_total"); n != 1 {
		t.Errorf("%v hellos were counted", n)
	}
}

// TestAccountGetsIn: its failures are its address's, because no account shows in a
// handshake. They end with the first call in TLS that comes from there.
func TestAccountGetsIn(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "clients: {account: plain}")
	reject := func(failures float64) {
		t.Helper()
		conn := tls.Client(connect.open(t, s, legacy), speaking(tls.VersionTLS10, s.portal.Roots(), legacy))
		if err := conn.Handshake(); err == nil {
			t.Fatal("the client trusts anybody")
		}
		s.WaitMetric(failures, "tlslift_client_handshake_failures_total", "client", s.client, "reason", "client_rejected_ca")
		if got := s.standing(t); !got.Failing || got.Verdict != "distrusts-ca" {
			t.Errorf("after failure %v the address stands %+v", failures, got)
		}
	}
	reject(1)
	c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	c.Send(asAccount("acme")).Answer("GET")
	s.WaitMetric(1, "tlslift_client_connections_total", "client", "acme", "handling", "terminated")
	if got := s.standing(t); got.Failing || got.Verdict != "legacy-only" || got.State != "no-calls" {
		t.Errorf("after a call as an account the address stands %+v", got)
	}
	c.Close()
	reject(2)
}
