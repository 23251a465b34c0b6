package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

func TestARowTellsWhatWasSeen(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch.Add(10 * time.Hour))
	l := New(Options{Clock: clock.now})
	c := Client{Name: "10.0.0.7", Source: "address"}
	l.Connection(c, ConnectionObs{Ours: true, Ingress: call.Gateway, Handling: call.Plain})
	for range 3 {
		o := plain("www.mymobileapi.com")
		o.UserAgent, o.Exposed = "PHP-SOAP/5.3.3", 1<<redact.KindQuery|1<<redact.KindBasic
		l.Request(c, o)
	}
	clock.advance(dayLong)
	l.Hello(c, HelloObs{Ours: true, Offered: call.Version10, Library: "OpenSSL 0.9.8", JA4: "t10d"})
	l.Request(c, terminated(call.Version10))

	got := mustRow(t, l, "10.0.0.7")
	if !got.FirstSeen.Equal(epoch.Add(10*time.Hour)) || !got.LastInsecure.Equal(epoch.Add(34*time.Hour)) || !got.LastSecure.IsZero() {
		t.Errorf("times: first %v, insecure %v, secure %v", got.FirstSeen, got.LastInsecure, got.LastSecure)
	}
	if got.RequestsPerDay != 2 {
		t.Errorf("%g requests a day, want 2", got.RequestsPerDay)
	}
	if want := "[{forward none 3} {connect 1.0 1}]"; fmt.Sprint(got.Requests) != want {
		t.Errorf("requests %v, want %s", got.Requests, want)
	}
	if len(got.History) != 2 || got.History[0].Date != "2026-03-01" || got.History[0].InsecureRequests != 3 || got.History[0].InsecureConnections != 1 {
		t.Errorf("history %+v", got.History)
	}
	if got.Library != "OpenSSL 0.9.8" || got.HighestOffered != "1.0" || got.Verdict != LegacyOnly {
		t.Errorf("library %q, offered %q, verdict %q", got.Library, got.HighestOffered, got.Verdict)
	}
	if len(got.Exposed) != 2 || got.Exposed[0].Kind != "query" || got.Exposed[0].Count != 3 {
		t.Errorf("secrets in clear: %+v", got.Exposed)
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

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now})
	for range 1000 {
		l.Request(addr("a"), plain("h"))
		clock.advance(dayLong)
	}
	r := mustRow(t, l, "a")
	if len(r.History) != historyDays {
		t.Fatalf("%d days of history, want %d", len(r.History), historyDays)
	}
	if first, last := r.History[0].Date, r.History[historyDays-1].Date; first != dateOf(dayOf(epoch.Unix())+600) || last != dateOf(dayOf(epoch.Unix())+999) {
		t.Errorf("history from %s to %s", first, last)
	}
	clock.set(epoch.Add(990*dayLong + time.Hour)) // a clock set back finds the old day
	l.Request(addr("a"), plain("h"))
	if r := mustRow(t, l, "a"); len(r.History) != historyDays || r.History[390].InsecureRequests != 2 {
		t.Errorf("after the clock was set back: %d days, %+v", len(r.History), r.History[390])
	}
}

func TestConfiguredClientsExistFromTheStart(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now, Clients: []Configured{{Name: "billing"}, {Name: "old"}}})
	if r := mustRow(t, l, "billing"); r.State != Unseen || !r.Configured || r.Verdict != NoVerdict || !r.FirstSeen.IsZero() {
		t.Errorf("before it is seen: %+v", r)
	}
	l.Request(Client{Name: "old", Source: "name", Configured: true}, plain("h"))
	l.Configure(7*dayLong, []Configured{{Name: "new"}})
	if _, ok := l.Row("billing"); ok {
		t.Error("a client never seen and no longer named is still there")
	}
	if r := mustRow(t, l, "old"); r.Configured || r.State != Insecure {
		t.Errorf("a client seen and no longer named: %+v", r)
	}
	mustRow(t, l, "new")
	clock.advance(8 * dayLong)
	if r := mustRow(t, l, "old"); r.State != Silent {
		t.Errorf("after 8 days with migrated_after 7d: %s", r.State)
	}
	if s := l.Stats(); s.Tracked != 2 {
		t.Errorf("%d rows tracked, want 2", s.Tracked)
	}
}

func TestEvictionSparesInsecureAndConfiguredClients(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now, Track: 10, Clients: []Configured{{Name: "billing"}}})
	seen := func(name string, insecure bool) {
		clock.advance(time.Second)
		if insecure {
			l.Request(addr(name), plain("h"))
			return
		}
		l.Connection(addr(name), spliced())
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
		if _, ok := l.Row(gone); ok {
			t.Errorf("%s was to be evicted", gone)
		}
	}
	seen("one more", false) // takes the place of secure0
	seen("too many", true)  // takes that of "one more"
	seen("no room", true)
	for _, kept := range []string{"insecure0", "insecure4", "secure2", "new0", "new1", "new2", "too many", "billing"} {
		if _, ok := l.Row(kept); !ok {
			t.Errorf("%s was evicted", kept)
		}
	}
	over := mustRow(t, l, OverflowName)
	if s := l.Stats(); s.Overflowed != 1 || s.Tracked != 11 || over.Requests[0].Count != 1 {
		t.Errorf("stats %+v, overflow %+v", s, over)
	}
}

