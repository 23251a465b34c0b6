package metrics

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"tlslift/proxy/call"
)

const (
	firstSeenName    = "tlslift_client_first_seen_timestamp_seconds"
	lastInsecureName = "tlslift_client_last_insecure_timestamp_seconds"
	lastSecureName   = "tlslift_client_last_secure_timestamp_seconds"
)

// request is one insecure request to our upstream.
func request(c *Client) { c.Request("smsportal.com", call.VersionNone, true, "") }

func (f *fixture) requestsOf(t *testing.T, client string) float64 {
	t.Helper()
	got, _ := f.value(t, "tlslift_client_requests_total",
		"client", client, "upstream", "smsportal.com", "tls_version", "none", "insecure", "true")
	return got
}

func clientFixture(t testing.TB, limit int, names ...string) *fixture {
	return newFixture(t, Options{Upstreams: []string{"smsportal.com"}, LabelLimit: limit, Clients: names})
}

func TestDiscoveredClientsOverflowVisibly(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 2, "billing")
	for _, name := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1"} {
		request(f.Client(name, "address"))
	}
	request(f.Client("billing", "name"))
	f.expect(t, 2, "tlslift_tracked_clients")
	f.expect(t, 2, "tlslift_tracked_clients_limit")
	f.expect(t, 2, "tlslift_client_overflow_total")
	for client, want := range map[string]float64{"10.0.0.1": 2, "10.0.0.2": 1, "10.0.0.3": 0, OverflowClient: 2, "billing": 1} {
		if got := f.requestsOf(t, client); got != want {
			t.Errorf("requests of %s: %v, want %v", client, got, want)
		}
	}
	f.expect(t, float64(start.Unix()), lastInsecureName, "client", OverflowClient)
	f.absent(t, firstSeenName, "client", OverflowClient)
}

func TestOverflowHasNothingOfOneClient(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, -1)
	c := f.Client("10.0.0.1", "address")
	if c.Name() != OverflowClient {
		t.Fatalf("Name() = %q with no labels to give", c.Name())
	}
	exerciseClient(c)
	c.FirstSeen(start)
	for _, mf := range f.gather(t) {
		switch mf.GetName() {
		case "tlslift_client_verdict", "tlslift_client_library_info", firstSeenName,
			"tlslift_client_sunset_timestamp_seconds", "tlslift_client_waiver_expiry_timestamp_seconds",
			"tlslift_client_declared_migrated_timestamp_seconds":
			t.Errorf("%s exists for %s", mf.GetName(), OverflowClient)
		}
	}
}

func TestNoCallerCanTakeAReservedLabel(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 10)
	for _, name := range []string{"", OverflowClient} {
		if got := f.Client(name, "proxy_user").Name(); got != OverflowClient {
			t.Errorf("Client(%q) has the label %q", name, got)
		}
	}
	f.expect(t, 0, "tlslift_tracked_clients")
}

func TestUnseenLabelsAreFreed(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 2, "billing")
	old := f.Client("10.0.0.1", "address")
	exerciseClient(old)
	exerciseClient(f.Client("billing", "name"))
	f.clock.advance(23 * time.Hour)
	exerciseClient(f.Client("10.0.0.2", "address"))
	f.clock.advance(59 * time.Minute)
	f.Sweep(f.clock.now())
	f.expect(t, 2, "tlslift_tracked_clients")

	f.clock.advance(time.Minute)
	f.Sweep(f.clock.now())
	f.expect(t, 1, "tlslift_tracked_clients")
	for _, mf := range f.gather(t) {
		for _, s := range mf.GetMetric() {
			for _, l := range s.GetLabel() {
				if l.GetValue() == "10.0.0.1" {
					t.Errorf("%s still has the freed client", mf.GetName())
				}
			}
		}
	}
	f.expect(t, 1, "tlslift_client_verdict", "client", "billing", "verdict", "plaintext")

	// The handle that a connection kept counts on a label that is taken anew.
	request(old)
	request(old)
	if got := f.requestsOf(t, "10.0.0.1"); got != 2 {
		t.Errorf("requests after coming back: %v, want 2", got)
	}
	f.expect(t, float64(f.clock.now().Unix()), firstSeenName, "client", "10.0.0.1")
	f.expect(t, 2, "tlslift_tracked_clients")
}

