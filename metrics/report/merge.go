package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
)

// InstancesOptions say which instances to read. Name each once, by its admin
// address or by its state file.
type InstancesOptions struct {
	Admin         []string
	State         []string
	Access        Access // for every admin address
	Now           time.Time
	MigratedAfter time.Duration // 0 = what all instances say
}

// FromInstances reads instances without a Prometheus. It merges clients that have
// the same name: times are the newest, counts are summed, and the verdict follows
// from the newest evidence of each kind, as in FromPrometheus. A report of
// several instances has no daily history and so no pace, because clients per day
// cannot be added up. The earliest target counts. An instance that cannot be read
// is an error, because the report would look too good.
func FromInstances(ctx context.Context, o InstancesOptions) (*Report, error) {
	var reports []*Report
	add := func(r *Report, err error) error {
		if err != nil {
			return err
		}
		for _, other := range reports {
			switch {
			case other.Source == r.Source:
				return fmt.Errorf("%s is given twice: it would count twice", r.Source)
			case r.instance != "" && other.instance == r.instance:
				return fmt.Errorf("%s and %s are the same tlslift, which would count twice: give one of them", other.Source, r.Source)
			}
		}
		reports = append(reports, r)
		return nil
	}
	for _, admin := range o.Admin {
		if err := add(FromAdmin(ctx, admin, o.Access)); err != nil {
			return nil, err
		}
	}
	for _, state := range o.State {
		if err := add(FromState(state, o.Now, o.MigratedAfter)); err != nil {
			return nil, err
		}
	}
	switch len(reports) {
	case 0:
		return nil, errors.New("no instance is given")
	case 1:
		return reports[0], nil
	}
	return merge(reports, o.MigratedAfter)
}

// merge makes one report from those of several instances. If migratedAfter is 0,
// their own settings apply and must agree.
func merge(reports []*Report, migratedAfter time.Duration) (*Report, error) {
	now, names := reports[0].Summary.Generated, make([]string, len(reports))
	for i, r := range reports {
		now, names[i] = later(now, r.Summary.Generated), r.Source
		own := time.Duration(r.Summary.MigratedAfterSeconds) * time.Second
		if first := time.Duration(reports[0].Summary.MigratedAfterSeconds) * time.Second; migratedAfter == 0 && own != first {
			return nil, fmt.Errorf("policy.migrated_after is %s in %s and %s in %s: give --migrated-after",
				figures.Length(first), names[0], figures.Length(own), names[i])
		}
	}
	if migratedAfter == 0 {
		migratedAfter = time.Duration(reports[0].Summary.MigratedAfterSeconds) * time.Second
	}
	f := newFleet(now, migratedAfter)
	for i, r := range reports {
		for n := range r.Clients {
			f.add(model.Fingerprint(i), &r.Clients[n])
		}
	}
	merged := newReport(strings.Join(names, ", "), now, migratedAfter, f.rows())
	var target time.Time
	for _, r := range reports {
		if t := r.Summary.Forecast.Target; target.IsZero() || !t.IsZero() && t.Before(target) {
			target = t
		}
		s := &merged.Summary
		s.Tracked, s.Limit, s.Overflowed = s.Tracked+r.Summary.Tracked, s.Limit+r.Summary.Limit, s.Overflowed+r.Summary.Overflowed
	}
	if slices.ContainsFunc(reports, func(r *Report) bool { return r.Summary.Limit == 0 }) {
		merged.Summary.Limit = 0 // some limits are unknown
	}
	merged.Summary.Predict(math.NaN(), target)
	return merged, nil
}

// add adds what one instance says about a client.
func (f *fleet) add(source model.Fingerprint, r *ledger.Row) {
	c := f.client(r.Client)
	if f.clients[r.Client] == nil {
		f.clients[r.Client] = c
		c.row = ledger.Row{Client: r.Client}
	}
	c.instances[source] = &instance{
		lastInsecure: r.LastInsecure, lastSecure: r.LastSecure, lastFailed: r.LastFailed, allRefused: r.AllRefused, evidence: r.Evidence,
		runtime: runtime{library: r.Library, program: r.Program, source: r.Source},
	}
	f.addTimes(&c.row, r)
	addCounts(&c.row, r)
}

