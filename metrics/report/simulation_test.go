package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/metrics/ledger"
)

// The simulated migration: 200 clients over 90 days, and whatever else comes by,
// at one instance or two. Each client behaves by a plan; the truth of every day
// is worked out from the bare list of what it did. The ledgers, restarted or not,
// their metrics and the report of both must agree about every client on
// every day.

const (
	simClients = 200
	simDays    = 90
	simN       = 14 * dayLong

	simInstances = 2   // at most
	simSpare     = 100 // rows for clients that never call; those that come by fill them in a week
)

var simStart = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// simulation is the clients and the instances that they call.
type simulation struct {
	t         *testing.T
	clock     atomic.Int64 // Unix seconds; a ledger reads it as it writes its file
	r         *rand.Rand
	clients   []*simClient
	settings  ledger.Settings
	instances []*simInstance
}

type simInstance struct {
	number   int
	file     string
	restarts int // every so many days; 0 = never
	ledger   *ledger.Ledger
	closed   []ledger.DayStates // the clients at the end of each day, by the truth
}

func TestSimulatedMigration(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string][]int{
		"one instance": {0}, "two instances, restarted": {9, 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSimulation(t, restarts)
			seen := make(map[truth]int)
			for day := range simDays {
				s.restart(day)
				s.day(day)
				s.set(simStart.Add(time.Duration(day+1) * dayLong))
				for _, i := range s.instances {
					s.checkInstance(day, i, seen)
				}
				s.checkFleet(day)
			}
			s.enough(seen)
		})
	}
}

func newSimulation(t *testing.T, restarts []int) *simulation {
	s := &simulation{t: t, r: rand.New(rand.NewPCG(1, 20260301))}
	s.set(simStart)
	s.clients = simPopulation(s.r, len(restarts))
	s.settings = ledger.Settings{MigratedAfter: simN, Upstreams: []string{"*.smsportal.com"}, LabelLimit: 1000, Track: simSpare}
	for _, c := range s.clients {
		if c.named {
			s.settings.Clients = append(s.settings.Clients, ledger.Configured{Name: c.id.Name, Migrated: c.declared})
		} else {
			s.settings.Track++
		}
	}
	for n, every := range restarts {
		i := &simInstance{number: n, file: filepath.Join(t.TempDir(), "ledger.json"), restarts: every}
		s.open(i)
		s.instances = append(s.instances, i)
		t.Cleanup(func() { _ = i.ledger.Close() })
	}
	return s
}

func (s *simulation) set(t time.Time) { s.clock.Store(t.Unix()) }

func (s *simulation) now() time.Time { return time.Unix(s.clock.Load(), 0).UTC() }

func (s *simulation) open(i *simInstance) {
	i.ledger = ledger.New(ledger.Options{File: i.file, Clock: s.now})
	i.ledger.Configure(s.settings)
}

func (s *simulation) restart(day int) {
	for _, i := range s.instances {
		if i.restarts > 0 && day > 0 && day%i.restarts == 0 {
			if err := i.ledger.Close(); err != nil {
				s.t.Fatal(err)
			}
			s.open(i)
		}
	}
}

// day has every client do its day, in the order of the times it does it at.
func (s *simulation) day(day int) {
	type doing struct {
		client *simClient
		act
	}
	var today []doing
	do := func(c *simClient, a act) {
		today = append(today, doing{c, a})
		if a.kind == actLegacy && c.partner != nil { // whose call follows on the same connection
			today = append(today, doing{c.partner, act{a.at.Add(time.Second), actInside, a.instance, a.runtime}})
		}
	}
	all := append(s.clients[:len(s.clients):len(s.clients)], passersBy(day, len(s.instances), s.r)...)
	for _, c := range all {
		for n, kind := range c.plan(day, s.r) {
			at := simStart.Add(time.Duration(day)*dayLong + time.Duration(1+s.r.IntN(86_000))*time.Second)
			a := act{at: at, kind: kind, instance: c.at, runtime: c.runtimes[n%len(c.runtimes)]}
			if c.at < 0 {
				a.instance = s.r.IntN(len(s.instances))
			}
			do(c, a)
		}
	}
	slices.SortStableFunc(today, func(a, b doing) int { return a.at.Compare(b.at) })
	for _, d := range today {
		s.set(d.at)
		d.client.acts = append(d.client.acts, d.act)
		perform(s.instances[d.instance].ledger, d.client, d.act)
	}
	for _, c := range all[len(s.clients):] {
		if c.calls() {
			s.clients = append(s.clients, c)
		}
	}
}

// checkInstance holds one ledger and its metrics to the truth.
func (s *simulation) checkInstance(day int, i *simInstance, seen map[truth]int) {
	t := s.t
	t.Helper()
	labels, labelled := s.scrape(i), make(map[string]simLabels)
	here := func(a act) bool { return a.instance == i.number }
	i.closed = append(i.closed, ledger.DayStates{})
	for _, c := range s.clients {
		row, there := i.ledger.Row(c.id.Name)
		if !there || !row.FirstSeen.IsZero() {
			c.forget(t, i.number, row.FirstSeen)
		}
		want, byCalls := c.truth(s.now(), here)
		countState(&i.closed[day], byCalls)
		if !there && !c.named && !want.called {
			continue
		}
		if got := told(&row); got != want {
			t.Fatalf("day %d, instance %d, %s:\n%+v, the truth is\n%+v", day, i.number, c.id.Name, got, want)
		}
		seen[want]++
		if c.named || want.seen && c.actedOn(day, i.number) {
			labelled[c.id.Name] = want.labels(c)
		}
	}
	for name, want := range labelled {
		if got := labels[name]; got != want {
			t.Fatalf("day %d, instance %d, %s: the metrics say %+v, want %+v", day, i.number, name, got, want)
		}
		delete(labels, name)
	}
	for name := range labels {
		if !passing(name) {
			t.Fatalf("day %d, instance %d: %s has a label", day, i.number, name)
		}
	}
	if n := i.ledger.Stats(); n.Tracked > n.Limit || n.Overflowed != 0 {
		t.Fatalf("day %d, instance %d: %+v", day, i.number, n)
	}
	s.checkPast(day, i)
}