func TestAFullTableFreesByItself(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 1)
	request(f.Client("10.0.0.1", "address"))
	request(f.Client("10.0.0.2", "address"))
	f.clock.advance(24 * time.Hour)
	request(f.Client("10.0.0.3", "address"))
	f.absent(t, firstSeenName, "client", "10.0.0.1")
	f.expect(t, float64(f.clock.now().Unix()), firstSeenName, "client", "10.0.0.3")
	f.expect(t, 1, "tlslift_client_overflow_total")
}

func TestAnActiveClientIsNeverEvicted(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 1)
	quiet := f.Client("10.0.0.1", "address")
	for range 60 {
		quiet.Request("smsportal.com", call.Version10, true, "")
		request(f.Client("10.0.0.2", "address"))
		f.clock.advance(23 * time.Hour)
	}
	f.expect(t, 60, "tlslift_client_requests_total",
		"client", "10.0.0.1", "upstream", "smsportal.com", "tls_version", "1.0", "insecure", "true")
	f.expect(t, 60, "tlslift_client_overflow_total")
}

func TestAFreedHandleOnAFullTableOverflows(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 1)
	old := f.Client("10.0.0.1", "address")
	f.clock.advance(25 * time.Hour)
	request(f.Client("10.0.0.2", "address"))
	exerciseClient(old)
	request(old)
	if got := f.requestsOf(t, OverflowClient); got != 1 {
		t.Errorf("requests of %s: %v, want 1", OverflowClient, got)
	}
	f.expect(t, 1, "tlslift_tracked_clients")
}

func TestPresence(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		do                    func(*Client)
		first, insecure, safe bool
	}{
		"nothing":             {do: func(*Client) {}},
		"insecure request":    {do: request, first: true, insecure: true},
		"secure request":      {do: func(c *Client) { c.Request("smsportal.com", call.Version12, false, "") }, first: true, safe: true},
		"foreign request":     {do: func(c *Client) { c.Request("foreign.example", call.VersionNone, true, "") }},
		"refused request":     {do: func(c *Client) { c.Request(DeniedUpstream, call.VersionNone, true, "") }},
		"spliced":             {do: func(c *Client) { c.Connection(call.Connect, call.Version13, call.Spliced) }, first: true, safe: true},
		"spliced, unknown":    {do: func(c *Client) { c.Connection(call.Connect, call.VersionNone, call.Spliced) }},
		"terminated":          {do: func(c *Client) { c.Connection(call.TLS, call.Version10, call.Terminated) }, first: true, insecure: true},
		"terminated at 1.2":   {do: func(c *Client) { c.Connection(call.TLS, call.Version12, call.Terminated) }, first: true, safe: true},
		"plain":               {do: func(c *Client) { c.Connection(call.Forward, call.VersionNone, call.Plain) }},
		"tunnelled":           {do: func(c *Client) { c.Connection(call.Connect, call.Version12, call.Tunnelled) }},
		"refused in clear":    {do: func(c *Client) { c.Connection(call.Forward, call.VersionNone, call.Refused) }},
		"refused, too old":    {do: func(c *Client) { c.Connection(call.TLS, call.VersionSSL3, call.Refused) }, first: true, insecure: true},
		"refused, modern":     {do: func(c *Client) { c.Connection(call.TLS, call.Version12, call.Refused) }, first: true},
		"hello":               {do: func(c *Client) { c.Hello(call.Version11, "sslv2", false) }, first: true},
		"failed handshake":    {do: func(c *Client) { c.HandshakeFailure(HandshakeEOF) }, first: true},
		"told by the ledger":  {do: func(c *Client) { c.FirstSeen(start); c.LastInsecure(start); c.LastSecure(start) }, first: true, insecure: true, safe: true},
		"told nothing":        {do: func(c *Client) { c.FirstSeen(time.Time{}); c.LastInsecure(time.Time{}); c.LastSecure(time.Time{}) }},
		"policy and upgrades": {do: func(c *Client) { c.Policy("allow", true); c.Upgrade(call.Version10); c.Credentials("soap") }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := clientFixture(t, 10, "billing")
			tt.do(f.Client("billing", "name"))
			for series, seen := range map[string]bool{firstSeenName: tt.first, lastInsecureName: tt.insecure, lastSecureName: tt.safe} {
				want := 0.0
				if seen {
					want = float64(start.Unix())
				}
				f.expect(t, want, series, "client", "billing")
			}
		})
	}
}

