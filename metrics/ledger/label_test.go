package ledger

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

const (
	requestsTotal    = "tlslift_client_requests_total"
	connectionsTotal = "tlslift_client_connections_total"
	upgradesTotal    = "tlslift_upgrades_total"
	overflowTotal    = "tlslift_client_overflow_total"
	clientsNow       = "tlslift_clients"
	firstSeen        = "tlslift_client_first_seen_timestamp_seconds"
	lastInsecure     = "tlslift_client_last_insecure_timestamp_seconds"
	lastSecure       = "tlslift_client_last_secure_timestamp_seconds"
	declared         = "tlslift_client_declared_migrated_timestamp_seconds"
)

// expect compares sums of series.
func (s scraped) expect(t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	if got := s.sum(name, labels...); got != want {
		t.Errorf("%s%v is %v, want %v", name, labels, got, want)
	}
}

func (s scraped) absent(t *testing.T, name string, labels ...string) {
	t.Helper()
	if found := s.of(name, labels...); len(found) > 0 {
		t.Errorf("%v exist", found)
	}
}

func TestDiscoveredClientsOverflowVisibly(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 2, Clients: []Configured{{Name: "billing"}}})
	for _, name := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1", "billing"} {
		g.request(name, plain("h"))
	}
	s := g.scrape(t)
	s.expect(t, 2, clientsNow, `kind="labelled"`)
	s.expect(t, 4, clientsNow, `kind="tracked"`)
	s.expect(t, 2, overflowTotal)
	for name, want := range map[string]float64{"10.0.0.1": 2, "10.0.0.2": 1, "10.0.0.3": 0, call.LabelOverflow: 2, "billing": 1} {
		s.expect(t, want, requestsTotal, client(name))
	}
	s.expect(t, float64(epoch.Unix()), lastInsecure, client(call.LabelOverflow))
	g.request("10.0.0.3", terminated(call.Version12))
	s = g.scrape(t)
	s.expect(t, float64(epoch.Unix()), lastSecure, client(call.LabelOverflow))
	s.expect(t, 6, upgradesTotal, `from="none"`)
	for _, name := range []string{firstSeen, declared, "tlslift_client_verdict", "tlslift_client_library_info"} {
		s.absent(t, name, client(call.LabelOverflow)) // it stands for many
	}
}

func TestConfiguredClientsExistAtZero(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "billing", Migrated: epoch}, {Name: "ns/app"}}, Workload: "ns/app"})
	s := g.scrape(t)
	for _, name := range []string{firstSeen, lastInsecure, lastSecure} {
		if len(s.of(name)) != 2 || s.sum(name) != 0 {
			t.Errorf("%s: %v", name, s.of(name))
		}
	}
	s.expect(t, float64(epoch.Unix()), declared, client("billing"))
	if got := s.of(upgradesTotal, client("billing")); len(got) != 1 {
		t.Errorf("upgrades of a configured client: %v", got)
	}
	if got := s.of(upgradesTotal, client("ns/app")); len(got) != len(call.Versions)-1 {
		t.Errorf("upgrades of a sidecar's client: %v", got)
	}
	s.expect(t, 0, clientsNow)
}

func TestNoCallerCanTakeAReservedLabel(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 10})
	for _, name := range []string{"", call.LabelOverflow} {
		g.request(name, plain("h"))
		g.request(name, foreign())
	}
	s := g.scrape(t)
	s.expect(t, 0, clientsNow, `kind="labelled"`)
	s.expect(t, 4, requestsTotal, client(call.LabelOverflow))
}

func TestALabelEndsAfterADayUnused(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 2, Clients: []Configured{{Name: "billing"}}})
	for _, name := range []string{"10.0.0.1", "billing"} {
		g.request(name, plain("h"))
		g.sight(name, declined(call.Version10, call.HandshakeVersion))
	}
	g.clock.advance(23 * time.Hour)
	g.request("10.0.0.2", foreign())
	g.clock.advance(59 * time.Minute)
	g.scrape(t).expect(t, 2, clientsNow, `kind="labelled"`)

	g.clock.advance(time.Minute)
	s := g.scrape(t)
	s.expect(t, 1, clientsNow, `kind="labelled"`)
	s.absent(t, "tlslift", client("10.0.0.1"))
	s.expect(t, 1, "tlslift_client_verdict", client("billing"))
	g.row(t, "10.0.0.1") // the ledger remembers

	// It comes back with a series that begins anew.
	g.request("10.0.0.1", plain("h"))
	s = g.scrape(t)
	s.expect(t, 1, requestsTotal, client("10.0.0.1"))
	s.expect(t, float64(epoch.Unix()), firstSeen, client("10.0.0.1"))
}

