package report

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// Scripted fleets: what each client does at noon of which day, at which
// instance, and the verdict that it has at the end of some days. Instance c is
// gone on day 20, d has lost its ledger on day 30, a and b stay.
const (
	doesPlain = iota // as fleetTest.act has them
	doesOld
	doesModern
	doesReject // TLS 1.0, and refuses tlslift's certificate
	doesLifted // TLS 1.2, and is served inside
)

type deed struct {
	day      int
	instance string
	kind     int
}

type scripted struct {
	client string
	deeds  []deed
	want   map[int]ledger.Verdict // by day; those of the one ledger that sees everything too
	apart  map[int]ledger.Verdict // what that ledger says instead
	alone  map[int]ledger.Verdict // what the instances alone say, without Prometheus' memory
	lifted map[int]bool           // whether it needs tlslift though it is not insecure, by day; nil = not compared
	stands map[int]string         // its state and, of a migrated one, what by; nil = not compared
}

var (
	fleetCheckDays = []int{12, 26, 40, 55}
	fleetDeclared  = 15 // the day of the clients of that name
)

var scripts = []scripted{
	{
		client: "rolled-back", // was capable, and is insecure again
		deeds:  []deed{{2, "b", doesModern}, {10, "b", doesModern}, {20, "a", doesOld}, {24, "a", doesOld}},
		want:   map[int]ledger.Verdict{12: ledger.Capable, 26: ledger.LegacyOnly, 40: ledger.LegacyOnly, 55: ledger.LegacyOnly},
	}, {
		client: "rolled-back-to-clear", // what it can do counts for 14 days more
		deeds:  []deed{{2, "b", doesModern}, {20, "b", doesModern}, {24, "a", doesPlain}, {38, "a", doesPlain}},
		want:   map[int]ledger.Verdict{12: ledger.Capable, 26: ledger.Capable, 40: ledger.Plaintext, 55: ledger.Plaintext},
	}, {
		client: "moved-on", // an idle instance that runs on has old evidence
		deeds:  []deed{{2, "a", doesOld}, {5, "a", doesOld}, {8, "b", doesModern}, {23, "b", doesModern}, {38, "b", doesModern}, {53, "b", doesModern}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
	}, {
		client: "insecure-otherwise", // the old verdict's instance saw it insecure later, in another way
		deeds:  []deed{{10, "a", doesOld}, {20, "a", doesPlain}, {26, "b", doesModern}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
	}, {
		client: "second-verdict", // what an instance says second counts once the first is too old
		deeds:  []deed{{1, "a", doesOld}, {13, "a", doesModern}, {24, "b", doesPlain}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
	}, {
		client: "gone-instance",
		deeds:  []deed{{3, "c", doesOld}, {15, "c", doesOld}, {22, "a", doesPlain}, {25, "a", doesPlain}, {38, "a", doesPlain}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.LegacyOnly, 40: ledger.Plaintext, 55: ledger.Plaintext},
	}, {
		client: "trusts-now", // the obstacle goes as soon as the same thing succeeds
		deeds:  []deed{{8, "a", doesPlain}, {10, "a", doesReject}, {15, "a", doesOld}},
		want:   map[int]ledger.Verdict{12: ledger.DistrustsCA, 26: ledger.LegacyOnly, 40: ledger.LegacyOnly, 55: ledger.LegacyOnly},
	}, {
		client: "trusts-elsewhere", // only where it was rejected does that refute it
		deeds:  []deed{{8, "a", doesPlain}, {10, "a", doesReject}, {15, "b", doesOld}, {28, "b", doesOld}},
		want:   map[int]ledger.Verdict{12: ledger.DistrustsCA, 26: ledger.DistrustsCA, 40: ledger.LegacyOnly, 55: ledger.LegacyOnly},
		apart:  map[int]ledger.Verdict{26: ledger.LegacyOnly},
	}, {
		client: "lost-ledger", // who has forgotten refutes nothing
		deeds:  []deed{{25, "d", doesOld}, {32, "d", doesPlain}, {50, "d", doesPlain}},
		want:   map[int]ledger.Verdict{26: ledger.LegacyOnly, 40: ledger.LegacyOnly, 55: ledger.Plaintext},
		alone:  map[int]ledger.Verdict{40: ledger.Plaintext},
	}, {
		client: "declared",
		deeds:  []deed{{10, "a", doesOld}, {18, "b", doesPlain}, {36, "b", doesPlain}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.Plaintext, 40: ledger.Plaintext, 55: ledger.Plaintext},
		stands: map[int]string{12: "insecure", 26: "insecure", 40: "insecure", 55: "silent"},
	}, {
		client: "declared-at-once", // its owner's word, while an insecure call is recent; then what it does
		deeds:  []deed{{10, "a", doesOld}, {14, "a", doesOld}, {16, "b", doesModern}, {36, "b", doesModern}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
		stands: map[int]string{12: "insecure", 26: "migrated by declaration", 40: "migrated by proof", 55: "migrated by declaration"},
	}, {
		client: "lifted-once", // its series begin with the one request that tlslift upgraded
		deeds:  []deed{{20, "a", doesLifted}},
		want:   map[int]ledger.Verdict{26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
		lifted: map[int]bool{26: true, 40: false},
	}, {
		client: "lifted-twice", // and again at an instance that began anew
		deeds:  []deed{{20, "d", doesLifted}, {33, "d", doesLifted}},
		want:   map[int]ledger.Verdict{26: ledger.Capable, 40: ledger.Capable, 55: ledger.Capable},
		lifted: map[int]bool{26: true, 40: true, 55: false},
	}, {
		client: "broke", // had migrated, and cannot call any more
		deeds:  []deed{{2, "b", doesModern}, {16, "b", doesModern}, {20, "a", doesReject}},
		want:   map[int]ledger.Verdict{12: ledger.Capable, 26: ledger.DistrustsCA, 40: ledger.DistrustsCA, 55: ledger.DistrustsCA},
		stands: map[int]string{12: "migrated by proof", 26: "silent failing", 40: "silent", 55: "silent"},
	}, {
		client: "broke-in-clear", // was insecure, and still counts as that
		deeds:  []deed{{2, "b", doesPlain}, {16, "b", doesPlain}, {20, "a", doesReject}, {38, "b", doesPlain}},
		want:   map[int]ledger.Verdict{12: ledger.Plaintext, 26: ledger.DistrustsCA, 40: ledger.Plaintext, 55: ledger.Plaintext},
		stands: map[int]string{12: "insecure", 26: "insecure failing", 40: "insecure", 55: "silent"},
	}, {
		client: "declared-and-broke",
		deeds:  []deed{{10, "a", doesOld}, {20, "b", doesReject}},
		want:   map[int]ledger.Verdict{12: ledger.LegacyOnly, 26: ledger.DistrustsCA, 40: ledger.DistrustsCA, 55: ledger.DistrustsCA},
		stands: map[int]string{12: "insecure", 26: "silent failing", 40: "migrated by declaration", 55: "migrated by declaration"},
	}, {
		client: "broke-and-declared", // its owner's word is newer
		deeds:  []deed{{2, "a", doesOld}, {11, "b", doesReject}},
		want:   map[int]ledger.Verdict{12: ledger.DistrustsCA, 26: ledger.DistrustsCA, 40: ledger.DistrustsCA, 55: ledger.DistrustsCA},
		stands: map[int]string{12: "insecure failing", 26: "migrated by declaration", 40: "migrated by declaration", 55: "migrated by declaration"},
	},
}

// verdicts are the wanted ones of a day by client, but for those of another
// table.
func verdicts(day int, but func(scripted) map[int]ledger.Verdict) map[string]ledger.Verdict {
	all := make(map[string]ledger.Verdict)
	for _, s := range scripts {
		v, other := but(s)[day]
		if !other {
			v = s.want[day]
		}
		if v != ledger.NoVerdict {
			all[s.client] = v
		}
	}
	return all
}

func TestRulesAndReportsShareOneVerdict(t *testing.T) {
	t.Parallel()
	prometheusPath, promtool := realPrometheus(t)
	start := now.Truncate(dayLong).Add(-60 * dayLong)
	f := &fleetTest{t: t, at: start, series: make(map[string][]string), types: make(map[string]string)}
	for _, name := range []string{"declared", "declared-at-once", "declared-and-broke", "broke-and-declared"} {
		f.declared = append(f.declared, ledger.Configured{Name: name, Migrated: start.Add(time.Duration(fleetDeclared) * dayLong)})
	}
	f.all = f.newLedger()
	instances := map[string]*replica{"a": f.start("a:9129"), "b": f.start("b:9129"), "c": f.start("c:9129"), "d": f.start("d:9129")}
	file := make(map[string]*Report) // of the instance that is gone
	f.script(instances, file)

	url := f.prometheus(prometheusPath, promtool)
	runtimes := make(map[int]map[string]runtime) // by day and client
	for _, day := range fleetCheckDays {
		at := endOfDay(start, day)
		r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: url, Now: at})
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the report from Prometheus", day, r, verdicts(day, func(scripted) map[int]ledger.Verdict { return nil }))
		runtimes[day] = make(map[string]runtime)
		for i := range r.Clients {
			if c := &r.Clients[i]; c.Verdict != ledger.NoVerdict {
				runtimes[day][c.Client] = runtime{library: c.Library, program: c.Program}
			}
		}
	}
	f.rules(promtool, start, runtimes)
}

// endOfDay is the last scrape of a day.
func endOfDay(start time.Time, day int) time.Time {
	return start.Add(time.Duration(day+1)*dayLong - scrapeEvery)
}

// script plays the scripts, scrapes every instance that runs, and holds the
// reports of instances to the wanted verdicts on the way.
func (f *fleetTest) script(instances map[string]*replica, ended map[string]*Report) {
	for end := f.at.Add(58 * dayLong); f.at.Before(end); f.at = f.at.Add(scrapeEvery) {
		hours := int(f.at.Sub(now.Truncate(dayLong).Add(-60*dayLong)) / time.Hour)
		day := hours / 24
		if hours%24 == 12 {
			for _, s := range scripts {
				for _, d := range s.deeds {
					if d.day == day {
						f.act(instances[d.instance], call.Identity{Name: s.client, Source: call.SourceName}, d.kind)
					}
				}
			}
		}
		if c := instances["c"]; day == 20 && c != nil {
			ended["c"] = newReport("state file c", f.at, 14*dayLong, c.ledger.Snapshot())
			delete(instances, "c")
		}
		if hours == 30*24 {
			instances["d"] = f.start("d:9129")
		}
		var reports []*Report
		for name, r := range instances {
			f.scrape(r)
			reports = append(reports, newReport("admin "+name, f.at, 14*dayLong, r.ledger.Snapshot()))
		}
		if !slices.Contains(fleetCheckDays, day) || hours%24 != 22 {
			continue
		}
		if ended["c"] != nil {
			reports = append(reports, ended["c"])
		}
		merged, err := merge(reports, 0)
		if err != nil {
			f.t.Fatal(err)
		}
		same(f.t, "the report of the instances", day, merged, verdicts(day, func(s scripted) map[int]ledger.Verdict { return s.alone }))
		one := newReport("all", f.at, 14*dayLong, f.all.Snapshot())
		same(f.t, "one ledger", day, one, verdicts(day, func(s scripted) map[int]ledger.Verdict { return s.apart }))
	}
}

// same compares the verdicts and the states of a report's clients.
func same(t *testing.T, where string, day int, r *Report, want map[string]ledger.Verdict) {
	t.Helper()
	got := make(map[string]ledger.Row)
	for i := range r.Clients {
		got[r.Clients[i].Client] = r.Clients[i]
	}
	for _, s := range scripts {
		c := got[s.client]
		if c.Verdict != want[s.client] {
			t.Errorf("day %d, %s: %s is %q, want %q", day, where, s.client, c.Verdict, want[s.client])
		}
		if lifted, compared := s.lifted[day]; compared && c.Upgraded(r.Summary.Generated, 14*dayLong) != lifted {
			t.Errorf("day %d, %s: %s needs tlslift: %t", day, where, s.client, !lifted)
		}
		stands := c.State.String()
		if c.MigratedBy != "" {
			stands += " by " + c.MigratedBy
		}
		if c.Failing {
			stands += " failing"
		}
		if s.stands != nil && stands != s.stands[day] {
			t.Errorf("day %d, %s: %s is %s, want %s", day, where, s.client, stands, s.stands[day])
		}
	}
}

var scrapedSample = regexp.MustCompile(`^(\S+\{.*\}) (\S+) (\d+)\n$`)

// rules gives what was scraped to the recording rules, as promtool runs them:
// with time 0 as the start. They must name the runtimes that the report does.
func (f *fleetTest) rules(promtool string, start time.Time, runtimes map[int]map[string]runtime) {
	t := f.t
	t.Helper()
	rules, err := filepath.Abs("../../deploy/prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	steps := int(58*dayLong/scrapeEvery) + 1
	values := make(map[string][]string)
	for name, samples := range f.series {
		isTime := strings.HasSuffix(name, "_timestamp_seconds")
		if !isTime && name != "tlslift_client_verdict" && name != "tlslift_client_library_info" {
			continue
		}
		for _, line := range samples {
			m := scrapedSample.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("sample %q", line)
			}
			value, _ := strconv.ParseFloat(m[2], 64)
			at, _ := strconv.ParseInt(m[3], 10, 64)
			if values[m[1]] == nil {
				values[m[1]] = slices.Repeat([]string{"_"}, steps)
			}
			if isTime && value != 0 {
				value -= float64(start.Unix())
			}
			values[m[1]][(at-start.Unix())/int64(scrapeEvery/time.Second)] = strconv.FormatFloat(value, 'f', -1, 64)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\ngroup_eval_order: [tlslift-migration]\nevaluation_interval: %s\n", rules, scrapeEvery)
	fmt.Fprintf(&b, "tests:\n  - interval: %s\n    input_series:\n", scrapeEvery)
	for series, v := range values {
		fmt.Fprintf(&b, "      - {series: '%s', values: '%s'}\n", series, strings.Join(v, " "))
	}
	b.WriteString("    promql_expr_test:\n")
	for _, day := range fleetCheckDays {
		fmt.Fprintf(&b, "      - expr: tlslift:client_verdict\n        eval_time: %s\n        exp_samples:\n", endOfDay(start, day).Sub(start))
		for client, v := range verdicts(day, func(scripted) map[int]ledger.Verdict { return nil }) {
			rank := len(ledger.Verdicts) - slices.Index(ledger.Verdicts[:], v)
			fmt.Fprintf(&b, "          - {labels: 'tlslift:client_verdict{client=\"%s\",verdict=\"%s\"}', value: %d}\n", client, v, rank)
		}
		// An instance that lost its ledger says something else of the same evidence.
		fmt.Fprintf(&b, "      - expr: 0 * tlslift:client_library_timestamp_seconds:max{client!=\"lost-ledger\"}\n        eval_time: %s\n        exp_samples:\n", endOfDay(start, day).Sub(start))
		for client, r := range runtimes[day] {
			if client == "lost-ledger" {
				continue
			}
			fmt.Fprintf(&b, "          - {labels: '{client=%q,library=%q,program=%q}', value: 0}\n", client, cmp.Or(r.library, "unknown"), cmp.Or(r.program, "unknown"))
		}
		for _, s := range scripts {
			if s.stands != nil {
				state, _, _ := strings.Cut(s.stands[day], " ")
				fmt.Fprintf(&b, "      - expr: tlslift:client_state{client=\"%s\"}\n        eval_time: %s\n        exp_samples:\n", s.client, endOfDay(start, day).Sub(start))
				fmt.Fprintf(&b, "          - {labels: 'tlslift:client_state{client=\"%s\",state=\"%s\"}', value: 1}\n", s.client, state)
				fmt.Fprintf(&b, "      - expr: count(tlslift:client_failing{client=\"%s\"}) or vector(0)\n        eval_time: %s\n", s.client, endOfDay(start, day).Sub(start))
				fmt.Fprintf(&b, "        exp_samples: [{labels: '{}', value: %d}]\n", strings.Count(s.stands[day], "failing"))
			}
		}
	}
	test := filepath.Join(t.TempDir(), "verdicts.yml")
	if err := os.WriteFile(test, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", test).CombinedOutput(); err != nil {
		t.Errorf("the rules: %v\n%s", err, cmp.Or(string(out), "no output"))
	}
}
