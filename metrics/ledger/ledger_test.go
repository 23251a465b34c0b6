package ledger

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

func TestARowShowsWhatWasSeen(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	g.clock.advance(10 * time.Hour)
	const name = "10.0.0.7"
	first := plain("www.mymobileapi.com")
	first.UserAgent, first.Exposed = "PHP-SOAP/5.3.3", 1<<redact.KindQuery|1<<redact.KindBasic
	again := first
	first.Observation = &call.Observation{Ours: true, Ingress: call.Gateway, Handling: call.Plain}
	g.request(name, first)
	g.request(name, again)
	g.request(name, again)
	g.clock.advance(dayLong)
	old := terminated(call.Version10)
	old.Exposed = 1 << redact.KindBasic
	old.Observation = &call.Observation{
		Ours: true, Ingress: call.Connect, Version: call.Version10, Handling: call.Terminated,
		Hello: &call.Offer{Max: call.Version10, Library: "OpenSSL 0.9.8", JA4: "t10d"},
	}
	g.request(name, old)

	got := g.row(t, name)
	if !got.FirstSeen.Equal(epoch.Add(10*time.Hour)) || !got.LastInsecure.Equal(epoch.Add(34*time.Hour)) || !got.LastSecure.IsZero() {
		t.Errorf("times: first %v, insecure %v, secure %v", got.FirstSeen, got.LastInsecure, got.LastSecure)
	}
	if got.RequestsPerDay != 2 || got.ConnectionsPerDay != 1 {
		t.Errorf("%g requests and %g connections a day, want 2 and 1", got.RequestsPerDay, got.ConnectionsPerDay)
	}
	if want := "[{forward none 3} {connect 1.0 1}]"; fmt.Sprint(got.Requests) != want {
		t.Errorf("requests %v, want %s", got.Requests, want)
	}
	if want := "[{plain none 1} {terminated 1.0 1}]"; fmt.Sprint(got.Connections) != want {
		t.Errorf("connections %v, want %s", got.Connections, want)
	}
	if len(got.History) != 2 || got.History[0].Date != "2026-03-01" || got.History[0].InsecureRequests != 3 || got.History[0].InsecureConnections != 1 {
		t.Errorf("history %+v", got.History)
	}
	if got.Library != "OpenSSL 0.9.8" || got.HighestOffered != "1.0" || got.Verdict != LegacyOnly || got.Source != "address" {
		t.Errorf("library %q, offered %q, verdict %q, source %q", got.Library, got.HighestOffered, got.Verdict, got.Source)
	}
	if want := "[{query clear 3} {basic clear 3} {basic old_tls 1}]"; exposures(got) != want {
		t.Errorf("secrets exposed: %+v", got.Exposed)
	}
	if len(got.Hosts) != 2 || got.UserAgents["PHP SOAP"] != 3 {
		t.Errorf("hosts %v, user agents %v", got.Hosts, got.UserAgents)
	}
	var back Row
	data, err := json.Marshal(got)
	if err == nil {
		err = json.Unmarshal(data, &back)
	}
	if err != nil || fmt.Sprintf("%+v", back) != fmt.Sprintf("%+v", got) {
		t.Errorf("JSON does not come back (%v):\n%+v\n%+v", err, back, got)
	}
}

// exposures are the counts without their times.
func exposures(r Row) string {
	var all []string
	for _, e := range r.Exposed {
		all = append(all, fmt.Sprintf("{%s %s %d}", e.Kind, e.Over, e.Count))
	}
	return "[" + strings.Join(all, " ") + "]"
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	for range 1000 {
		g.request("a", plain("h"))
		g.clock.advance(dayLong)
	}
	r := g.row(t, "a")
	if len(r.History) != historyDays {
		t.Fatalf("%d days of history, want %d", len(r.History), historyDays)
	}
	if first, last := r.History[0].Date, r.History[historyDays-1].Date; first != dateOf(dayOf(epoch.Unix())+600) || last != dateOf(dayOf(epoch.Unix())+999) {
		t.Errorf("history from %s to %s", first, last)
	}
	g.clock.set(epoch.Add(990*dayLong + time.Hour)) // a clock set back finds the old day
	g.request("a", plain("h"))
	if r := g.row(t, "a"); len(r.History) != historyDays || r.History[390].InsecureRequests != 2 {
		t.Errorf("after the clock was set back: %d days, %+v", len(r.History), r.History[390])
	}
}

