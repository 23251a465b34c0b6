package report

import (
	"time"

	"github.com/prometheus/common/model"

	"tlslift/metrics/ledger"
)

// fleet gathers what all instances say of each client.
type fleet struct {
	now           time.Time
	migratedAfter time.Duration
	clients       map[string]*fleetClient
}

type fleetClient struct {
	row       ledger.Row
	instances map[model.Fingerprint]*instance
}

// instance is what one instance says of one client.
type instance struct {
	lastInsecure, lastSecure time.Time
	verdict                  ledger.Verdict
	verdictAt                float64 // when it last said so
	library, program, source string
	libraryAt                float64
}

func newFleet(now time.Time, migratedAfter time.Duration) *fleet {
	return &fleet{now: now, migratedAfter: migratedAfter, clients: make(map[string]*fleetClient)}
}

// client is the entry of a client; every question but the first passes over
// clients that are not there.
func (f *fleet) client(name string) *fleetClient {
	if c := f.clients[name]; c != nil {
		return c
	}
	return &fleetClient{instances: make(map[model.Fingerprint]*instance)}
}

// instance is the entry of the instance that a series comes from: whatever
// labels tell it, once those of the metric itself are taken away.
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

// questions are asked in this order: the first makes the clients, and rates
// need the time a client was first seen.
func (f *fleet) questions(q queries) []question {
	when := func(query string, field func(*ledger.Row) *time.Time) question {
		return question{query, func(client string, _ model.Metric, v float64) {
			*field(&f.client(client).row) = seconds(v)
		}}
	}
	rate := func(query string, field func(*ledger.Row) *float64) question {
		return question{query, func(client string, _ model.Metric, v float64) {
			if r := &f.client(client).row; v >= 0 {
				*field(r) = v / f.week(r)
			}
		}}
	}
	return []question{
		{q.clients, func(client string, _ model.Metric, _ float64) {
			f.clients[client] = f.client(client)
			f.clients[client].row.Client = client
		}},
		when(q.firstSeen, func(r *ledger.Row) *time.Time { return &r.FirstSeen }),
		when(q.declared, func(r *ledger.Row) *time.Time { return &r.Declared }),
		{q.lastInsecure, func(client string, m model.Metric, v float64) {
			f.client(client).instance(m).lastInsecure = seconds(v)
		}},
		{q.lastSecure, func(client string, m model.Metric, v float64) {
			f.client(client).instance(m).lastSecure = seconds(v)
		}},
		rate(q.requests, func(r *ledger.Row) *float64 { return &r.RequestsPerDay }),
		rate(q.connections, func(r *ledger.Row) *float64 { return &r.ConnectionsPerDay }),
		{q.upgraded, func(client string, _ model.Metric, _ float64) { f.client(client).row.LastUpgraded = f.now }},
		{q.verdictPast, f.takeVerdict},
		{q.verdictNow, f.takeVerdict},
		{q.libraryPast, f.takeLibrary},
		{q.libraryNow, f.takeLibrary},
	}
}

// takeVerdict keeps what an instance said last; at is when it said so.
func (f *fleet) takeVerdict(client string, m model.Metric, at float64) {
	v, err := ledger.ParseVerdict(string(m["verdict"]))
	if err != nil || v == ledger.NoVerdict {
		return
	}
	if i := f.client(client).instance(m); at > i.verdictAt {
		i.verdict, i.verdictAt = v, at
	}
}

func (f *fleet) takeLibrary(client string, m model.Metric, at float64) {
	if i := f.client(client).instance(m); at > i.libraryAt {
		i.library, i.program, i.source, i.libraryAt = known(m["library"]), known(m["program"]), string(m["identity_source"]), at
	}
}

// known is a label's value; "" for one that says unknown.
func known(v model.LabelValue) string {
	if v == "unknown" {
		return ""
	}
	return string(v)
}

// week is the number of days that a rate is over: seven, or what a younger
// client has had.
func (f *fleet) week(r *ledger.Row) float64 {
	const day = 24 * time.Hour
	first := r.FirstSeen.UTC().Truncate(day)
	return min(7, max(1, float64(f.now.UTC().Truncate(day).Sub(first)/day+1)))
}

// rows works out what follows from all of it.
func (f *fleet) rows() []ledger.Row {
	rows := make([]ledger.Row, 0, len(f.clients))
	for _, c := range f.clients {
		r := &c.row
		for _, i := range c.instances {
			r.LastInsecure, r.LastSecure = later(r.LastInsecure, i.lastInsecure), later(r.LastSecure, i.lastSecure)
		}
		r.LastSeen = later(r.LastInsecure, r.LastSecure)
		s := ledger.Sightings{FirstSeen: r.FirstSeen, LastInsecure: r.LastInsecure, LastSecure: r.LastSecure, Declared: r.Declared}
		r.State, r.Regressed = s.StateAt(f.now, f.migratedAfter), s.RegressedAt(f.now)
		r.MigratedBy, r.Misdeclared = s.MigratedBy(f.now, f.migratedAfter), s.MisdeclaredAt(f.now)
		f.judge(c)
		switch r.Source {
		case "listener", "proxy_auth", "workload", "name":
			r.Configured = true
		case "":
			r.Configured = r.FirstSeen.IsZero()
		}
		r.Advise()
		rows = append(rows, *r)
	}
	return rows
}

// judge chooses the verdict, and the library and rung of the instance that gave
// it.
func (f *fleet) judge(c *fleetClient) {
	after := c.row.LastSeen.Add(-f.migratedAfter)
	if !f.now.Before(c.row.Declared) {
		after = later(after, c.row.Declared)
	}
	var best *instance
	for _, i := range c.instances {
		if i.verdict != ledger.NoVerdict && i.evidence().After(after) && (best == nil || i.before(best)) {
			best = i
		}
	}
	if best == nil { // as the ledger does: the newest decides
		for _, i := range c.instances {
			if i.verdict != ledger.NoVerdict && (best == nil || i.evidence().After(best.evidence()) ||
				i.evidence().Equal(best.evidence()) && i.before(best)) {
				best = i
			}
		}
	}
	if best != nil {
		c.row.Verdict, c.row.Library, c.row.Program, c.row.Source = best.verdict, best.library, best.program, best.source
	}
	for _, i := range c.instances { // no verdict yet, or no library seen there
		if c.row.Source == "" || i.source != "" && i.source < c.row.Source && best == nil {
			c.row.Source = i.source
		}
	}
}

// evidence is when what an instance's verdict rests on was last seen: of one
// about secure traffic the last of any kind, of the others the last that was
// insecure, if there was any.
func (i *instance) evidence() time.Time {
	seen := later(i.lastInsecure, i.lastSecure)
	if i.verdict == ledger.Capable || i.verdict == ledger.DistrustsUpstream || i.lastInsecure.IsZero() {
		return seen
	}
	return i.lastInsecure
}

// before orders instances by the precedence of their verdicts, then by what
// makes the choice the same each time.
func (i *instance) before(j *instance) bool {
	if i.verdict != j.verdict {
		return i.verdict < j.verdict
	}
	if (i.library == "") != (j.library == "") {
		return i.library != ""
	}
	return i.library < j.library
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
