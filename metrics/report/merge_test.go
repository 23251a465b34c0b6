package report

import (
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestMergeAddsUp(t *testing.T) {
	t.Parallel()
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * dayLong) }
	of := func(source string, r ledger.Row) *Report {
		r.Client = "erp"
		report := newReport(source, now, 14*dayLong, []ledger.Row{r})
		report.Summary.Overflowed, report.Summary.Tracked, report.Summary.Limit = 1, 2, 3
		return report
	}
	evidence := func(v ledger.Verdict, at time.Time) (e ledger.Evidence) {
		e[v] = at.Unix()
		return e
	}
	a := of("a", ledger.Row{
		FirstSeen: ago(30), LastSeen: ago(1), LastInsecure: ago(1), Evidence: evidence(ledger.LegacyOnly, ago(1)),
		Library: "Java 7", Source: "name", RequestsPerDay: 10, HighestOffered: "1.0", UserAgent: "Java", FallsBack: true,
		Requests: []ledger.RequestCount{{Ingress: "forward", TLSVersion: "none", Count: 70}}, Hellos: map[string]uint64{"1.0": 4},
		Exposed: []ledger.ExposedCount{{Kind: "query", Count: 3, Last: ago(2)}}, Hosts: []ledger.HostCount{{Host: "h", Count: 1, Last: ago(9)}},
		Behind: ledger.Behind{Addresses: []ledger.Shown{{Name: "10.0.0.1", Count: 2, Last: ago(3)}}},
	})
	b := of("b", ledger.Row{ // since today
		FirstSeen: now, LastSeen: now, LastSecure: now, Evidence: evidence(ledger.Capable, now), Configured: true, Declared: ago(20),
		Library: "Java 8", Source: "address", RequestsPerDay: 14, HighestOffered: "1.3", UserAgent: "curl",
		Requests: []ledger.RequestCount{{Ingress: "connect", TLSVersion: "1.2", Count: 9}, {Ingress: "forward", TLSVersion: "none", Count: 5}},
		Hellos:   map[string]uint64{"1.0": 1, "1.3": 1}, Exposed: []ledger.ExposedCount{{Kind: "query", Count: 1, Last: ago(1)}},
		Hosts: []ledger.HostCount{{Host: "h", Count: 1, Last: ago(10)}}, SeveralPrograms: true,
		Behind: ledger.Behind{Addresses: []ledger.Shown{{Name: "10.0.0.1", Count: 1, Last: ago(1)}, {Name: "10.0.0.2", Count: 1, Last: ago(1)}}},
	})
	want := ledger.Row{
		Client: "erp", Source: "name", Configured: true, State: ledger.Mixed, Verdict: ledger.LegacyOnly, Regressed: true, FallsBack: true,
		Library: "Java 7", HighestOffered: "1.3", HighestOldOffered: "1.0", UserAgent: "curl", RequestsPerDay: 12,
		FirstSeen: ago(30), LastSeen: now, LastInsecure: ago(1), LastSecure: now, Declared: ago(20),
		Requests: []ledger.RequestCount{{Ingress: "forward", TLSVersion: "none", Count: 75}, {Ingress: "connect", TLSVersion: "1.2", Count: 9}},
		Hellos:   map[string]uint64{"1.0": 5, "1.3": 1}, Exposed: []ledger.ExposedCount{{Kind: "query", Count: 4, Last: ago(1)}},
		Hosts: []ledger.HostCount{{Host: "h", Count: 2, Last: ago(9)}}, SeveralPrograms: true,
		Behind: ledger.Behind{Addresses: []ledger.Shown{{Name: "10.0.0.1", Count: 3, Last: ago(1)}, {Name: "10.0.0.2", Count: 1, Last: ago(1)}}},
	}
	want.Evidence = evidence(ledger.LegacyOnly, ago(1))
	want.Evidence.Merge(evidence(ledger.Capable, now))
	want.Advise(now, 14*dayLong)
	got, err := merge([]*Report{a, b}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Clients) != 1 || !reflect.DeepEqual(got.Clients[0], want) {
		t.Errorf("got\n%+v, want\n%+v", got.Clients, want)
	}
	if s := got.Summary; got.Source != "a, b" || s.Overflowed != 2 || s.Tracked != 4 || s.Limit != 6 || s.Clients != 1 || s.Regressed != 1 {
		t.Errorf("%s: %+v", got.Source, s)
	}
	b.Summary.MigratedAfterSeconds = 60
	if _, err := merge([]*Report{a, b}, 0); err == nil || !strings.Contains(err.Error(), "is 14 days in a and 1 minute in b: give --migrated-after") {
		t.Errorf("instances that differ: %v", err)
	}
	if r, err := merge([]*Report{a, b}, 40*dayLong); err != nil || r.Summary.MigratedAfterSeconds != 40*86400 {
		t.Errorf("--migrated-after: %v", err)
	}
}

