package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// fleet collects what all instances say about each client.
type fleet struct {
	now           time.Time
	migratedAfter time.Duration
	clients       map[string]*fleetClient
}

type fleetClient struct {
	row        ledger.Row
	instances  map[model.Fingerprint]*instance
	remembered runtime           // by the recording rules
	failed     map[string]uint64 // why its handshakes failed, from the metrics
	lifted     bool              // tlslift upgraded secure calls in the last 7 days, from the metrics
}

// instance is what one instance says about one client.
type instance struct {
	lastInsecure, lastSecure time.Time
	lastFailed               time.Time
	allRefused               bool // as in ledger.Row
	evidence                 ledger.Evidence
	runtime
}

// runtime is what a client runs on, and how it was named. at is when a series
// said so, in Unix seconds.
type runtime struct {
	library, program, source string
	at                       float64
}

func newFleet(now time.Time, migratedAfter time.Duration) *fleet {
	return &fleet{now: now, migratedAfter: migratedAfter, clients: make(map[string]*fleetClient)}
}

// client returns the entry of a client. If there is none, it returns an unattached
// one, so every question but the first ignores clients that are not there.
func (f *fleet) client(name string) *fleetClient {
	if c := f.clients[name]; c != nil {
		return c
	}
	return &fleetClient{instances: make(map[model.Fingerprint]*instance), failed: make(map[string]uint64)}
}

// instance returns the entry of the instance that a series comes from. The
// instance is identified by all labels that are not the metric's own.
func (c *fleetClient) instance(m model.Metric) *instance {
	m = m.Clone()
	for _, own := range []model.LabelName{model.MetricNameLabel, "client", "verdict", "library", "program", "identity_source"} {
		delete(m, own)
	}
	key := m.Fingerprint()
	if c.instances[key] == nil {
		c.instances[key] = new(instance)
	}
	return c.instances[key]
}

func (f *fleet) takeRuntime(client string, m model.Metric, at float64) {
	f.client(client).instance(m).take(m, at)
}

// take replaces the runtime if a series is newer, or of the same time and first
// in the order of compare.
func (r *runtime) take(m model.Metric, at float64) {
	one := runtime{known(m["library"]), known(m["program"]), string(m["identity_source"]), at}
	if at > r.at || at == r.at && one.compare(r) < 0 {
		*r = one
	}
}

// compare orders runtimes: known ones first, and then in an order that makes the
// choice deterministic.
func (r *runtime) compare(s *runtime) int {
	unknown := func(r *runtime) int {
		if r.library+r.program == "" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(unknown(r), unknown(s)),
		cmp.Compare(r.library, s.library), cmp.Compare(r.program, s.program), cmp.Compare(r.source, s.source))
}

// known returns a label's value, or "" if that is "unknown".
func known(v model.LabelValue) string {
	if v == "unknown" {
		return ""
	}
	return string(v)
}

// week returns the number of days that a rate covers: seven, or fewer for a
// younger client.
func (f *fleet) week(r *ledger.Row) float64 {
	const day = 24 * time.Hour
	first := r.FirstSeen.UTC().Truncate(day)
	return min(7, max(1, float64(f.now.UTC().Truncate(day).Sub(first)/day+1)))
}

// atLeastOne counts the last call of a client whose calls of the last 7 days are
// all hidden from increase(), which does not see the first of a series. An
// insecure call is a request, and a request came over a connection. A secure call
// by a client without requests was encrypted end to end, unless tlslift upgraded
// the client's secure calls in these days.
func (f *fleet) atLeastOne(rows []ledger.Row) {
	since := f.now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -6) // as in the ledger: today and the six days before
	for i := range rows {
		r := &rows[i]
		one := 1 / f.week(r)
		if !r.LastInsecure.Before(since) || f.clients[r.Client].lifted && !r.LastSecure.Before(since) {
			r.RequestsPerDay = max(r.RequestsPerDay, one)
		}
		if r.RequestsPerDay > 0 || !r.LastSecure.Before(since) {
			r.ConnectionsPerDay = max(r.ConnectionsPerDay, one)
		}
	}
}

