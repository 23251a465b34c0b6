package report

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"tlslift/metrics/ledger"
)

// What a forecast is made from: the pace, from the recording rules, and the
// earliest target of all instances.
const (
	ruleSlope   = "tlslift:insecure_clients:deriv28d"
	targetQuery = "min(tlslift_target_timestamp_seconds > 0)"
)

// ParseDuration parses a duration such as 14d, 36h or 1d12h, as PromQL writes it.
func ParseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	return time.Duration(d), err
}

// maxSteps limits the work of a query about the past.
const maxSteps = 10_000

// instancesQuery counts the instances of tlslift, with or without clients.
// last_over_time also sees those that are stale or gone by now.
func instancesQuery(lookback time.Duration) string {
	return fmt.Sprintf("count(last_over_time(tlslift_build_info[%s]))", model.Duration(lookback))
}

// questions returns the PromQL queries to run, in this order: the first creates
// the clients, and rates need the time when a client was first seen. They use the
// metrics of docs/metrics.md. If the store has them, they also use the recording
// rules of deploy/prometheus, which keep the newest timestamps over the fleet
// beyond the life of the instances that saw them.
func (f *fleet) questions(lookback time.Duration) []question {
	const week = 7 * 24 * time.Hour
	const firstSeen, library = "tlslift_client_first_seen_timestamp_seconds", "tlslift_client_library_info"
	step := model.Duration(max(5*time.Minute, (lookback / maxSteps).Round(time.Minute)))
	back := model.Duration(lookback).String()
	rule := func(name string) string { return "tlslift:client_" + name + "_timestamp_seconds:max" }
	// An instance that restarts without its ledger begins at 0 again, so the
	// greatest value counts, not the last. The series are of single instances.
	newest := func(name string) string {
		return fmt.Sprintf("(max_over_time(tlslift_client_%s_timestamp_seconds[%s]) or max_over_time(%s[%s])) > 0", name, back, rule(name), back)
	}
	last := func(name string, field func(*instance) *time.Time) question {
		return question{newest(name), func(client string, m model.Metric, v float64) {
			*field(f.client(client).instance(m)) = seconds(v)
		}}
	}
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
	// evidence asks when a verdict was seen to hold (sign 1) or was refuted (-1).
	evidence := func(name string, sign int64) question {
		return question{newest(name), func(client string, m model.Metric, v float64) {
			verdict, err := ledger.ParseVerdict(string(m["verdict"]))
			if at := seconds(v); err == nil && verdict != ledger.NoVerdict && !at.IsZero() {
				var one ledger.Evidence
				one[verdict] = sign * at.Unix()
				f.client(client).instance(m).evidence.Merge(one)
			}
		}}
	}
	// One upgrade of a secure call is enough, and it may be the first of a series,
	// so new series count.
	upgraded := func(within time.Duration) string {
		return fmt.Sprintf("sum by (client) ((max_over_time(%[1]s[%[2]s]) unless max_over_time(%[1]s[1d] offset %[2]s)) or increase(%[1]s[%[2]s])) > 0",
			`tlslift_upgrades_total{from=~"1\\.2|1\\.3"}`, model.Duration(within))
	}
	return []question{
		// A client that was never seen (0) exists as long as the configuration
		// names it. If all instances of a job are down, their last values count.
		{fmt.Sprintf("count by (client) (max_over_time(%[1]s[%[2]s]) > 0 or %[1]s or (last_over_time(%[1]s[%[2]s]) unless on (job) tlslift_build_info) or last_over_time(%[3]s[%[2]s]) or last_over_time(%[4]s[%[2]s]))",
			firstSeen, back, rule("last_insecure"), rule("last_secure")), func(client string, _ model.Metric, _ float64) {
			f.clients[client] = f.client(client)
			f.clients[client].row.Client = client
		}},
		// Where the value was 0 at first, the last one counts. If the client was
		// evicted and seen again, the least one counts.
		when(fmt.Sprintf("min by (client) ((min_over_time(%[1]s[%[2]s]) > 0) or (last_over_time(%[1]s[%[2]s]) > 0))", firstSeen, back),
			func(r *ledger.Row) *time.Time { return &r.FirstSeen }),
		// What an instance says now takes precedence over what another said earlier.
		when(fmt.Sprintf("(max by (client) (%[1]s) or max by (client) (last_over_time(%[1]s[%[2]s]))) > 0", "tlslift_client_declared_migrated_timestamp_seconds", back),
			func(r *ledger.Row) *time.Time { return &r.Declared }),
		last("last_insecure", func(i *instance) *time.Time { return &i.lastInsecure }),
		last("last_secure", func(i *instance) *time.Time { return &i.lastSecure }),
		last("last_failed", func(i *instance) *time.Time { return &i.lastFailed }),
		// These are estimates: the first request of a new series does not count.
		rate(`sum by (client) (increase(tlslift_client_requests_total{upstream!~"_other|_denied"}[7d]))`,
			func(r *ledger.Row) *float64 { return &r.RequestsPerDay }),
		rate(`sum by (client) (increase(tlslift_client_connections_total{handling!~"tunnelled|refused"}[7d]))`,
			func(r *ledger.Row) *float64 { return &r.ConnectionsPerDay }),
		{upgraded(f.migratedAfter), func(client string, _ model.Metric, _ float64) { f.client(client).row.LastUpgraded = f.now }},
		{upgraded(week), func(client string, _ model.Metric, _ float64) { f.client(client).lifted = true }},
		evidence("verdict", 1),
		evidence("verdict_refuted", -1),
		{fmt.Sprintf("count by (client, reason) ((max_over_time(tlslift_client_handshake_failures_total[%[1]s]) or max_over_time(tlslift:client_handshake_failures:seen[%[1]s])) > 0)", back), func(client string, m model.Metric, _ float64) {
			f.client(client).failed[string(m["reason"])]++
		}},
		// This uses the step's own time instead of timestamp(). In Prometheus
		// 2.42, timestamp() reads the series from its beginning at every step,
		// fifty times slower. A series ends where its instance says something
		// else. A series that began and ended between two steps has no time; its
		// value, 1, makes it the oldest.
		{fmt.Sprintf("max_over_time((0 * %[1]s + time())[%[2]s:%[3]s]) or last_over_time(%[1]s[%[2]s])", library, back, step), f.takeRuntime},
		{"timestamp(" + library + ")", f.takeRuntime},
		{fmt.Sprintf("%[1]s or on (client) max_over_time(%[1]s[%[2]s])", rule("library"), back), func(client string, m model.Metric, at float64) {
			f.client(client).remembered.take(m, at)
		}},
		{fmt.Sprintf("max by (client, max_version) (max_over_time(tlslift_client_hellos_total[%s])) > 0", back), func(client string, m model.Metric, _ float64) {
			f.client(client).row.Offers(string(m["max_version"]))
		}},
	}
}