func TestConfiguredClientsExistFromTheStart(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "billing"}, {Name: "old"}}})
	if r := g.row(t, "billing"); r.State != Unseen || !r.Configured || r.Verdict != NoVerdict || !r.FirstSeen.IsZero() {
		t.Errorf("before it is seen: %+v", r)
	}
	g.request("old", plain("h"))
	g.Configure(Settings{MigratedAfter: 7 * dayLong, Clients: []Configured{{Name: "new"}}})
	if _, ok := g.Row("billing"); ok {
		t.Error("a client never seen and no longer named is still there")
	}
	if r := g.row(t, "old"); r.Configured || r.State != Insecure {
		t.Errorf("a client seen and no longer named: %+v", r)
	}
	g.row(t, "new")
	g.clock.advance(8 * dayLong)
	if r := g.row(t, "old"); r.State != Silent {
		t.Errorf("after 8 days with migrated_after 7d: %s", r.State)
	}
	if s := g.Stats(); s.Tracked != 1 || len(g.Snapshot()) != 2 {
		t.Errorf("%d discovered clients of %d, want 1 of 2", s.Tracked, len(g.Snapshot()))
	}
}

func TestEvictionSparesInsecureAndConfiguredClients(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Track: 10, Clients: []Configured{{Name: "billing"}}})
	seen := func(name string, insecure bool) {
		g.clock.advance(time.Second)
		if insecure {
			g.request(name, plain("h"))
			return
		}
		g.sight(name, spliced())
	}
	for i := range 5 {
		seen(fmt.Sprint("insecure", i), true)
		seen(fmt.Sprint("secure", i), false)
	}
	seen("secure0", false) // so that secure1 is now the longest unseen
	seen("secure2", true)  // no longer evictable
	for i := range 3 {
		seen(fmt.Sprint("new", i), true)
	}
	for _, gone := range []string{"secure1", "secure3", "secure4"} {
		if _, ok := g.Row(gone); ok {
			t.Errorf("%s was to be evicted", gone)
		}
	}
	seen("one more", false) // takes the place of secure0
	seen("too many", true)  // takes that of "one more"
	seen("no room", true)
	for _, kept := range []string{"insecure0", "insecure4", "secure2", "new0", "new1", "new2", "too many", "billing"} {
		if _, ok := g.Row(kept); !ok {
			t.Errorf("%s was evicted", kept)
		}
	}
	over := g.row(t, call.LabelOverflow)
	if s := g.Stats(); s.Overflowed != 1 || s.Tracked != 10 || over.Requests[0].Count != 1 {
		t.Errorf("stats %+v, overflow %+v", s, over)
	}
}