// checkFleet holds the report of all instances' files to the truth.
func (s *simulation) checkFleet(day int) {
	t := s.t
	t.Helper()
	r := s.report(day)
	rows := make(map[string]*ledger.Row)
	for n := range r.Clients {
		rows[r.Clients[n].Client] = &r.Clients[n]
	}
	for _, c := range s.clients {
		want, _ := c.truth(s.now(), func(act) bool { return true })
		row := rows[c.id.Name]
		if row == nil && !c.named && !want.called {
			continue
		}
		if row == nil {
			row = new(ledger.Row)
		}
		if got := told(row); got != want {
			t.Fatalf("day %d, the report, %s:\n%+v, the truth is\n%+v", day, c.id.Name, got, want)
		}
	}
}

// report is that of all instances: of their files once a week, which takes
// longer, else of what they have.
func (s *simulation) report(day int) (r *Report) {
	s.t.Helper()
	var err error
	o := InstancesOptions{Now: s.now()}
	var reports []*Report
	for _, i := range s.instances {
		if day%7 != 0 {
			reports = append(reports, newReport(i.file, s.now(), simN, i.ledger.Snapshot()))
			continue
		}
		if err := i.ledger.Release(); err != nil {
			s.t.Fatal(err)
		}
		i.ledger.Reclaim()
		o.State = append(o.State, i.file)
	}
	if len(reports) == 1 {
		return reports[0]
	}
	if len(reports) == 0 {
		r, err = FromInstances(s.t.Context(), o)
	} else {
		r, err = merge(reports, 0)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func countState(d *ledger.DayStates, s ledger.State) {
	switch s {
	case ledger.Insecure:
		d.Insecure++
	case ledger.Mixed:
		d.Mixed++
	case ledger.Silent:
		d.Silent++
	case ledger.Migrated:
		d.Migrated++
	case ledger.Unseen, ledger.NoCalls:
	}
}

// checkPast: the burn-down says how the clients stood at the end of each day, as
// the truth was then, and the forecast is made from it.
func (s *simulation) checkPast(day int, i *simInstance) {
	s.t.Helper()
	summary := i.ledger.Summary()
	past := slices.Clone(summary.BurnDown[:len(summary.BurnDown)-1])
	for n := range past {
		past[n].Date = ""
	}
	if want := i.closed[max(0, len(i.closed)-len(past)):]; !slices.Equal(past, want) {
		s.t.Fatalf("day %d, instance %d: at the end of each day:\n%v, the truth is\n%v", day, i.number, past, want)
	}
	got := summary.Forecast.PerWeek
	if len(i.closed) < 14 {
		if got != nil {
			s.t.Fatalf("day %d: there is a pace", day)
		}
		return
	}
	past = past[max(0, len(past)-28):]
	var sx, sy, sxx, sxy float64
	for n, d := range past {
		x, y := float64(n), float64(d.Insecure+d.Mixed)
		sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	k := float64(len(past))
	want := 7 * (k*sxy - sx*sy) / (k*sxx - sx*sx)
	if got == nil || math.Abs(*got-want) > 1e-3 {
		s.t.Fatalf("day %d, instance %d: the pace is %v, the truth %v of %v", day, i.number, cmp.Or(got, new(float64)), want, past)
	}
}

// simLabels are the labels of one client's series.
type simLabels struct{ verdict, library, program, source string }

// scrape are the clients with series, by name.
func (s *simulation) scrape(i *simInstance) map[string]simLabels {
	s.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(i.ledger); err != nil {
		s.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[string]simLabels)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			value := make(map[string]string)
			for _, l := range m.GetLabel() {
				value[l.GetName()] = l.GetValue()
			}
			client := value["client"]
			l := all[client]
			switch family.GetName() {
			case "tlslift_client_verdict":
				l.verdict = value["verdict"]
			case "tlslift_client_library_info":
				l.library, l.program, l.source = value["library"], value["program"], value["identity_source"]
			case "tlslift_client_first_seen_timestamp_seconds":
			default:
				continue
			}
			all[client] = l
		}
	}
	return all
}

// enough: the simulation shows every state, every verdict that it can, and both
// of each mark.
func (s *simulation) enough(seen map[truth]int) {
	states, verdicts, marks := make(map[ledger.State]bool), make(map[ledger.Verdict]bool), make(map[string]bool)
	for w := range seen {
		states[w.state], verdicts[w.verdict] = true, true
		marks[fmt.Sprint("regressed ", w.regressed)] = true
		marks[fmt.Sprint("misdeclared ", w.misdeclared)] = true
		marks[fmt.Sprint("several ", w.several)] = true
		marks[fmt.Sprint("falls back ", w.fallsBack)] = true
		marks["migrated by "+w.by] = true
		marks[fmt.Sprintf("called %t, failing %t", w.called, w.failing)] = true
	}
	for _, state := range ledger.States {
		if !states[state] {
			s.t.Errorf("no client was ever %s: the simulation shows too little", state)
		}
	}
	for _, v := range ledger.Verdicts {
		if !verdicts[v] {
			s.t.Errorf("no client ever had the verdict %s: the simulation shows too little", v)
		}
	}
	if len(marks) != 15 {
		s.t.Errorf("there were only %q", slices.Sorted(maps.Keys(marks)))
	}
}
