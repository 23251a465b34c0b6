package main

import (
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// migration is the dashboard of the person who owns the migration: how far it
// is, how fast it goes, and who is left.
func migration() *dashboard.DashboardBuilder {
	return newDashboard("tlslift-migration", "tlslift / Migration",
		"Which clients still need tlslift, and how fast they become fewer.", "now-30d").
		WithPanel(shareOfClients().Height(5).Span(6)).
		WithPanel(shareOfConnections().Height(5).Span(6)).
		WithPanel(clientsByState().Height(5).Span(6)).
		WithPanel(target().Height(5).Span(6)).
		WithPanel(burnDown().Height(10).Span(15)).
		WithPanel(statesOverTime().Height(10).Span(9)).
		WithPanel(clients().Height(12).Span(24)).
		WithPanel(newlyInsecure().Height(8).Span(8)).
		WithPanel(silent().Height(8).Span(8)).
		WithPanel(versionMix().Height(8).Span(8)).
		WithPanel(hellos().Height(8).Span(8)).
		WithPanel(perDay("Failed handshakes by reason",
			"TLS handshakes of clients that failed. client_rejected_ca: the client does not trust tlslift's CA.",
			"{{reason}}", "tlslift:client_handshake_failures:rate5m").Height(8).Span(8)).
		WithPanel(perDay("Secrets in clear or over old TLS",
			"Requests with a password, token or key that could be read on the client's side, or that only TLS 1.0 or 1.1 protected. Change the secret once the client has migrated.",
			"{{kind}}", "tlslift:client_credentials_exposed:rate5m").Height(8).Span(8))
}

func shareOfClients() *stat.PanelBuilder {
	return newStat("Insecure clients", "Clients that were insecure within the last two weeks, over all that were active.", "percentunit").
		Decimals(0).Thresholds(steps(green, from(0.0001, orange), from(0.25, red))).
		WithTarget(now("A", "now", `tlslift:insecure_clients:ratio`)).
		WithTarget(now("B", "a week ago", `tlslift:insecure_clients:ratio offset 1w`))
}

func shareOfConnections() *stat.PanelBuilder {
	return newStat("Insecure connections", "Of the day's connections, those in clear or with TLS below 1.2. Not of requests: those inside spliced TLS cannot be seen.", "percentunit").
		Decimals(0).Thresholds(steps(green, from(0.0001, orange), from(0.25, red))).
		WithTarget(now("A", "now", `tlslift:insecure_connections:ratio1d`)).
		WithTarget(now("B", "a week ago", `tlslift:insecure_connections:ratio1d offset 1w`))
}

func clientsByState() *stat.PanelBuilder {
	p := newStat("Clients by state", "Silent is not migrated: nothing was seen of the client for two weeks.", "none").Decimals(0)
	for i, state := range states {
		p.WithTarget(now(string(rune('A'+i)), "{{state}}", `tlslift:clients:count{state="`+state+`"}`))
	}
	return paint(p, stateColours, states...)
}

func target() *stat.PanelBuilder {
	return newStat("Target", "Days to policy.target; how many clients a week it needs; how many fewer there were a week, by the line of best fit through the last 28 ends of days.", "none").
		Decimals(1).NoValue("no target").
		WithTarget(now("A", "days left", `floor((tlslift:target_timestamp_seconds:min - time()) / 86400)`)).
		WithTarget(now("B", "clients a week are needed", `tlslift:insecure_clients:needed_per_week`)).
		WithTarget(now("C", "fewer a week", `-604800 * tlslift:insecure_clients:deriv28d`)).
		OverrideByName("days left", []dashboard.DynamicConfigValue{property("decimals", 0)})
}

// The burn-down looks as far ahead as back: its range is its own.
const (
	burnDownSpan = "90d" // of which
	burnDownBack = "45d"
)

func burnDown() *timeseries.PanelBuilder {
	return newSeries("Burn-down",
		"Insecure clients, and the pace of the last 28 days continued. A client counts until it was not insecure for two weeks, or its migration was declared. The line that is needed ends at the target.", "none").
		TimeFrom("+"+burnDownSpan).TimeShift(burnDownBack).HideTimeOverride(true).
		Decimals(0).AxisSoftMax(5).LineWidth(2).
		WithTarget(over("A", "insecure clients", `tlslift:insecure_clients:count`)).
		WithTarget(over("B", "forecast", forecast)).
		WithTarget(over("C", "needed", needed)).
		WithTarget(over("D", "target", targetMark)).
		OverrideByName("insecure clients", []dashboard.DynamicConfigValue{fixed(red), property("custom.fillOpacity", 18)}).
		OverrideByName("forecast", []dashboard.DynamicConfigValue{
			fixed(red), property("custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{8, 6}}), property("custom.fillOpacity", 0),
		}).
		OverrideByName("needed", []dashboard.DynamicConfigValue{
			fixed(blue), property("custom.lineStyle", map[string]any{"fill": "dash", "dash": []int{2, 6}}), property("custom.fillOpacity", 0),
		}).
		OverrideByName("target", []dashboard.DynamicConfigValue{
			fixed(blue), property("custom.drawStyle", "bars"), property("custom.fillOpacity", 100), property("custom.lineWidth", 2),
		})
}

// It is asked for times to come, at which the rules have no value yet: the last
// one that there was counts.
const forecast = `clamp_min(
  last_over_time(tlslift:insecure_clients:count[60d])
    + last_over_time(tlslift:insecure_clients:deriv28d[60d])
    * (time() - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 600),
  0
)`

// From the last count straight to none at the target.
const needed = `last_over_time(tlslift:insecure_clients:count[60d])
  * (last_over_time(tlslift:target_timestamp_seconds:min[60d]) - time() >= 0)
  / (last_over_time(tlslift:target_timestamp_seconds:min[60d])
    - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 0)
  and on () time() - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 600`

// One bar, at the last step before the target.
const targetMark = `max_over_time(tlslift:insecure_clients:count[90d])
  and on () 0 <= last_over_time(tlslift:target_timestamp_seconds:min[60d]) - time() < $__interval_ms / 1000`

func statesOverTime() *timeseries.PanelBuilder {
	p := newSeries("Clients by state over time", "Every known client is in exactly one state.", "none").Decimals(0)
	for i, state := range states { // a query each, so that they lie upon each other in this order
		p.WithTarget(over(string(rune('A'+i)), "{{state}}", `tlslift:clients:count{state="`+state+`"}`))
	}
	return paint(stacked(p, common.StackingModeNormal), stateColours, states...)
}

func clients() *table.PanelBuilder {
	p := newTable("Clients", "Every client of the fleet. Requests inside spliced TLS cannot be seen: a migrated client has none.").
		WithTarget(rows("A", `max by (client, state) (tlslift:client_state)`)).
		WithTarget(rows("B", `max by (client, verdict) (tlslift:client_verdict)`)).
		WithTarget(rows("C", `max by (client, library, program) (tlslift:client_library_timestamp_seconds:max)`)).
		WithTarget(rows("D", `sum by (client) (sum_over_time(tlslift:client_requests:rate5m[1d])) * 60`)).
		WithTarget(rows("E", `max by (client) (tlslift:client_last_insecure_timestamp_seconds:max) * 1000`)).
		SortBy([]cog.Builder[common.TableSortByFieldState]{sortBy("last insecure", true)})
	return joined(p, []column{
		{field: "client", title: "client"},
		{field: "state", title: "state", width: 110, props: words(stateColours)},
		{field: "verdict", title: "verdict", width: 150},
		{field: "program", title: "program", width: 140},
		{field: "library", title: "library", width: 200},
		{field: "Value #D", title: "requests/day", width: 130, props: []dashboard.DynamicConfigValue{property("unit", "none"), property("decimals", 0)}},
		{field: "Value #E", title: "last insecure", width: 160, props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}},
	}, "Value #A", "Value #B", "Value #C")
}

func newlyInsecure() *table.PanelBuilder {
	p := newTable("Newly insecure", "Insecure within a week, and not in the five weeks before it.").
		WithTarget(rows("A", `1000 * max by (client) (
  (tlslift:client_last_insecure_timestamp_seconds:max > time() - 7 * 86400)
  unless on (client) (tlslift:client_last_insecure_timestamp_seconds:max offset 7d > time() - 42 * 86400)
  and on () group(tlslift:client_known offset 7d)
)`)).
		WithTarget(rows("B", `max by (client, verdict) (tlslift:client_verdict)
and on (client) (tlslift:client_last_insecure_timestamp_seconds:max > time() - 7 * 86400)
unless on (client) (tlslift:client_last_insecure_timestamp_seconds:max offset 7d > time() - 42 * 86400)
and on () group(tlslift:client_known offset 7d)`)).
		SortBy([]cog.Builder[common.TableSortByFieldState]{sortBy("last insecure", true)})
	return joined(p, []column{
		{field: "client", title: "client"},
		{field: "verdict", title: "verdict", width: 140},
		{field: "Value #A", title: "last insecure", width: 140, props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}},
	}, "Value #B")
}