// Names that nobody checks are anybody's to invent: those of one address fill a
// tenth of the ledger, and the rest of its calls are the address's own.
func TestInventedNamesAreBounded(t *testing.T) {
	t.Parallel()
	options := Options{File: filepath.Join(t.TempDir(), "ledger.json")}
	g := newRigIn(options, Settings{Track: 100})
	from := func(source call.Source, name, address string) {
		o := plain("h")
		o.Kind, o.End, o.Client = call.Request, g.clock.now(), call.Identity{Name: name, Source: source, Address: address, Unnamed: address}
		g.Record(&o)
	}
	for i := range 500 {
		from(call.SourceProxyUser, fmt.Sprint("invented", i), "10.0.0.1")
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = rigAt(g.clock, options, Settings{Track: 100})
	defer g.Close()
	from(call.SourceAccount, "invented by another way", "10.0.0.1")
	from(call.SourceAccount, "acme", "10.0.0.2")
	from(call.SourceProxyUser, "invented3", "10.0.0.1") // it is known
	if s := g.Stats(); s.Tracked != 12 || s.Overflowed != 0 {
		t.Errorf("%+v, want 10 invented clients, their address, and another", s)
	}
	if r := g.row(t, "10.0.0.1"); r.State != Insecure || r.Requests[0].Count != 491 {
		t.Errorf("the address itself: %+v", r)
	}
	if r := g.row(t, "invented3"); r.Requests[0].Count != 2 {
		t.Errorf("a name that is known: %+v", r)
	}
	g.row(t, "acme")
}

// A lowered limit takes effect at the reload, and an insecure client stays all the same.
// A label that is there stays with its client.
func TestALoweredLimitEvicts(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Track: 100})
	for i := range 50 {
		g.clock.advance(time.Second)
		g.sight(fmt.Sprint("secure", i), spliced())
	}
	g.Configure(Settings{Track: 10})
	if s := g.Stats(); s.Tracked != 10 || s.Limit != 10 {
		t.Errorf("after the reload: %+v", s)
	}
	g.row(t, "secure40")
	g.sight("new", spliced())
	if s := g.Stats(); s.Tracked != 10 || s.Overflowed != 0 {
		t.Errorf("after a new client: %+v", s)
	}
	g.row(t, "secure49")
	g.row(t, "new")

	g = newRig(Settings{Track: 100, LabelLimit: 3})
	for i := range 3 {
		g.request(fmt.Sprint("insecure", i), plain("h"))
	}
	g.Configure(Settings{Track: 2, LabelLimit: 1})
	if s := g.Stats(); s.Tracked != 3 || g.scrape(t).sum("tlslift_clients", `kind="labelled"`) != 3 {
		t.Errorf("insecure clients after the reload: %+v", s)
	}
}

func TestClientsForgottenForLongMakeRoom(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Track: 2})
	g.request("a", plain("h"))
	g.request("b", plain("h"))
	g.clock.advance(27 * dayLong)
	g.request("b", plain("h"))
	g.request("c", plain("h"))
	if _, ok := g.Row("a"); !ok {
		t.Error("a was dropped after 27 days")
	}
	g.clock.advance(dayLong)
	g.request("c", plain("h"))
	if _, ok := g.Row("a"); ok {
		t.Error("a is still there after 28 days, though its place is needed")
	}
	g.row(t, "b")
	g.row(t, "c")
}

// Who makes no call gives way to everybody else, live or silent.
func TestClientsWithoutACallMakeRoomFirst(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Track: 3})
	g.request("old insecure", plain("h"))
	g.sight("old secure", spliced())
	g.clock.advance(100 * dayLong)
	for i := range 50 {
		g.clock.advance(time.Second)
		g.sight(fmt.Sprint("scanner", i), declined(call.Version13, call.HandshakeNoCall))
	}
	g.row(t, "old insecure")
	g.row(t, "old secure")
	g.row(t, "scanner49")
	g.request("new", plain("h"))
	if _, ok := g.Row("scanner49"); ok {
		t.Error("a scanner kept its place")
	}
	if s := g.Summary(); s.Clients != 3 || s.States["no-calls"] != 0 || s.Insecure != 1 || s.Active != 1 {
		t.Errorf("%+v", s)
	}
	g.row(t, "old insecure")
	g.row(t, "new")
}