func TestTimestampsNeverGoBack(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 10)
	c := f.Client("10.0.0.1", "address")
	request(c)
	c.LastInsecure(start.Add(-time.Hour))
	c.FirstSeen(start.Add(time.Hour))
	f.expect(t, float64(start.Unix()), lastInsecureName, "client", "10.0.0.1")
	f.expect(t, float64(start.Unix()), firstSeenName, "client", "10.0.0.1")
	c.FirstSeen(start.Add(-time.Hour))
	f.expect(t, float64(start.Add(-time.Hour).Unix()), firstSeenName, "client", "10.0.0.1")
	f.absent(t, lastSecureName, "client", "10.0.0.1")
}

func TestOnlyTheCurrentVerdictAndLibraryExist(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 10)
	c := f.Client("10.0.0.1", "address")
	c.Verdict("plaintext")
	c.Verdict("capable")
	f.absent(t, "tlslift_client_verdict", "client", "10.0.0.1", "verdict", "plaintext")
	f.expect(t, 1, "tlslift_client_verdict", "client", "10.0.0.1", "verdict", "capable")
	c.Verdict("")
	f.absent(t, "tlslift_client_verdict", "client", "10.0.0.1", "verdict", "capable")

	c.Library("", "")
	f.expect(t, 1, "tlslift_client_library_info", "client", "10.0.0.1", "library", "unknown", "identity_source", "address")
	c.Library("Java 6", "proxy_user")
	f.absent(t, "tlslift_client_library_info", "client", "10.0.0.1", "library", "unknown", "identity_source", "address")
	f.expect(t, 1, "tlslift_client_library_info", "client", "10.0.0.1", "library", "Java 6", "identity_source", "proxy_user")
}

func TestConfiguredTimesCanBeTakenBack(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 10, "billing")
	c := f.Client("billing", "name")
	for _, set := range []struct {
		do     func(time.Time)
		series string
	}{
		{c.Sunset, "tlslift_client_sunset_timestamp_seconds"},
		{c.Waiver, "tlslift_client_waiver_expiry_timestamp_seconds"},
		{c.Declared, "tlslift_client_declared_migrated_timestamp_seconds"},
	} {
		f.expect(t, 0, set.series, "client", "billing")
		set.do(start)
		f.expect(t, float64(start.Unix()), set.series, "client", "billing")
		set.do(time.Time{})
		f.expect(t, 0, set.series, "client", "billing")
	}
}

func TestReloadedClients(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 1, "billing")
	request(f.Client("10.0.0.1", "address"))
	f.Client("billing", "name").Sunset(start)
	f.SetClients("", []string{"archive", "10.0.0.1"})
	f.expect(t, 0, "tlslift_client_sunset_timestamp_seconds", "client", "billing")
	f.expect(t, 0, firstSeenName, "client", "archive")
	if got := f.requestsOf(t, "10.0.0.1"); got != 1 {
		t.Errorf("a client that became configured lost its count: %v", got)
	}
	f.expect(t, 1, "tlslift_tracked_clients") // billing, no longer configured
	f.clock.advance(25 * time.Hour)
	f.Sweep(f.clock.now())
	f.absent(t, firstSeenName, "client", "billing")
	f.expect(t, 0, firstSeenName, "client", "archive")
	f.expect(t, 0, "tlslift_tracked_clients")
}