func TestAFullTableFreesByItself(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 1})
	g.request("10.0.0.1", plain("h"))
	g.request("10.0.0.2", plain("h"))
	g.clock.advance(24 * time.Hour)
	g.request("10.0.0.3", plain("h"))
	s := g.scrape(t)
	s.absent(t, firstSeen, client("10.0.0.1"))
	s.expect(t, 1, requestsTotal, client("10.0.0.3"))
	s.expect(t, 1, overflowTotal)
}

func TestAnInsecureClientKeepsItsLabel(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 1})
	for range 60 {
		g.request("10.0.0.1", terminated(call.Version10))
		g.request("10.0.0.2", plain("h"))
		g.clock.advance(23 * time.Hour)
	}
	s := g.scrape(t)
	s.expect(t, 60, requestsTotal, client("10.0.0.1"), `tls_version="1.0"`, `insecure="true"`)
	s.expect(t, 60, overflowTotal)
}

func TestAnInsecureClientTakesTheLabelOfOneThatIsNot(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 3})
	g.sight("migrated", spliced())
	g.request("visitor", foreign())
	g.request("insecure", plain("h"))
	g.sight("late and secure", spliced())
	g.clock.advance(time.Minute)
	g.request("visitor", foreign())
	g.scrape(t).expect(t, 1, overflowTotal)

	labelled := func(names ...string) {
		t.Helper()
		s := g.scrape(t)
		s.expect(t, 3, clientsNow, `kind="labelled"`)
		for _, name := range names {
			if !s.has(requestsTotal, client(name)) {
				t.Errorf("%s has no label", name)
			}
		}
	}
	g.request("late and insecure", plain("h")) // for the migrated one, longest unseen
	labelled("visitor", "insecure", "late and insecure")
	g.clock.advance(time.Minute)
	g.request("third", plain("h")) // for the visitor
	labelled("third", "insecure", "late and insecure")
	g.clock.advance(time.Minute)
	g.request("fourth", plain("h")) // no more to take
	labelled("third", "insecure", "late and insecure")
	g.scrape(t).expect(t, 1, requestsTotal, client(call.LabelOverflow), `insecure="true"`, `upstream="_other"`)

	// Insecure no longer, it gives way as well.
	for range 15 {
		g.clock.advance(23 * time.Hour)
		g.sight("insecure", spliced())
		g.request("late and insecure", plain("h"))
		g.request("third", plain("h"))
	}
	g.request("fourth", plain("h"))
	labelled("third", "fourth", "late and insecure")
}

// Whatever happens to labels and rows, a series never goes back but by
// vanishing and beginning anew, and nothing is counted twice.
func TestNoCounterGoesBack(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 3, Track: 100, Clients: []Configured{{Name: "billing"}}})
	was, counted, recorded := g.scrape(t), 0.0, 0.0
	for i := range 400 {
		name := fmt.Sprint("client-", i*i%17)
		switch i % 5 {
		case 0, 1:
			g.sight(name, spliced())
		case 2:
			g.request(name, foreign())
			recorded++
		case 3:
			g.request(name, terminated(call.Version12))
			recorded++
		default:
			if i%25 == 4 {
				g.request(name, plain("h"))
			} else {
				g.request("billing", plain("h"))
			}
			recorded++
		}
		g.clock.advance(time.Duration(i%7) * time.Hour)
		now := g.scrape(t)
		for _, series := range append(was.of("tlslift", "_total", client(call.LabelOverflow)), was.of("tlslift", "_total", client("billing"))...) {
			if now[series] < was[series] {
				t.Fatalf("step %d: %s went from %v to %v", i, series, was[series], now[series])
			}
		}
		// What rate() sees, with a scrape after each request: an increase, or a
		// series that begins.
		for _, series := range now.of(requestsTotal) {
			if more := now[series] - was[series]; more >= 0 {
				counted += more
			} else {
				counted += now[series]
			}
		}
		was = now
	}
	if counted != recorded {
		t.Errorf("%v requests were counted, %v were recorded", counted, recorded)
	}
}

// An evicted row takes nothing from a sum over all clients.
func TestEvictionTakesNothingFromASum(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 2, Track: 2})
	for i := range 10 {
		g.clock.advance(time.Second)
		g.sight(fmt.Sprint("client-", i), spliced())
		s := g.scrape(t)
		s.expect(t, float64(i+1), connectionsTotal)
		s.expect(t, float64(max(i-1, 0)), connectionsTotal, client(call.LabelOverflow))
		s.expect(t, float64(min(i+1, 2)), clientsNow, `kind="labelled"`)
	}
	g.sight("client-0", spliced())
	g.scrape(t).expect(t, 1, connectionsTotal, client("client-0"))
}