func TestHostileTextIsBounded(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	long := strings.Repeat("x", 1<<16)
	for i := range 100 {
		o := plain(fmt.Sprint(long, i))
		o.UserAgent = long
		g.request(long, o)
		v := ended(call.Version10)
		v.Hello.Library, v.Hello.JA4 = long, strings.Repeat("ü", 1000)
		g.sight(long, v)
	}
	for _, name := range []string{"", call.LabelOverflow, "\xff\xfe", strings.Repeat("\xff", 500)} {
		g.request(name, plain("h"))
	}
	rows := g.Snapshot()
	if len(rows) != 2 || rows[0].Client != call.LabelOverflow {
		t.Fatalf("%d rows", len(rows))
	}
	if data, _ := json.Marshal(rows[1]); len(data) > 4<<10 {
		t.Errorf("a hostile row has %d bytes", len(data))
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "unseen"}}})
	g.clock.advance(time.Hour)
	g.request("silent", plain("h"))
	g.clock.advance(20 * dayLong)
	g.request("insecure", plain("h"))
	g.sight("migrated", spliced())
	g.request("lifted", terminated(call.Version12)) // by terminate_clients
	s := g.Summary()
	if s.Clients != 5 || s.Active != 3 || s.Insecure != 1 || s.NeedsTlslift != 2 {
		t.Errorf("summary %+v", s)
	}
	for state, want := range map[string]int{"insecure": 1, "migrated": 2, "silent": 1, "unseen": 1, "mixed": 0} {
		if got, ok := s.States[state]; !ok || got != want {
			t.Errorf("%s: %d clients, want %d", state, got, want)
		}
	}
	if len(s.History) != 2 || s.History[1].ActiveClients != 3 || s.History[1].InsecureClients != 1 || s.History[1].SecureConns != 1 {
		t.Errorf("history %+v", s.History)
	}
	if s.ActiveWeekAgo == nil || *s.ActiveWeekAgo != 1 || *s.InsecureWeekAgo != 1 { // 13 days ago, only the silent one had been seen
		t.Errorf("a week ago: %d of %d", *s.InsecureWeekAgo, *s.ActiveWeekAgo)
	}
	again := NewSummary(g.clock.now(), 14*dayLong)
	for _, r := range g.Snapshot() {
		again.Add(&r)
	}
	if again.NeedsTlslift != s.NeedsTlslift || again.Active != s.Active || fmt.Sprint(again.States) != fmt.Sprint(s.States) {
		t.Errorf("from rows: %+v", again)
	}
}

// What a host counts is either a request or a connection in which none can be
// seen: a request inside a terminated connection is not both.
func TestHostsCountEachRequestOnce(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	const client, host = "java6-crm", "rest.smsportal.com"
	for range 3 {
		for _, o := range []call.Outcome{terminated(call.Version10), plain(host)} {
			o.Host = host
			o.Observation = &call.Observation{Ours: true, Ingress: call.Connect, Version: o.Version, Handling: o.Handling, Host: host}
			g.request(client, o)
		}
		for _, s := range []call.Observation{spliced(), refused(call.Version10, call.HandshakeVersion)} {
			s.Host = host
			g.sight(client, s)
		}
	}
	if got := g.row(t, client).Hosts; len(got) != 1 || got[0].Count != 12 {
		t.Errorf("hosts %+v, want 6 requests, 3 spliced and 3 refused connections", got)
	}
}

// A client falls back to clear while its newest call by the API's own http URL
// is younger than N days and than its owner's declaration.
func TestWhoFallsBackToClear(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{MigratedAfter: 5 * dayLong, Clients: []Configured{{Name: "declared", Migrated: epoch.Add(dayLong)}}})
	own := plain("h")
	own.FallsBack = true
	for _, client := range []string{"own URL", "declared", "both"} {
		g.request(client, own)
	}
	g.request("base URL", plain("h"))
	g.request("both", plain("h"))
	g.request("old TLS", terminated(call.Version10))
	shown := func() string {
		var names []string
		for _, r := range g.Snapshot() {
			if r.FallsBack != strings.Contains(r.Fix, "gets lost, it calls in clear") {
				t.Errorf("%s: %t, but the advice is %q", r.Client, r.FallsBack, r.Fix)
			}
			if r.FallsBack {
				names = append(names, r.Client)
			}
		}
		if n := g.Summary().FallsBack; n != len(names) {
			t.Errorf("the summary has %d, the rows are %v", n, names)
		}
		return strings.Join(names, ", ")
	}
	if got, want := shown(), "both, declared, own URL"; got != want {
		t.Errorf("at first: %s, want %s", got, want)
	}
	g.clock.advance(dayLong)
	if got, want := shown(), "both, own URL"; got != want {
		t.Errorf("once it is declared: %s, want %s", got, want)
	}
	g.clock.advance(3 * dayLong)
	g.request("declared", own)
	if got, want := shown(), "both, declared, own URL"; got != want {
		t.Errorf("after a relapse: %s, want %s", got, want)
	}
	g.clock.advance(dayLong)
	if got, want := shown(), "declared"; got != want {
		t.Errorf("after N days: %s, want %s", got, want)
	}
}
