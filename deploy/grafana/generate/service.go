package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// service is the dashboard of whoever runs tlslift.
func service() *dashboard.DashboardBuilder {
	return newDashboard("tlslift-service", "tlslift / Service",
		"tlslift itself, and the way to SMSPortal.", "now-6h").
		WithPanel(upstreamVersions().Height(8).Span(8)).
		WithPanel(phases().Height(8).Span(8)).
		WithPanel(addedLatency().Height(8).Span(8)).
		WithPanel(failures().Height(8).Span(8)).
		WithPanel(pool().Height(8).Span(8)).
		WithPanel(saturation().Height(8).Span(8)).
		WithPanel(fleet().Height(9).Span(14)).
		WithPanel(reloads().Height(9).Span(10)).
		WithPanel(denied().Height(8).Span(12)).
		WithPanel(lost().Height(8).Span(12))
}

func upstreamVersions() *timeseries.PanelBuilder {
	p := newSeries("Upstream TLS versions", "TLS handshakes with upstreams per minute: the proof that everything leaves over TLS 1.2 or newer.", "none").
		AxisLabel("per minute").
		WithTarget(over("A", "TLS {{tls_version}}", `sum by (tls_version) (avg_over_time(tlslift:upstream_handshakes:rate5m[$__rate_interval])) * 60`).Interval("1m"))
	return paint(stacked(p, common.StackingModeNormal), versionColours, versions...)
}

func phases() *timeseries.PanelBuilder {
	return newSeries("Latency by phase", "The time that 95 of 100 stay under. dns, connect and tls only when a connection was made.", "s").
		WithTarget(over("A", "{{phase}}", `histogram_quantile(0.95, sum by (phase, le) (rate(tlslift_upstream_phase_duration_seconds_bucket[$__rate_interval])))`).Interval("1m"))
}

func addedLatency() *timeseries.PanelBuilder {
	return newSeries("Added latency", "A request's mean time that was not spent waiting for the upstream's first byte: connecting when no warm connection was ready, and the bodies' way through.", "s").
		WithTarget(over("A", "{{upstream}}", `avg_over_time(tlslift:added_latency_seconds:mean5m[$__rate_interval])`).Interval("1m"))
}

func failures() *timeseries.PanelBuilder {
	return counts(newSeries("Failures by delivery", "Requests that the upstream failed. unknown may have been delivered: check before sending again.", "none")).
		NoValue("none").
		WithTarget(over("A", "{{delivery}}: {{reason}}", `sum by (delivery, reason) (sum_over_time(tlslift:upstream_failures:rate5m[$__interval])) * 60 > 0`).Interval("5m")).
		OverrideByRegexp("^unknown.*", []dashboard.DynamicConfigValue{fixed(red)}).
		OverrideByRegexp("^not_sent.*", []dashboard.DynamicConfigValue{fixed(orange)})
}

func pool() *timeseries.PanelBuilder {
	return newSeries("Pool", "Connections to upstreams now. Idle ones are warm: a request on them pays for no handshake.", "none").Decimals(0).
		WithTarget(over("A", "{{upstream}} {{state}}", `sum by (upstream, state) (tlslift_upstream_pool_connections)`).Interval("1m"))
}

func saturation() *timeseries.PanelBuilder {
	return newSeries("Saturation", "How much of each limit the fullest instance uses, and the requests refused because of a limit.", "percentunit").
		WithTarget(over("A", "file descriptors", `max(process_open_fds / process_max_fds and on (job, instance) tlslift_build_info)`).Interval("1m")).
		WithTarget(over("B", "{{resource}}", `max by (resource) (tlslift:limit_usage:ratio)`).Interval("1m")).
		WithTarget(over("C", "refused by limits", `sum(rate(tlslift_denied_total{reason="limit"}[$__rate_interval])) * 60`).Interval("1m")).
		OverrideByRegexp("file descriptors|.*connections|.*clients|memory", []dashboard.DynamicConfigValue{property("custom.axisSoftMax", 1)}).
		OverrideByName("refused by limits", append(right("none", "per minute"), fixed(red)))
}

func denied() *timeseries.PanelBuilder {
	return counts(newSeries("Denied calls by reason", "What tlslift refused before anything was sent. draining is every stop's.", "none")).
		NoValue("none").
		WithTarget(over("A", "{{reason}}", `sum by (reason) (increase(tlslift_denied_total[$__interval])) > 0`).Interval("5m"))
}

