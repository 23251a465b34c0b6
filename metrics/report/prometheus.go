package report

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"tlslift/metrics/ledger"
)

// Defaults of PrometheusOptions.
const (
	DefaultMigratedAfter = 14 * 24 * time.Hour
	DefaultLookback      = 90 * 24 * time.Hour
)

// PrometheusOptions say what to ask a Prometheus-compatible API.
type PrometheusOptions struct {
	URL           string // up to and without /api/v1
	Access        Access
	Now           time.Time
	MigratedAfter time.Duration // 0 = DefaultMigratedAfter
	Lookback      time.Duration // how far back series are looked for; 0 = DefaultLookback
}

// FromPrometheus reads the whole fleet. States come from the newest timestamps
// over all instances, those that are gone included as far as the store
// remembers them; of several instances' verdicts the one with the highest
// precedence counts.
func FromPrometheus(ctx context.Context, o PrometheusOptions) (*Report, error) {
	u, err := address(o.URL, &o.Access)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	client, err := api.NewClient(api.Config{Address: u.String(), Client: o.Access.client()})
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	if o.MigratedAfter <= 0 {
		o.MigratedAfter = DefaultMigratedAfter
	}
	if o.Lookback <= 0 {
		o.Lookback = DefaultLookback
	}
	f := fleet{
		api: promv1.NewAPI(client), now: o.Now, migratedAfter: o.MigratedAfter,
		queries: newQueries(o.Lookback, o.MigratedAfter), rows: make(map[string]*ledger.Row),
	}
	if err := f.read(ctx); err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", u, err)
	}
	return newReport("prometheus "+u.String(), o.Now, o.MigratedAfter, f.finish()), nil
}

// fleet gathers rows from the answers to several queries.
type fleet struct {
	api           promv1.API
	now           time.Time
	migratedAfter time.Duration
	queries       queries
	rows          map[string]*ledger.Row
}

func (f *fleet) read(ctx context.Context) error {
	// Every client is in the first answer: the gauge exists at 0 from the start
	// for names of the configuration.
	err := f.each(ctx, f.queries.clients, func(client string, _ model.Metric, _ float64) {
		f.rows[client] = &ledger.Row{Client: client}
	})
	if err != nil {
		return err
	}
	for _, q := range []struct {
		query string
		field func(*ledger.Row) *time.Time
	}{
		{f.queries.firstSeen, func(r *ledger.Row) *time.Time { return &r.FirstSeen }},
		{f.queries.lastInsecure, func(r *ledger.Row) *time.Time { return &r.LastInsecure }},
		{f.queries.lastSecure, func(r *ledger.Row) *time.Time { return &r.LastSecure }},
		{f.queries.declared, func(r *ledger.Row) *time.Time { return &r.Declared }},
		{f.queries.sunset, func(r *ledger.Row) *time.Time { return &r.Sunset }},
		{f.queries.waiver, func(r *ledger.Row) *time.Time { return &r.Waiver }},
	} {
		err := f.each(ctx, q.query, func(client string, _ model.Metric, v float64) {
			if r := f.rows[client]; r != nil {
				*q.field(r) = seconds(v)
			}
		})
		if err != nil {
			return err
		}
	}
	if err := f.readRates(ctx); err != nil {
		return err
	}
	if err := f.latest(ctx, f.queries.verdictNow, f.queries.verdictPast, f.takeVerdict); err != nil {
		return err
	}
	return f.latest(ctx, f.queries.libraryNow, f.queries.libraryPast, takeLibrary)
}