// A declaration that one instance does not know yet silences what falls back.
func TestADeclaredClientDoesNotFallBack(t *testing.T) {
	t.Parallel()
	calls := ledger.Row{Client: "erp", FirstSeen: now.Add(-2 * dayLong), LastSeen: now.Add(-2 * dayLong), LastInsecure: now.Add(-2 * dayLong), FallsBack: true}
	declared := ledger.Row{Client: "erp", Configured: true, Declared: now.Add(-dayLong)}
	r, err := merge([]*Report{newReport("a", now, 14*dayLong, []ledger.Row{calls}), newReport("b", now, 14*dayLong, []ledger.Row{declared})}, 0)
	if err != nil || len(r.Clients) != 1 || r.Clients[0].FallsBack || r.Clients[0].State != ledger.Migrated {
		t.Errorf("%v: %+v", err, r)
	}
}

// A client that one of several instances refuses, and whose last call at any came
// before that, cannot call. One that calls at another can.
func TestMergedReportsKnowWhoCannotCall(t *testing.T) {
	t.Parallel()
	var e ledger.Evidence
	e[ledger.LegacyOnly] = now.Unix()
	refused := func(name string) ledger.Row {
		return ledger.Row{
			Client: name, State: ledger.NoCalls, Verdict: ledger.LegacyOnly, Failing: true, Evidence: e,
			FirstSeen: now, LastSeen: now, LastFailed: now.Add(-time.Hour), Failures: map[string]uint64{"version": 1},
		}
	}
	calls := ledger.Row{Client: "calls", State: ledger.Insecure, Evidence: e, FirstSeen: now, LastSeen: now, LastInsecure: now}
	called := calls
	called.Client, called.LastInsecure = "called", now.Add(-2*time.Hour)
	scanner := refused("scanner")
	scanner.Failing, scanner.LastFailed, scanner.Failures = false, time.Time{}, map[string]uint64{"no_call": 1}
	r, err := merge([]*Report{
		newReport("a", now, 14*dayLong, []ledger.Row{refused("down"), refused("calls"), refused("called"), scanner}),
		newReport("b", now, 14*dayLong, []ledger.Row{calls, called}),
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Clients {
		if c.Failing != (c.Client == "down" || c.Client == "called") {
			t.Errorf("%s is %s, failing %t", c.Client, c.State, c.Failing)
		}
	}
	if r.Summary.Failing != 2 {
		t.Errorf("%d are counted", r.Summary.Failing)
	}
}

// Instances have one target; while it is being changed, the first counts.
func TestMergedReportsKeepTheTarget(t *testing.T) {
	t.Parallel()
	row := ledger.Row{Client: "erp", FirstSeen: now.Add(-40 * dayLong), LastSeen: now, LastInsecure: now}
	reports := make([]*Report, 3)
	for i, target := range []time.Time{{}, now.Add(30 * dayLong), now.Add(10 * dayLong)} {
		reports[i] = newReport(string(rune('a'+i)), now, 14*dayLong, []ledger.Row{row})
		reports[i].Summary.Predict(math.NaN(), target)
	}
	r, err := merge(reports, 0)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Summary.Forecast; f.DaysLeft != 10 || f.PerWeek != nil || !strings.HasPrefix(r.Summary.Outlook(), "10 days to "+f.TargetDate()+". ") {
		t.Errorf("forecast %+v: %s", f, r.Summary.Outlook())
	}
}

// A client whose calls several instances refuse is what it would be to one that
// had all of its calls: its refused calls are counted, and it is all-refused only
// if no instance let one through.
func TestMergedReportsKnowWhoIsRefused(t *testing.T) {
	t.Parallel()
	type one struct {
		instance, days int // at which instance, and how many days ago
		refused        bool
	}
	for name, c := range map[string]struct {
		calls []one
		want  bool
	}{
		"refused at both":                       {[]one{{0, 3, true}, {0, 2, true}, {1, 1, true}}, true},
		"refused at one, never at the other":    {[]one{{0, 2, true}}, true},
		"refused at one, calls at the other":    {[]one{{0, 1, true}, {1, 2, false}}, false},
		"refused at one, then calls at another": {[]one{{0, 2, true}, {1, 1, false}}, false},
		"refused at one, both at the other":     {[]one{{0, 2, true}, {1, 3, false}, {1, 1, true}}, false},
		"called long before":                    {[]one{{1, 20, false}, {0, 1, true}}, true},
		"called long before, and refused then":  {[]one{{1, 20, false}, {1, 19, true}, {0, 1, true}}, true},
		"never refused":                         {[]one{{0, 2, false}, {1, 1, false}}, false},
	} {
		newLedger := func() *ledger.Ledger {
			l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
			l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "erp"}}, Upstreams: []string{"h"}})
			return l
		}
		ledgers, all := []*ledger.Ledger{newLedger(), newLedger()}, newLedger()
		for _, a := range c.calls {
			o := call.Outcome{
				Client: call.Identity{Name: "erp", Source: call.SourceName, Configured: true}, Method: "GET",
				Host: "h", Label: "h", Ours: true, Ingress: call.Forward, End: now.Add(-time.Duration(a.days) * dayLong),
			}
			if a.refused {
				o.Reason = problem.ACL
			}
			ledgers[a.instance].Record(&o)
			all.Record(&o)
		}
		reports := make([]*Report, len(ledgers))
		for i, l := range ledgers {
			reports[i] = newReport(string(rune('a'+i)), now, 14*dayLong, l.Snapshot())
		}
		r, err := merge(reports, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, want := r.Clients[0], all.Snapshot()[0]
		if want.AllRefused != c.want {
			t.Errorf("%s: one instance says %t, want %t", name, want.AllRefused, c.want)
		}
		if got.AllRefused != c.want || !maps.Equal(got.Refused, want.Refused) || !got.LastRefused.Equal(want.LastRefused) || got.Fix != want.Fix {
			t.Errorf("%s: all refused %t, %v, last at %s: %s\nwant %t, %v, %s: %s", name,
				got.AllRefused, got.Refused, got.LastRefused, got.Fix, c.want, want.Refused, want.LastRefused, want.Fix)
		}
	}
}