func TestClientsForgottenForLongMakeRoom(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now, Track: 2})
	l.Request(addr("a"), plain("h"))
	l.Request(addr("b"), plain("h"))
	clock.advance(300 * dayLong)
	l.Request(addr("b"), plain("h"))
	l.Request(addr("c"), plain("h"))
	if _, ok := l.Row("a"); !ok {
		t.Error("a was dropped after 300 days")
	}
	clock.advance(101 * dayLong)
	l.Request(addr("c"), plain("h"))
	if _, ok := l.Row("a"); ok {
		t.Error("a is still there after 401 days, though its place is needed")
	}
	mustRow(t, l, "c")
}

func TestHostileTextIsBounded(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	long := strings.Repeat("x", 1<<16)
	c := Client{Name: long, Source: "account"}
	for i := range 100 {
		o := plain(fmt.Sprint(long, i))
		o.UserAgent = long
		l.Request(c, o)
		l.Hello(c, HelloObs{Ours: true, Offered: call.Version10, Library: long, JA4: long})
	}
	l.Request(Client{Name: OverflowName, Source: "account"}, plain("h"))
	rows := l.Snapshot()
	if len(rows) != 2 || rows[0].Client != OverflowName {
		t.Fatalf("%d rows", len(rows))
	}
	if data, _ := json.Marshal(rows[1]); len(data) > 4<<10 {
		t.Errorf("a hostile row has %d bytes", len(data))
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now, Clients: []Configured{{Name: "unseen"}}})
	l.Request(addr("silent"), plain("h"))
	clock.advance(20 * dayLong)
	l.Request(addr("insecure"), plain("h"))
	l.Connection(addr("migrated"), spliced())
	l.Request(addr("lifted"), terminated(call.Version12)) // by terminate_clients
	s := l.Summary()
	if s.Clients != 5 || s.Active != 3 || s.Insecure != 1 || s.NeedsTlslift != 2 || s.InsecureShare() < 0.33 || s.InsecureShare() > 0.34 {
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
	if s.ActiveWeekAgo != 1 || s.InsecureWeekAgo != 1 { // 13 days ago, only the silent one had been seen
		t.Errorf("a week ago: %d of %d", s.InsecureWeekAgo, s.ActiveWeekAgo)
	}
	again := NewSummary(clock.now(), 14*dayLong)
	for _, r := range l.Snapshot() {
		again.Add(&r)
	}
	if again.NeedsTlslift != s.NeedsTlslift || again.Active != s.Active || fmt.Sprint(again.States) != fmt.Sprint(s.States) {
		t.Errorf("from rows: %+v", again)
	}
}

func TestStanding(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	l := New(Options{Clock: clock.now})
	o := plain("h")
	o.UserAgent = "Java/1.6.0_45"
	l.Request(addr("a"), o)
	st, ok := l.Standing("a")
	if !ok || st.State != Insecure || st.Verdict != Plaintext || st.Library != "Java 6 or older" || !st.LastInsecure.Equal(epoch) || st.Source != "address" {
		t.Errorf("standing %+v", st)
	}
	n := 0
	l.Standings(func(Standing) { n++ })
	if n != 1 {
		t.Errorf("%d standings", n)
	}
}

// What a host counts is either a request or a connection in which none can be
// seen: a request inside a terminated connection is not both.
func TestHostsCountEachRequestOnce(t *testing.T) {
	t.Parallel()
	l := New(Options{Clock: newTestClock(epoch).now})
	c := Client{Name: "java6-crm", Source: "listener"}
	const host = "rest.smsportal.com"
	for range 3 {
		for _, o := range []struct {
			version  call.Version
			handling call.Handling
		}{{call.Version10, call.Terminated}, {call.VersionNone, call.Plain}} {
			l.Connection(c, ConnectionObs{Ours: true, Ingress: call.Connect, Version: o.version, Handling: o.handling, Host: host})
			l.Request(c, RequestObs{Ours: true, Ingress: call.Connect, Version: o.version, Handling: o.handling, Host: host})
		}
		l.Connection(c, ConnectionObs{Ours: true, Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Host: host})
		l.Connection(c, ConnectionObs{Ours: true, Ingress: call.Connect, Version: call.Version10, Handling: call.Refused, Host: host})
	}
	if got := mustRow(t, l, "java6-crm").Hosts; len(got) != 1 || got[0].Count != 12 {
		t.Errorf("hosts %+v, want 6 requests, 3 spliced and 3 refused connections", got)
	}
}