func silent() *table.PanelBuilder {
	p := newTable("Silent", "Seen once, and not for two weeks. Ask the owner: switched off, migrated past the proxy, or a job that runs rarely?").
		WithTarget(rows("A", `1000 * max by (client) ({__name__=~"tlslift:client_last_(insecure|secure)_timestamp_seconds:max"})
and on (client) tlslift:client_state{state="silent"}`)).
		WithTarget(rows("B", `max by (client, library, program) (tlslift:client_library_timestamp_seconds:max)
and on (client) tlslift:client_state{state="silent"}`)).
		SortBy([]cog.Builder[common.TableSortByFieldState]{sortBy("last seen", true)})
	return joined(p, []column{
		{field: "client", title: "client"},
		{field: "program", title: "program", width: 130},
		{field: "library", title: "library", width: 150},
		{field: "Value #A", title: "last seen", width: 140, props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}},
	}, "Value #B")
}

func versionMix() *timeseries.PanelBuilder {
	const mix = `sum by (tls_version) (avg_over_time(tlslift:connections:rate5m{tls_version%s}[$__rate_interval]))`
	p := newSeries("Version mix", "Connections by TLS version on the client's side.", "percentunit").
		WithTarget(over("A", "plain http", fmt.Sprintf(mix, `="none"`)).Interval("10m")).
		WithTarget(over("B", "TLS {{tls_version}}", fmt.Sprintf(mix, `!="none"`)).Interval("10m"))
	return paint(stacked(p, common.StackingModePercent), versionColours, versions...)
}

func hellos() *timeseries.PanelBuilder {
	p := newSeries("What they could do", "Clients by the highest TLS version they offered within a day. Those with 1.2 or 1.3 need no upgrade of their software.", "none").
		Decimals(0).
		WithTarget(over("A", "TLS {{max_version}}", `tlslift:clients_by_max_version:count`))
	return paint(stacked(p, common.StackingModeNormal), versionColours, versions...)
}

// perDay counts what the rates of the rules add up to in the 24 hours before
// each moment.
func perDay(title, description, legend, rate string) *timeseries.PanelBuilder {
	word := strings.Trim(legend, "{}")
	return stacked(newSeries(title, description+" In the 24 hours before each moment.", "none"), common.StackingModeNormal).
		AxisLabel("per day").NoValue("none").
		WithTarget(over("A", legend, `sum by (`+word+`) (sum_over_time(`+rate+`[1d])) * 60 > 0`))
}

func sortBy(column string, descending bool) cog.Builder[common.TableSortByFieldState] {
	return common.NewTableSortByFieldStateBuilder().DisplayName(column).Desc(descending)
}
