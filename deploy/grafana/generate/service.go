package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// service is the dashboard for operators of tlslift.
func service() *dashboard.DashboardBuilder {
	return newDashboard("tlslift-service", "tlslift / Service",
		"tlslift itself, and the way to SMSPortal.", "now-6h", instanceVariable(), statusPage()).
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

const noCallYet = "No call has been made yet"

func upstreamVersions() *timeseries.PanelBuilder {
	p := newSeries("Upstream TLS versions", "TLS handshakes with upstreams: the proof that everything leaves over TLS 1.2 or newer.", "none", "handshakes a minute", "No handshake with an upstream yet")
	return versionSeries(stacked(p, common.StackingModeNormal), "tls_version", "1m",
		`60 * sum by (tls_version) (rate(tlslift_upstream_handshakes_total{VERSION,instance=~"$instance"}[$__rate_interval]))`, "TLS 1.2", "TLS 1.3")
}

func phases() *timeseries.PanelBuilder {
	p := newSeries("Latency by phase", "The 95th percentile. dns, connect, and tls only when a connection was made.", "s", "", noCallYet).
		WithTarget(over("A", "{{phase}}", `histogram_quantile(0.95, sum by (phase, le) (rate(tlslift_upstream_phase_duration_seconds_bucket{instance=~"$instance"}[$__rate_interval])))`).Interval("1m"))
	return paint(p, phaseColours, sorted(phaseColours)...)
}

func addedLatency() *timeseries.PanelBuilder {
	return newSeries("Added latency", "A request's mean time that was not spent waiting for the upstream's first byte: connecting when no warm connection was ready, and the bodies' way through.", "s", "", noCallYet).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdShades).FixedColor(blue)).
		WithTarget(over("A", "{{upstream}}", `(
    sum by (upstream) (rate(tlslift_request_duration_seconds_sum{upstream!~"_other|_denied",instance=~"$instance"}[$__rate_interval]))
  - sum by (upstream) (rate(tlslift_upstream_phase_duration_seconds_sum{phase="first_byte",instance=~"$instance"}[$__rate_interval]))
)
  / (sum by (upstream) (rate(tlslift_request_duration_seconds_count{upstream!~"_other|_denied",instance=~"$instance"}[$__rate_interval])) > 0)`).Interval("1m"))
}

func failures() *timeseries.PanelBuilder {
	return counts(newSeries("Failures by delivery", "Requests that the upstream failed. unknown may have been delivered: check before sending again.", "none", "requests", "No request has failed")).
		WithTarget(over("A", "{{delivery}}: {{reason}}", increments("delivery, reason", `tlslift_upstream_failures_total{instance=~"$instance"}`)+` > 0`).Interval("5m")).
		OverrideByRegexp("^unknown.*", []dashboard.DynamicConfigValue{fixed(red)}).
		OverrideByRegexp("^not_sent.*", []dashboard.DynamicConfigValue{fixed(orange)})
}

func pool() *timeseries.PanelBuilder {
	return newSeries("Pool", "Connections to upstreams now. Idle ones are warm: a request on them pays for no handshake.", "none", "connections", "No connection to an upstream yet").Decimals(0).
		WithTarget(over("A", "{{upstream}} {{state}}", `sum by (upstream, state) (tlslift_upstream_pool_connections{instance=~"$instance"})`).Interval("1m")).
		OverrideByRegexp(".* busy$", []dashboard.DynamicConfigValue{property("color", map[string]any{"mode": "shades", "fixedColor": blue})}).
		OverrideByRegexp(".* idle$", []dashboard.DynamicConfigValue{property("color", map[string]any{"mode": "shades", "fixedColor": grey}), dashed(6, 4)})
}

func saturation() *timeseries.PanelBuilder {
	return newSeries("Saturation", "How much of each limit the fullest instance uses. Calls that a limit refused are under Denied calls.", "percentunit", "", "No figures yet").AxisSoftMax(1).
		Legend(legend(common.LegendPlacementRight)).
		WithTarget(over("A", "{{resource}}", `max by (resource) (tlslift:limit_usage:ratio{instance=~"$instance"})`).Interval("1m"))
}