func (f *fleet) readRates(ctx context.Context) error {
	for _, q := range []struct {
		query string
		take  func(*ledger.Row, float64)
	}{
		{f.queries.requests, func(r *ledger.Row, v float64) { r.RequestsPerDay = v / f.week(r) }},
		{f.queries.connections, func(r *ledger.Row, v float64) { r.ConnectionsPerDay = v / f.week(r) }},
		{f.queries.upgraded, func(r *ledger.Row, _ float64) { r.LastUpgraded = f.now }},
	} {
		err := f.each(ctx, q.query, func(client string, _ model.Metric, v float64) {
			if r := f.rows[client]; r != nil && v >= 0 {
				q.take(r, v)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// week is the number of days that a rate is over: seven, or what a younger
// client has had.
func (f *fleet) week(r *ledger.Row) float64 {
	const day = 24 * time.Hour
	first := r.FirstSeen.UTC().Truncate(day)
	return min(7, max(1, float64(f.now.UTC().Truncate(day).Sub(first)/day+1)))
}

// latest reads labels that say what is so now; of a client that no instance
// exports any more, what was so last.
func (f *fleet) latest(ctx context.Context, now, past string, take func(*ledger.Row, model.Metric)) error {
	current := make(map[string]bool)
	err := f.each(ctx, now, func(client string, m model.Metric, _ float64) {
		if r := f.rows[client]; r != nil {
			current[client] = true
			take(r, m)
		}
	})
	if err != nil {
		return err
	}
	type seen struct {
		metric model.Metric
		at     float64
	}
	gone := make(map[string][]seen)
	newest := make(map[string]float64)
	err = f.each(ctx, past, func(client string, m model.Metric, at float64) {
		if f.rows[client] != nil && !current[client] {
			gone[client] = append(gone[client], seen{m, at})
			newest[client] = max(newest[client], at)
		}
	})
	if err != nil {
		return err
	}
	for client, all := range gone {
		for _, s := range all {
			if newest[client]-s.at < f.queries.step.Seconds() {
				take(f.rows[client], s.metric)
			}
		}
	}
	return nil
}

// takeVerdict keeps the verdict with the highest precedence.
func (f *fleet) takeVerdict(r *ledger.Row, m model.Metric) {
	v, err := ledger.ParseVerdict(string(m["verdict"]))
	if err != nil || v == ledger.NoVerdict {
		return
	}
	if r.Verdict == ledger.NoVerdict || v < r.Verdict {
		r.Verdict = v
	}
}

// takeLibrary keeps the first library by name, so that the same answers give
// the same report.
func takeLibrary(r *ledger.Row, m model.Metric) {
	library, source := string(m["library"]), string(m["identity_source"])
	if library != "" && (r.Library == "" || library < r.Library) {
		r.Library = library
	}
	if source != "" && (r.Source == "" || source < r.Source) {
		r.Source = source
	}
}

// finish works out what follows from the timestamps.
func (f *fleet) finish() []ledger.Row {
	rows := make([]ledger.Row, 0, len(f.rows))
	for _, r := range f.rows {
		s := ledger.Sightings{LastInsecure: r.LastInsecure, LastSecure: r.LastSecure, Declared: r.Declared}
		r.State, r.Regressed = s.StateAt(f.now, f.migratedAfter), s.RegressedAt(f.now)
		r.LastSeen = r.LastInsecure
		if r.LastSecure.After(r.LastSeen) {
			r.LastSeen = r.LastSecure
		}
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

// each asks one instant query and calls take with every sample that has a
// client.
func (f *fleet) each(ctx context.Context, query string, take func(client string, m model.Metric, v float64)) error {
	value, _, _, err := f.api.Query(ctx, query, f.now)
	if err != nil {
		var refused *promv1.Error
		if errors.As(err, &refused) && strings.Contains(refused.Msg+refused.Detail, "401") {
			return fmt.Errorf("it wants credentials: give --token-file, or --user and --password-file: %w", err)
		}
		return fmt.Errorf("query %s: %w", query, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return fmt.Errorf("query %s: the answer is a %s", query, value.Type())
	}
	for _, sample := range vector {
		if client := string(sample.Metric["client"]); client != "" && len(client) <= 256 {
			take(client, sample.Metric, float64(sample.Value))
		}
	}
	return nil
}

// seconds is the time of a timestamp gauge.
func seconds(v float64) time.Time {
	if math.IsNaN(v) || v <= 0 || v > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(v), 0).UTC()
}