func TestReloadedWorkload(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Workload: "payments/billing", Upstreams: defaultUpstreams})
	const failures = "tlslift_client_handshake_failures_total"
	f.expect(t, 0, failures, "client", "payments/billing", "reason", "eof")
	f.SetClients("payments/invoices", nil)
	f.expect(t, 0, failures, "client", "payments/invoices", "reason", "eof")
	f.expect(t, 1, "tlslift_tracked_clients") // payments/billing, no longer configured
	f.clock.advance(25 * time.Hour)
	f.Sweep(f.clock.now())
	f.absent(t, firstSeenName, "client", "payments/billing")
	f.expect(t, 0, failures, "client", "payments/invoices", "reason", "eof")
}

func TestHostileNamesAreBounded(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 1000)
	for _, name := range []string{
		strings.Repeat("x", 1<<16), strings.Repeat("ü", 1000), "\xff\xfe", "a\x00b", "line\nbreak", `quote"`, strings.Repeat("\xff", 500),
	} {
		c := f.Client(name, "account")
		exerciseClient(c)
		c.Verdict(name)
		c.Library(name, name)
		if n := len(c.Name()); n > 3*maxLabel || !utf8.ValidString(c.Name()) {
			t.Errorf("%.20q became a label of %d bytes", name, n)
		}
	}
	f.gather(t)
}

func TestAMillionHostileClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	f := clientFixture(t, 0, "billing")
	request(f.Client("10.0.0.1", "address"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1_000_000 {
		c := f.Client("user"+strconv.Itoa(i), "proxy_user")
		request(c)
		if i%10_000 == 0 {
			exerciseClient(c)
		}
	}
	request(f.Client("billing", "name"))
	request(f.Client("10.0.0.1", "address"))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
	if got := f.requestsOf(t, "billing"); got != 1 {
		t.Errorf("requests of a named client: %v, want 1", got)
	}
	if got := f.requestsOf(t, "10.0.0.1"); got != 2 {
		t.Errorf("requests of an insecure client seen before: %v, want 2", got)
	}
	f.expect(t, DefaultLabelLimit, "tlslift_tracked_clients")
	f.expect(t, 1_000_000-DefaultLabelLimit+1, "tlslift_client_overflow_total")
}

// TestFreeingWhileCounting frees labels as often as it can while other
// goroutines count: nothing may race, panic, or be left behind for a client
// that has gone.
func TestFreeingWhileCounting(t *testing.T) {
	t.Parallel()
	f := clientFixture(t, 4)
	const rounds = 200
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("10.0.0.%d", g)
			kept := f.Client(name, "address")
			for range rounds {
				request(kept)
				exerciseClient(kept)
				exerciseClient(f.Client(name, "address"))
				exerciseService(f.Metrics)
			}
		})
	}
	wg.Go(func() {
		for range rounds {
			f.clock.advance(25 * time.Hour)
			f.Sweep(f.clock.now())
			f.SetClients("", []string{"10.0.0.0"})
			f.SetClients("", nil)
			f.gather(t)
		}
	})
	wg.Wait()
	f.clock.advance(25 * time.Hour)
	f.Sweep(f.clock.now())
	for _, mf := range f.gather(t) {
		for _, s := range mf.GetMetric() {
			for _, l := range s.GetLabel() {
				if l.GetName() == "client" && l.GetValue() != OverflowClient {
					t.Errorf("%s{client=%q} was left behind", mf.GetName(), l.GetValue())
				}
			}
		}
	}
}
