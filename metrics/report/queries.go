package report

import (
	"fmt"
	"time"

	"github.com/prometheus/common/model"
)

// Recording rules of deploy/prometheus that carry the newest timestamps over
// the fleet forward, beyond the life of the instances that saw them.
const (
	ruleLastInsecure = "tlslift:client_last_insecure_timestamp_seconds:max"
	ruleLastSecure   = "tlslift:client_last_secure_timestamp_seconds:max"
	ruleLastFailed   = "tlslift:client_last_failed_timestamp_seconds:max"
	ruleHeld         = "tlslift:client_verdict_timestamp_seconds:max"
	ruleRefuted      = "tlslift:client_verdict_refuted_timestamp_seconds:max"
	ruleLibrary      = "tlslift:client_library_timestamp_seconds:max"
)

// What a forecast is made from: the pace, which the rules know, and the earliest
// target of all instances.
const (
	ruleSlope   = "tlslift:insecure_clients:deriv28d"
	targetQuery = "min(tlslift_target_timestamp_seconds > 0)"
)

// queries are what is asked, in PromQL. They use the metrics of docs/metrics.md
// and, where the store has them, the recording rules.
type queries struct {
	instances                                              string // of tlslift, with or without clients
	clients, firstSeen, declared, lastInsecure, lastSecure string
	lastFailed                                             string
	requests, connections, upgraded                        string
	held, refuted, failures                                string
	libraryNow, libraryPast, libraryRule, offered          string
}

// ParseDuration reads a time such as 14d, 36h or 1d12h, as PromQL writes it.
func ParseDuration(text string) (time.Duration, error) {
	d, err := model.ParseDuration(text)
	return time.Duration(d), err
}

// maxSteps bounds the work of a query about the past.
const maxSteps = 10_000

func newQueries(lookback, migratedAfter time.Duration) queries {
	step := max(5*time.Minute, (lookback / maxSteps).Round(time.Minute))
	back := model.Duration(lookback).String()
	// An instance that restarts without its ledger begins at 0 again, so the
	// greatest value counts, not the last. Series of single instances.
	newest := func(name, rule string) string {
		return fmt.Sprintf("(max_over_time(tlslift_client_%s_timestamp_seconds[%s]) or max_over_time(%s[%s])) > 0", name, back, rule, back)
	}
	// The step's own time, not timestamp(): that reads the series from its
	// beginning at every step in Prometheus 2.42, fifty times slower; a series ends where
	// its instance says something else. One that began and ended between two steps
	// has no time: its value, 1, makes it the oldest.
	past := func(name string) string {
		return fmt.Sprintf("max_over_time((0 * %[1]s + time())[%[2]s:%[3]s]) or last_over_time(%[1]s[%[2]s])", name, back, model.Duration(step))
	}
	return queries{
		// last_over_time sees what is stale or gone by now, too.
		instances: fmt.Sprintf("count(last_over_time(tlslift_build_info[%s]))", back),
		// One that was never seen (0) is there as long as the configuration names it. A job
		// whose instances are all down says what it said last.
		clients: fmt.Sprintf("count by (client) (max_over_time(%[1]s[%[2]s]) > 0 or %[1]s or (last_over_time(%[1]s[%[2]s]) unless on (job) tlslift_build_info) or last_over_time(%[3]s[%[2]s]) or last_over_time(%[4]s[%[2]s]))",
			"tlslift_client_first_seen_timestamp_seconds", back, ruleLastInsecure, ruleLastSecure),
		// What is 0 at first is told by the last value, what was freed and seen
		// again by the least.
		firstSeen: fmt.Sprintf("min by (client) ((min_over_time(%[1]s[%[2]s]) > 0) or (last_over_time(%[1]s[%[2]s]) > 0))",
			"tlslift_client_first_seen_timestamp_seconds", back),
		lastInsecure: newest("last_insecure", ruleLastInsecure),
		lastSecure:   newest("last_secure", ruleLastSecure),
		lastFailed:   newest("last_failed", ruleLastFailed),
		// What an instance says now goes before what another said.
		declared: fmt.Sprintf("(max by (client) (%[1]s) or max by (client) (last_over_time(%[1]s[%[2]s]))) > 0",
			"tlslift_client_declared_migrated_timestamp_seconds", back),
		// Estimates: the first request of a series that was not there before does
		// not count.
		requests:    `sum by (client) (increase(tlslift_client_requests_total{upstream!~"_other|_denied"}[7d]))`,
		connections: `sum by (client) (increase(tlslift_client_connections_total{handling!~"tunnelled|refused"}[7d]))`,
		// One upgrade is enough, and it may be a series' first: what is new counts.
		upgraded: fmt.Sprintf("sum by (client) ((max_over_time(%[1]s[%[2]s]) unless max_over_time(%[1]s[1d] offset %[2]s)) or increase(%[1]s[%[2]s])) > 0",
			`tlslift_upgrades_total{from=~"1\\.2|1\\.3"}`, model.Duration(migratedAfter)),
		held:        newest("verdict", ruleHeld),
		refuted:     newest("verdict_refuted", ruleRefuted),
		failures:    fmt.Sprintf("count by (client, reason) (max_over_time(tlslift_client_handshake_failures_total[%s]) > 0)", back),
		libraryNow:  "timestamp(tlslift_client_library_info)",
		libraryPast: past("tlslift_client_library_info"),
		libraryRule: fmt.Sprintf("%[1]s or on (client) max_over_time(%[1]s[%[2]s])", ruleLibrary, back),
		offered:     fmt.Sprintf("max by (client, max_version) (max_over_time(tlslift_client_hellos_total[%s])) > 0", back),
	}
}