// settle determines which clients are configured, as far as metrics show it.
func (f *fleet) settle() {
	for _, c := range f.clients {
		c.row.Configured = c.row.FirstSeen.IsZero()
		for _, i := range c.instances {
			switch i.source {
			case "listener", "proxy_auth", "workload", "name":
				c.row.Configured = true
			}
		}
	}
}

// rows derives the clients' rows from all that was collected.
func (f *fleet) rows() []ledger.Row {
	rows := make([]ledger.Row, 0, len(f.clients))
	for _, c := range f.clients {
		r := &c.row
		for _, i := range c.instances {
			r.LastInsecure, r.LastSecure = later(r.LastInsecure, i.lastInsecure), later(r.LastSecure, i.lastSecure)
			r.LastFailed = later(r.LastFailed, i.lastFailed)
			r.Evidence.Merge(i.evidence)
		}
		r.LastSeen = later(later(r.LastSeen, r.LastFailed), later(r.LastInsecure, r.LastSecure))
		r.AllRefused = !r.LastRefused.IsZero() && f.noneServed(c)
		f.judge(c)
		r.Stand(f.now, f.migratedAfter)
		r.FallsBack = r.FallsBack && (r.Regressed || r.Declared.IsZero() || f.now.Before(r.Declared))
		r.Advise(f.now, f.migratedAfter)
		rows = append(rows, *r)
	}
	return rows
}

// noneServed reports whether no instance let a call of the client through within
// migratedAfter before its last refused one. An instance that does not refuse all
// of them is taken to have let its last call through.
func (f *fleet) noneServed(c *fleetClient) bool {
	for _, i := range c.instances {
		if !i.allRefused && c.row.LastRefused.Sub(later(i.lastInsecure, i.lastSecure)) < f.migratedAfter {
			return false
		}
	}
	return true
}

// judge chooses the verdict by the ledger's own definition. It names what the
// instance with the newest evidence for that verdict knows about the client. What
// that instance does not know comes from the others, those that saw the client last
// first. An instance names the library of the hello that its own verdict is about,
// so only instances with a verdict about the same kind of hello are asked for it.
func (f *fleet) judge(c *fleetClient) {
	r := &c.row
	r.Verdict = r.Evidence.VerdictAt(f.now, r.Declared, f.migratedAfter)
	r.Suspected = ledger.OnlySilence(r.Verdict, func(why call.HandshakeFailure) bool { return c.failed[why.String()]+r.Failures[why.String()] > 0 })
	held := func(i *instance) int64 { return i.evidence.Held(r.Verdict) }
	instances := slices.SortedFunc(maps.Values(c.instances), func(a, b *instance) int { return a.compare(b, (*instance).seen) })
	if len(instances) > 0 {
		best := slices.MinFunc(instances, func(a, b *instance) int { return a.compare(b, held) })
		instances = slices.Insert(instances, 0, best)
	}
	for _, i := range instances {
		if own := i.evidence.VerdictAt(f.now, r.Declared, f.migratedAfter); own.SameHello(r.Verdict) {
			r.Library = cmp.Or(r.Library, i.library)
		}
		r.Program, r.Source = cmp.Or(r.Program, i.program), cmp.Or(r.Source, i.source)
	}
	if !slices.ContainsFunc(instances, func(i *instance) bool { return i.at != 0 }) {
		r.Library, r.Program = cmp.Or(r.Library, c.remembered.library), cmp.Or(r.Program, c.remembered.program)
	}
}

// seen returns when an instance last saw the client, in Unix seconds.
func (i *instance) seen() int64 {
	at := max(i.lastInsecure.Unix(), i.lastSecure.Unix(), i.lastFailed.Unix())
	for _, v := range ledger.Verdicts {
		at = max(at, i.evidence.Held(v), i.evidence.Refuted(v))
	}
	return at
}

// compare orders instances by a time, the newest first, then by their runtimes.
func (i *instance) compare(j *instance, at func(*instance) int64) int {
	return cmp.Or(cmp.Compare(at(j), at(i)), i.runtime.compare(&j.runtime))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