func lost() *timeseries.PanelBuilder {
	return counts(newSeries("Lost records", "Lines of the log that were dropped, and writes of the ledger that failed.", "none")).
		NoValue("none").
		WithTarget(over("A", "log lines", `sum(increase(tlslift_log_lines_lost_total[$__interval])) > 0`).Interval("5m")).
		WithTarget(over("B", "ledger writes", `sum(increase(tlslift_ledger_write_failures_total[$__interval])) > 0`).Interval("5m"))
}

// right puts a series on an axis of its own.
func right(unit, label string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		property("unit", unit), property("custom.axisPlacement", "right"), property("custom.axisLabel", label), property("custom.fillOpacity", 0),
	}
}

func fleet() *table.PanelBuilder {
	p := newTable("Sidecars, and which can be removed",
		"Removable: no upgrade of any kind for 31 days, watched throughout, and not insecure.").
		WithTarget(rows("A", `count by (client) (tlslift_upgrades_total{client=~".+/.+",from="none"})`)).
		WithTarget(rows("B", `max by (client, state) (tlslift:client_state{client=~".+/.+"})`)).
		WithTarget(rows("C", `sum by (client) (sum_over_time(tlslift:client_upgrades:rate5m{client=~".+/.+"}[1d])) * 60`)).
		WithTarget(rows("D", `1000 * max by (client) (tlslift:client_last_upgrade_timestamp_seconds:max{client=~".+/.+"})`)).
		WithTarget(rows("E", `(time() - max by (client) (tlslift:client_upgrades_watched_since_timestamp_seconds{client=~".+/.+"})) / 86400`)).
		WithTarget(rows("F", `max by (client) (tlslift:client_removable{client=~".+/.+"})
or 0 * max by (client) (tlslift:client_upgrades_watched_since_timestamp_seconds{client=~".+/.+"})`)).
		SortBy([]cog.Builder[common.TableSortByFieldState]{sortBy("removable", true)})
	return joined(p, []column{
		{field: "client", title: "workload"},
		{field: "Value #A", title: "pods", width: 70, props: []dashboard.DynamicConfigValue{property("decimals", 0)}},
		{field: "state", title: "state", width: 100, props: words(stateColours)},
		{field: "Value #C", title: "upgrades/day", width: 120, props: []dashboard.DynamicConfigValue{property("decimals", 0)}},
		{field: "Value #D", title: "last upgrade", width: 160, props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}},
		{field: "Value #E", title: "days watched", width: 120, props: []dashboard.DynamicConfigValue{property("decimals", 0)}},
		{field: "Value #F", title: "removable", width: 110, props: yes("can go", green, "needed", grey)},
	}, "Value #B")
}

// yes maps 1 and 0 to words.
func yes(one, oneColour, zero, zeroColour string) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{
		property("mappings", []any{map[string]any{"type": "value", "options": map[string]any{
			"1": map[string]any{"text": one, "color": oneColour}, "0": map[string]any{"text": zero, "color": zeroColour},
		}}}),
		property("custom.cellOptions", map[string]any{"type": "color-text"}),
	}
}

func reloads() *table.PanelBuilder {
	p := newTable("Reloads", "Where the last reload failed, the configuration before it is still in force. The same hash is the same configuration.").
		WithTarget(rows("A", `max by (instance) (tlslift_config_last_reload_successful)`)).
		WithTarget(rows("B", `1000 * max by (instance) (tlslift_config_last_reload_success_timestamp_seconds)`)).
		WithTarget(rows("C", `max by (instance, version) (tlslift_build_info)`)).
		WithTarget(rows("D", `max by (instance, hash) (tlslift_config_hash_info)`)).
		SortBy([]cog.Builder[common.TableSortByFieldState]{sortBy("configuration", false)})
	return joined(p, []column{
		{field: "instance", title: "instance"},
		{field: "version", title: "version", width: 100},
		{field: "Value #A", title: "configuration", width: 120, props: yes("loaded", green, "refused", red)},
		{field: "Value #B", title: "last loaded", width: 140, props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}},
		{field: "hash", title: "hash", width: 150},
	}, "Value #C", "Value #D")
}