func denied() *timeseries.PanelBuilder {
	p := counts(newSeries("Denied calls by reason", "What tlslift refused before anything was sent. draining is every stop's.", "none", "calls", "No call was denied")).
		WithTarget(over("A", "{{reason}}", `sum by (reason) (increase(tlslift_denied_total{instance=~"$instance"}[$__interval])) > 0`).Interval("5m"))
	return paint(p, denialColours, sorted(denialColours)...)
}

func lost() *timeseries.PanelBuilder {
	p := counts(newSeries("Lost records", "Lines of the log that were dropped, and writes of the ledger that failed.", "none", "records", "Nothing was lost")).
		WithTarget(over("A", "log lines", `sum(increase(tlslift_log_lines_lost_total{instance=~"$instance"}[$__interval])) > 0`).Interval("5m")).
		WithTarget(over("B", "ledger writes", `sum(increase(tlslift_ledger_write_failures_total{instance=~"$instance"}[$__interval])) > 0`).Interval("5m"))
	return paint(p, colours{"log lines": orange, "ledger writes": red}, "log lines", "ledger writes")
}

func fleet() *table.PanelBuilder {
	p := newTable("Sidecars, and which can be removed",
		"Removable: no upgrade of any kind for 31 days, watched throughout, and not insecure.",
		"No sidecar is scraped")
	for _, q := range []struct{ ref, expr string }{
		{"A", `count by (client) (tlslift_upgrades_total{client=~".+/.+",from="none",instance=~"$instance"})`},
		{"B", `max by (client, state) (tlslift:client_state{client=~".+/.+"}) and on (client) CHOSEN`},
		{"C", `sum by (client) (sum_over_time(tlslift:client_upgrades:rate5m{client=~".+/.+"}[1d])) * 60 and on (client) CHOSEN`},
		{"D", `1000 * max by (client) (tlslift:client_last_upgrade_timestamp_seconds:max{client=~".+/.+"}) and on (client) CHOSEN`},
		{"E", `(time() - max by (client) (tlslift:client_upgrades_watched_since_timestamp_seconds{client=~".+/.+"})) / 86400 and on (client) CHOSEN`},
		{"F", `max by (client) (tlslift:client_removable{client=~".+/.+"}) and on (client) CHOSEN
or 0 * max by (client) (tlslift:client_upgrades_watched_since_timestamp_seconds{client=~".+/.+"}) and on (client) CHOSEN`},
	} {
		// A rule has no instance: with All, it also selects clients that no
		// instance exports any more.
		p.WithTarget(rows(q.ref, strings.ReplaceAll(q.expr, "CHOSEN", `{__name__=~"tlslift:client_known|tlslift_upgrades_total",instance=~"$instance"}`)))
	}
	return joined(merged(p).SortBy(sorting("removable", true)), []column{
		clientColumn("workload", 0),
		numberColumn("Value #A", "pods", 70),
		{field: "state", title: "state", width: 100, props: words(stateColours)},
		numberColumn("Value #C", "upgrades/day", 120),
		sinceColumn("Value #D", "last upgrade", 160),
		numberColumn("Value #E", "days watched", 120),
		{field: "Value #F", title: "removable", width: 110, props: yes("can go", green, "needed", grey)},
	}, "Value #B")
}

func reloads() *table.PanelBuilder {
	p := newTable("Reloads", "Where the last reload failed, the configuration before it is still in force. The same hash is the same configuration.",
		"No instance is scraped").
		WithTarget(rows("A", `max by (instance) (tlslift_config_last_reload_successful{instance=~"$instance"})`)).
		WithTarget(rows("B", `1000 * max by (instance) (tlslift_config_last_reload_success_timestamp_seconds{instance=~"$instance"})`)).
		WithTarget(rows("C", `max by (instance, version) (tlslift_build_info{instance=~"$instance"})`)).
		WithTarget(rows("D", `max by (instance, hash) (tlslift_config_hash_info{instance=~"$instance"})`))
	return joined(merged(p).SortBy(sorting("configuration", false)), []column{
		{field: "instance", title: "instance"},
		{field: "version", title: "version", width: 75},
		{field: "Value #A", title: "configuration", width: 110, props: yes("loaded", green, "refused", red)},
		sinceColumn("Value #B", "last loaded", 120),
		{field: "hash", title: "hash", width: 140},
	}, "Value #C", "Value #D")
}