// A client that earns a label takes nothing from what _overflow shows.
func TestALabelEarnedTakesNothingFromOverflow(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 1})
	g.sight("first", spliced())
	for range 5 {
		g.sight("second", spliced())
	}
	g.scrape(t).expect(t, 5, connectionsTotal, client(call.LabelOverflow))
	g.clock.advance(25 * time.Hour)
	g.sight("second", spliced())
	s := g.scrape(t)
	s.expect(t, 5, connectionsTotal, client(call.LabelOverflow))
	s.expect(t, 1, connectionsTotal, client("second"))
	s.absent(t, connectionsTotal, client("first"))
	if r := g.row(t, "second"); r.Connections[0].Count != 6 {
		t.Errorf("its total: %+v", r.Connections)
	}
}

func TestReloadedClients(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 1, Clients: []Configured{{Name: "billing", Migrated: epoch}, {Name: "never"}}})
	g.request("10.0.0.1", plain("h"))
	g.request("billing", plain("h"))
	g.Configure(Settings{LabelLimit: 1, Clients: []Configured{{Name: "archive"}, {Name: "10.0.0.1"}}})
	s := g.scrape(t)
	s.absent(t, declared, client("billing"))
	s.absent(t, firstSeen, client("never"))
	s.expect(t, 1, requestsTotal, client("10.0.0.1"))
	s.expect(t, 1, clientsNow, `kind="labelled"`) // billing, no longer configured
	s.expect(t, 1, clientsNow, `kind="tracked"`)
	if !s.has(firstSeen, client("archive")) {
		t.Error("a new configured client does not exist at 0")
	}
	g.clock.advance(25 * time.Hour)
	s = g.scrape(t)
	s.absent(t, firstSeen, client("billing"))
	s.expect(t, 0, clientsNow, `kind="labelled"`)
	if !s.has(firstSeen, client("archive")) || !s.has(firstSeen, client("10.0.0.1")) {
		t.Error("a configured client lost its label")
	}
}

func TestAReloadedWorkloadBeginsAtZero(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "ns/a"}}, Workload: "ns/a"})
	g.Configure(Settings{Clients: []Configured{{Name: "ns/b"}}, Workload: "ns/b"})
	s := g.scrape(t)
	if len(s.of(upgradesTotal, client("ns/b"))) != 5 || s.has(upgradesTotal, client("ns/a")) {
		t.Errorf("upgrades: %v", s.of(upgradesTotal))
	}
}

// What each outcome counts in the series of its client.
func TestSeries(t *testing.T) {
	t.Parallel()
	exposed := plain("h")
	exposed.Exposed = 1<<redact.KindQuery | 1<<redact.KindSOAP
	old := terminated(call.Version10)
	old.Exposed = 1 << redact.KindBasic
	sslv2 := ended(call.Version10)
	sslv2.Hello = &call.Offer{Max: call.Version10, SSLv2: true, SNI: true}
	unsent := plain("h")
	unsent.Upgraded = false
	for name, c := range map[string]struct {
		do   func(g rig)
		want []string
	}{
		"plain": {func(g rig) { g.request("c", plain("h")) }, []string{
			`tlslift_client_requests_total{client="c",insecure="true",tls_version="none",upstream="*.smsportal.com"}`,
			`tlslift_upgrades_total{client="c",from="none"}`,
		}},
		"not sent": {func(g rig) { g.request("c", unsent) }, []string{
			`tlslift_client_requests_total{client="c",insecure="true",tls_version="none",upstream="*.smsportal.com"}`,
		}},
		"exposed": {func(g rig) { g.request("c", exposed) }, []string{
			`tlslift_client_credentials_exposed_total{client="c",kind="query",over="clear"}`,
			`tlslift_client_credentials_exposed_total{client="c",kind="soap",over="clear"}`,
		}},
		"exposed over old TLS": {func(g rig) { g.request("c", old) }, []string{
			`tlslift_client_credentials_exposed_total{client="c",kind="basic",over="old_tls"}`,
		}},
		"foreign": {func(g rig) { g.request("c", foreign()) }, []string{
			`tlslift_client_requests_total{client="c",insecure="true",tls_version="none",upstream="_denied"}`,
		}},
		"an upstream nobody configured": {func(g rig) {
			o := plain("h")
			o.Label = "moon.example"
			g.request("c", o)
		}, []string{
			`tlslift_client_requests_total{client="c",insecure="true",tls_version="none",upstream="_other"}`,
		}},
		"SSLv2": {func(g rig) { g.sight("c", sslv2) }, []string{
			`tlslift_client_connections_total{client="c",handling="terminated",ingress="connect",tls_version="1.0"}`,
			`tlslift_client_hellos_total{client="c",framing="sslv2",max_version="1.0",sni="yes"}`,
		}},
		"refused": {func(g rig) { g.sight("c", refused(call.VersionSSL3, call.HandshakeVersion)) }, []string{
			`tlslift_client_connections_total{client="c",handling="refused",ingress="connect",tls_version="ssl3"}`,
			`tlslift_client_handshake_failures_total{client="c",reason="version"}`,
			`tlslift_client_hellos_total{client="c",framing="tls",max_version="ssl3",sni="no"}`,
		}},
		"failed once it was in": {func(g rig) {
			v := ended(call.Version10)
			v.NoCall, v.Failure = true, call.HandshakeClientRejectedCA
			g.sight("c", v)
		}, []string{
			`tlslift_client_handshake_failures_total{client="c",reason="client_rejected_ca"}`,
		}},
	} {
		g := newRig(Settings{LabelLimit: 1, Upstreams: []string{"*.smsportal.com"}})
		c.do(g)
		s := g.scrape(t)
		for _, series := range c.want {
			if s[series] != 1 {
				t.Errorf("%s: %s is %v, want 1; there are %v", name, series, s[series], s)
			}
		}
	}
	g := newRig(Settings{LabelLimit: 1})
	g.sight("c", call.Observation{Handling: call.Refused, NoCall: true}) // no way in
	g.scrape(t).absent(t, connectionsTotal)
}