// The newest instance may have seen a spliced call, which has no User-Agent.
func TestAReportKeepsTheUserAgentOfAnotherInstance(t *testing.T) {
	t.Parallel()
	a := ledger.Row{Client: "erp", FirstSeen: now, LastSeen: now.Add(-time.Hour), UserAgent: "Java", JA4: "t10d"}
	b := ledger.Row{Client: "erp", FirstSeen: now, LastSeen: now, JA4: "t13d"}
	for _, rows := range [][2]ledger.Row{{a, b}, {b, a}} {
		r, err := merge([]*Report{newReport("a", now, 14*dayLong, rows[:1]), newReport("b", now, 14*dayLong, rows[1:])}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.Clients[0]; c.UserAgent != "Java" || c.JA4 != "t13d" || !c.LastSeen.Equal(now) {
			t.Errorf("%q, %q, %v", c.UserAgent, c.JA4, c.LastSeen)
		}
	}
}

// An instance names the library of the hello that its own verdict is about. For a
// report with another verdict that may be the wrong hello: then none is named.
func TestAReportNamesNoLibraryOfAnotherHello(t *testing.T) {
	t.Parallel()
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * dayLong) }
	a := ledger.Row{Client: "erp", FirstSeen: ago(20), LastSeen: ago(13), LastInsecure: ago(15), LastSecure: ago(13), Library: "Java 6 or older", Program: "Java"}
	a.Evidence[ledger.LegacyOnly], a.Evidence[ledger.Capable] = ago(15).Unix(), ago(13).Unix()
	b := ledger.Row{Client: "erp", FirstSeen: now, LastSeen: now, LastInsecure: now}
	b.Evidence[ledger.Plaintext] = now.Unix()
	r, err := merge([]*Report{newReport("a", now, 14*dayLong, []ledger.Row{a}), newReport("b", now, 14*dayLong, []ledger.Row{b})}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Clients[0]; c.Verdict != ledger.Capable || c.Library != "" || c.Program != "Java" {
		t.Errorf("%s, %q, %q", c.Verdict, c.Library, c.Program)
	}
}