// addTimes merges the times, what follows from the newest, and the rates.
func (f *fleet) addTimes(to, r *ledger.Row) {
	requests := to.RequestsPerDay*f.week(to) + r.RequestsPerDay*f.week(r)
	connections := to.ConnectionsPerDay*f.week(to) + r.ConnectionsPerDay*f.week(r)
	if to.FirstSeen.IsZero() || !r.FirstSeen.IsZero() && r.FirstSeen.Before(to.FirstSeen) {
		to.FirstSeen = r.FirstSeen
	}
	to.RequestsPerDay, to.ConnectionsPerDay = requests/f.week(to), connections/f.week(to)
	newer, older := r, to
	if r.LastSeen.Before(to.LastSeen) {
		newer, older = to, r
	}
	to.UserAgent, to.JA4 = cmp.Or(newer.UserAgent, older.UserAgent), cmp.Or(newer.JA4, older.JA4)
	to.LastSeen = newer.LastSeen
	to.LastRefused, to.LastUpgraded = later(to.LastRefused, r.LastRefused), later(to.LastUpgraded, r.LastUpgraded)
	to.Declared = later(to.Declared, r.Declared)
	if r.Configured { // only if no instance's configuration names it otherwise
		to.Unnamed = r.Unnamed && (to.Unnamed || !to.Configured)
	}
	to.Configured, to.FallsBack = to.Configured || r.Configured, to.FallsBack || r.FallsBack
	to.SeveralPrograms = to.SeveralPrograms || r.SeveralPrograms
	for _, setting := range r.Settings {
		if !slices.Contains(to.Settings, setting) {
			to.Settings = append(to.Settings, setting)
		}
	}
	to.Offers(r.HighestOffered)
	to.Offers(r.HighestOldOffered)
}

// addCounts adds up all counts.
func addCounts(to, r *ledger.Row) {
	addUp(&to.Requests, r.Requests, func(a, b *ledger.RequestCount) bool {
		return a.Ingress == b.Ingress && a.TLSVersion == b.TLSVersion
	}, func(a, b *ledger.RequestCount) { a.Count += b.Count })
	addUp(&to.Connections, r.Connections, func(a, b *ledger.ConnectionCount) bool {
		return a.Handling == b.Handling && a.TLSVersion == b.TLSVersion
	}, func(a, b *ledger.ConnectionCount) { a.Count += b.Count })
	addUp(&to.Exposed, r.Exposed, func(a, b *ledger.ExposedCount) bool { return a.Kind == b.Kind && a.Over == b.Over },
		func(a, b *ledger.ExposedCount) { a.Count, a.Last = a.Count+b.Count, later(a.Last, b.Last) })
	addUp(&to.Hosts, r.Hosts, func(a, b *ledger.HostCount) bool { return a.Host == b.Host },
		func(a, b *ledger.HostCount) { a.Count, a.Last = a.Count+b.Count, later(a.Last, b.Last) })
	for _, b := range [...]struct{ to, from *[]ledger.Shown }{
		{&to.Behind.Addresses, &r.Behind.Addresses},
		{&to.Behind.Accounts, &r.Behind.Accounts},
		{&to.Behind.UserAgents, &r.Behind.UserAgents},
		{&to.Behind.Libraries, &r.Behind.Libraries},
		{&to.Behind.JA4s, &r.Behind.JA4s},
	} {
		addUp(b.to, *b.from, func(a, b *ledger.Shown) bool { return a.Name == b.Name },
			func(a, b *ledger.Shown) { a.Count, a.Last = a.Count+b.Count, later(a.Last, b.Last) })
	}
	addWords(&to.Hellos, r.Hellos)
	addWords(&to.Failures, r.Failures)
	addWords(&to.Refused, r.Refused)
	addWords(&to.UserAgents, r.UserAgents)
}

// addUp adds each entry of a list to the same entry of another, or appends it.
func addUp[T any](to *[]T, from []T, same func(a, b *T) bool, plus func(a, b *T)) {
	for i := range from {
		one := &from[i]
		if n := slices.IndexFunc(*to, func(other T) bool { return same(&other, one) }); n >= 0 {
			plus(&(*to)[n], one)
		} else {
			*to = append(*to, *one)
		}
	}
}

func addWords(to *map[string]uint64, from map[string]uint64) {
	for word, n := range from {
		if *to == nil {
			*to = make(map[string]uint64, len(from))
		}
		(*to)[word] += n
	}
}