// The verdict and library series show the current ones. Of the evidence all is
// shown, for a fleet's verdict is chosen from all of it.
func TestOnlyTheCurrentVerdictExists(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 1})
	g.request("c", plain("h"))
	g.clock.advance(time.Hour)
	g.request("c", plain("h"))
	s := g.scrape(t)
	s.expect(t, 1, "tlslift_client_verdict", `verdict="plaintext"`)
	s.expect(t, float64(epoch.Add(time.Hour).Unix()), "tlslift_client_verdict_timestamp_seconds", `verdict="plaintext"`)
	s.expect(t, 1, "tlslift_client_library_info", `library="unknown"`, `identity_source="address"`)
	v := spliced()
	v.Hello.Library = "OpenSSL 3"
	g.sight("c", v)
	s = g.scrape(t)
	if got := s.of("tlslift_client_verdict"); len(got) != 1 || !s.has("tlslift_client_verdict", `verdict="capable"`) {
		t.Errorf("%v", got)
	}
	for _, verdict := range []string{`verdict="capable"`, `verdict="plaintext"`} {
		s.expect(t, float64(epoch.Add(time.Hour).Unix()), "tlslift_client_verdict_timestamp_seconds", verdict)
	}
	s.absent(t, "tlslift_client_library_info", `library="unknown"`)
	s.expect(t, 1, "tlslift_client_library_info", `library="OpenSSL 3"`)
}

// TestRecordWhileScraping does everything at once: nothing may race, panic, or
// be left behind for clients that are gone.
func TestRecordWhileScraping(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 2, Track: 3})
	const rounds = 200
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := fmt.Sprintf("10.0.0.%d", i)
			for range rounds {
				g.request(name, plain("h"))
				g.request(name, foreign())
				g.sight(name, spliced())
				g.Row(name)
			}
		})
	}
	wg.Go(func() {
		for range rounds {
			g.clock.advance(25 * time.Hour)
			g.Configure(Settings{LabelLimit: 1, Track: 1, Clients: []Configured{{Name: "10.0.0.0"}}, Upstreams: []string{"a"}})
			g.Configure(Settings{LabelLimit: 2, Track: 3})
			g.scrape(t)
			g.Snapshot()
			g.Summary()
		}
	})
	wg.Wait()
	g.clock.advance(25 * time.Hour)
	for series := range g.scrape(t) {
		if s := (scraped{series: 0}); s.has("tlslift_client_requests_total") && !s.has("tlslift_client_requests_total", client(call.LabelOverflow)) {
			t.Errorf("%s was left behind", series)
		}
	}
	if l := g.Ledger; len(l.labels.rows) != 0 || l.labelled() != 0 || l.tracked() > len(l.rows) {
		t.Errorf("%d labels, %d discovered, %d rows", len(l.labels.rows), l.labelled(), len(l.rows))
	}
}