// A program is not about one hello: the report names it though the instance that
// saw the client last does not know it.
func TestAReportKeepsTheProgramOfAnotherInstance(t *testing.T) {
	t.Parallel()
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * dayLong) }
	seen := func(days int, v ledger.Verdict, library, program string) ledger.Row {
		r := ledger.Row{Client: "hr", FirstSeen: ago(30), LastSeen: ago(days), LastInsecure: ago(days), Library: library, Program: program, Source: "name"}
		if v == ledger.Capable {
			r.LastInsecure, r.LastSecure = time.Time{}, ago(days)
		}
		r.Evidence[v] = ago(days).Unix()
		return r
	}
	for name, c := range map[string]struct {
		rows             []ledger.Row
		library, program string
	}{
		"http at one, https end to end at the other": {
			[]ledger.Row{seen(3, ledger.Plaintext, "", "Python urllib"), seen(1, ledger.Capable, "", "")}, "", "Python urllib",
		},
		"the newest of those that know one": {
			[]ledger.Row{seen(5, ledger.Plaintext, "", "Java"), seen(1, ledger.Capable, "", ""), seen(4, ledger.Plaintext, "", "PHP"), seen(2, ledger.Plaintext, "", "")}, "", "PHP",
		},
		"that of the newest evidence goes before a newer one": {
			[]ledger.Row{seen(2, ledger.LegacyOnly, "", "Java"), seen(1, ledger.Plaintext, "", "PHP")}, "", "Java",
		},
		"the library of the same hello": {
			[]ledger.Row{seen(2, ledger.LegacyOnly, "OpenSSL 0.9.8 or older", "curl"), seen(1, ledger.LegacyOnly, "", "")}, "OpenSSL 0.9.8 or older", "curl",
		},
		"not that of another hello": {
			[]ledger.Row{seen(2, ledger.LegacyOnly, "", "curl"), seen(1, ledger.Capable, "OpenSSL 1.1.0 or later", "")}, "", "curl",
		},
	} {
		var reports []*Report
		for i, r := range c.rows {
			reports = append(reports, newReport(string(rune('a'+i)), now, 14*dayLong, []ledger.Row{r}))
		}
		r, err := merge(reports, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Clients[0]; got.Library != c.library || got.Program != c.program || got.Source != "name" {
			t.Errorf("%s: %s, %q, %q, %q; want %q, %q", name, got.Verdict, got.Library, got.Program, got.Source, c.library, c.program)
		}
	}
}

// TestSilenceOverInstances: that a client was once seen to reject a certificate, at
// whichever instance, ends the doubt whether it does.
func TestSilenceOverInstances(t *testing.T) {
	t.Parallel()
	of := func(source string, failures map[string]uint64) *Report {
		r := ledger.Row{Client: "erp", FirstSeen: now.Add(-dayLong), LastSeen: now, LastFailed: now, Failures: failures}
		r.Evidence[ledger.DistrustsUpstream] = now.Unix()
		return newReport(source, now, 14*dayLong, []ledger.Row{r})
	}
	silent := map[string]uint64{"no_call": 2}
	for reason, want := range map[string]bool{"no_call": true, "eof": false, "client_rejected_upstream": false} {
		got, err := merge([]*Report{of("a", silent), of("b", map[string]uint64{reason: 1})}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if c := got.Clients[0]; c.Verdict != ledger.DistrustsUpstream || c.Suspected != want || strings.Contains(c.Fix, "may not trust") != want {
			t.Errorf("%s: %s, %t: %s", reason, c.Verdict, c.Suspected, c.Fix)
		}
	}
}
