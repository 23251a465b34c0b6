package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// notDrawn is the text of an empty chart: with a range of 30 days, the steps are
// too long for the first hour.
const notDrawn = "Nothing to draw in this range. In the first hour, choose a shorter one."

// migration is the dashboard for the owner of the migration: how far it has come,
// how fast it is going, and which clients are left.
func migration() *dashboard.DashboardBuilder {
	return newDashboard("tlslift-migration", "tlslift / Migration",
		"Which clients still need tlslift, and how fast they become fewer.", "now-30d", clientVariable(), statusPage()).
		WithPanel(shareOfClients().Height(5).Span(3)).
		WithPanel(shareOfConnections().Height(5).Span(3)).
		WithPanel(clientsByState().Height(5).Span(8)).
		WithPanel(target().Height(5).Span(7)).
		WithPanel(collectingSince().Height(5).Span(3)).
		WithPanel(burnDown().Height(10).Span(15)).
		WithPanel(statesOverTime().Height(10).Span(9)).
		WithPanel(clients().Height(12).Span(24)).
		WithPanel(newlyInsecure().Height(8).Span(8)).
		WithPanel(silent().Height(8).Span(8)).
		WithPanel(noCalls().Height(8).Span(8)).
		WithPanel(versionMix().Height(8).Span(8)).
		WithPanel(hellos().Height(8).Span(8)).
		WithPanel(failedHandshakes().Height(8).Span(8)).
		WithPanel(secrets("Secrets in clear", "that anyone between the client and tlslift could read", "clear").Height(8).Span(12)).
		WithPanel(secrets("Secrets over old TLS", "that only TLS 1.0 or 1.1 protected, which is weak", "old_tls").Height(8).Span(12))
}

func shareOfClients() *stat.PanelBuilder {
	return newStat("Insecure clients", "Clients that were insecure within the last two weeks, of all clients that made a call in that time.", "percentunit", "no calls yet").
		Decimals(0).Thresholds(judged(from(0, green), from(0.0001, orange), from(0.25, red))).
		WithTarget(now("A", "now", `tlslift:insecure_clients:ratio`)).
		WithTarget(now("B", "last week", `tlslift:insecure_clients:ratio offset 1w`))
}

func shareOfConnections() *stat.PanelBuilder {
	return newStat("Insecure connections", "Of the day's connections, those in clear or with TLS below 1.2. Not of requests: those inside spliced TLS cannot be seen.", "percentunit", "collecting").
		Decimals(0).Thresholds(judged(from(0, green), from(0.0001, orange), from(0.25, red))).
		WithTarget(now("A", "now", `tlslift:insecure_connections:ratio1d`)).
		WithTarget(now("B", "last week", `tlslift:insecure_connections:ratio1d offset 1w`))
}

func clientsByState() *stat.PanelBuilder {
	p := newStat("Clients by state", "Silent is not migrated: no call for two weeks, or migrated and failing now. Unseen: named in the configuration, never seen. No-calls: connected and never made a call, as a scanner or a health check does; in no share.", "none", "no clients yet").
		Decimals(0).Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(11).ValueSize(32))
	for i, state := range states {
		p.WithTarget(now(string(rune('A'+i)), "{{state}}", `tlslift:clients:count{state="`+state+`"}`))
	}
	return paint(p, stateColours, states...)
}

func target() *stat.PanelBuilder {
	return newStat("Target", "Days to policy.target, the clients a week that it needs, and how many fewer there were a week over the last 28 days. The pace takes 14 days of history, the course a target too.", "suffix:clients", "no target").
		Decimals(1).Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(12).ValueSize(17)).
		WithTarget(now("A", "left", `floor((tlslift:target_timestamp_seconds:min - time()) / 86400)`)).
		WithTarget(now("B", "needed/week", `tlslift:insecure_clients:needed_per_week`)).
		WithTarget(now("C", "fewer/week", `-604800 * tlslift:insecure_clients:deriv28d`)).
		WithTarget(now("D", "course", course)).
		OverrideByName("left", []dashboard.DynamicConfigValue{property("decimals", 0), property("unit", "suffix:days")}).
		OverrideByName("course", []dashboard.DynamicConfigValue{mapped(map[string]any{
			"0": map[string]any{"text": "off track", "color": red},
			"1": map[string]any{"text": "on track", "color": green},
			"2": map[string]any{"text": "none left", "color": green},
		})})
}

// course matches tlslift's page and report: 0 off track, 1 on track, 2 none left.
// MigrationOffTrack alerts when it is off track.
const course = `2 + 0 * (tlslift:insecure_clients:count == 0)
or 0 * (
     (tlslift:target_timestamp_seconds:min <= time())
  or (tlslift:insecure_clients:end_timestamp_seconds > tlslift:target_timestamp_seconds:min)
  or (
       (tlslift:insecure_clients:deriv28d > -0.5 / (28 * 86400))
       and on () (min(tlslift:client_first_seen_timestamp_seconds:min) <= time() - 28 * 86400)
     )
)
or 1 + 0 * (tlslift:insecure_clients:end_timestamp_seconds <= tlslift:target_timestamp_seconds:min)`

func collectingSince() *stat.PanelBuilder {
	return newStat("Collecting since", "Since when Prometheus has figures of this migration. What happened before is in none of these panels. A week ago takes 7 days, the pace 14, the whole forecast 28.", "dateTimeFromNow", "no figures yet").
		TextMode(common.BigValueTextModeValue).Text(common.NewVizTextDisplayOptionsBuilder().ValueSize(18)).
		WithTarget(now("A", "", `1000 * min_over_time(tlslift:insecure_clients:observed_timestamp_seconds[400d])`))
}

// The burn-down looks as far ahead as it looks back, so it has its own range.
const (
	burnDownSpan = "90d" // in total
	burnDownBack = "45d"
)

func burnDown() *timeseries.PanelBuilder {
	return newSeries("Burn-down",
		"Insecure clients, and the pace of the last 28 days continued. A client counts until it was not insecure for two weeks, or its migration was declared. The line that is needed ends at the target.",
		"none", "clients", "Begins within three hours of the first call").
		TimeFrom("+"+burnDownSpan).TimeShift(burnDownBack).HideTimeOverride(true).
		Decimals(0).AxisSoftMax(5).LineWidth(2).
		WithTarget(over("A", "insecure clients", `tlslift:insecure_clients:count`)).
		WithTarget(over("B", "forecast", forecast)).
		WithTarget(over("C", "needed", needed)).
		WithTarget(over("D", "target", targetMark)).
		OverrideByName("insecure clients", []dashboard.DynamicConfigValue{fixed(red), property("custom.fillOpacity", 18)}).
		OverrideByName("forecast", []dashboard.DynamicConfigValue{fixed(red), dashed(8, 6), property("custom.fillOpacity", 0)}).
		OverrideByName("needed", []dashboard.DynamicConfigValue{fixed(blue), dashed(2, 6), property("custom.fillOpacity", 0)}).
		OverrideByName("target", []dashboard.DynamicConfigValue{
			fixed(blue), property("custom.drawStyle", "bars"), property("custom.fillOpacity", 100), property("custom.lineWidth", 2),
		})
}

// The panel also asks for future times, at which the rules have no value yet, so
// the last value counts.
const forecast = `clamp_min(
  last_over_time(tlslift:insecure_clients:count[60d])
    + last_over_time(tlslift:insecure_clients:deriv28d[60d])
    * (time() - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 600),
  0
)`

// A line from the last count to zero at the target.
const needed = `last_over_time(tlslift:insecure_clients:count[60d])
  * (last_over_time(tlslift:target_timestamp_seconds:min[60d]) - time() >= 0)
  / (last_over_time(tlslift:target_timestamp_seconds:min[60d])
    - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 0)
  and on () time() - last_over_time(tlslift:insecure_clients:observed_timestamp_seconds[60d]) > 600`

// One bar, at the last step before the target.
const targetMark = `max_over_time(tlslift:insecure_clients:count[90d])
  and on () 0 <= last_over_time(tlslift:target_timestamp_seconds:min[60d]) - time() < $__interval_ms / 1000`

// statesOverTime leaves out clients that never made a call, because there is
// nothing to migrate.
func statesOverTime() *timeseries.PanelBuilder {
	calling := states[:len(states)-1]
	p := newSeries("Clients by state over time", "Every client that ever made a call, or is named in the configuration, is in exactly one state.", "none", "clients", notDrawn).
		Decimals(0)
	for i, state := range calling { // one query per state, so that they are stacked in this order
		p.WithTarget(over(string(rune('A'+i)), "{{state}}", `tlslift:clients:count{state="`+state+`"}`))
	}
	return paint(stacked(p, common.StackingModeNormal), stateColours, calling...)
}

// versionSeries adds one query per TLS version, so that they are stacked in the
// order of the versions. In expr, VERSION is replaced by a matcher for the
// version, and HIGHER by one for all higher versions.
func versionSeries(p *timeseries.PanelBuilder, label, interval, expr string, names ...string) *timeseries.PanelBuilder {
	labels := map[string]string{"plain HTTP": "none", "SSL 3.0": "ssl3"}
	var values []string
	for _, name := range names {
		values = append(values, cmp.Or(labels[name], strings.TrimPrefix(name, "TLS ")))
	}
	for i, name := range names {
		query := strings.NewReplacer(
			"VERSION", fmt.Sprintf("%s=%q", label, values[i]),
			"HIGHER", fmt.Sprintf("%s=~%q", label, strings.Join(values[i+1:], "|")),
		).Replace(expr)
		p.WithTarget(over(string(rune('A'+i)), name, query).Interval(interval))
	}
	return paint(p, versionColours, names...)
}

func versionMix() *timeseries.PanelBuilder {
	p := newSeries("Connections by TLS version", "Share of the connections on the client's side.", "suffix:an hour", "", notDrawn)
	return versionSeries(stacked(p, common.StackingModePercent), "tls_version", "10m",
		`3600 * sum by (tls_version) (rate(tlslift_client_connections_total{handling!~"tunnelled|refused",VERSION,client=~"$client"}[$__rate_interval]))`, versions...)
}

func hellos() *timeseries.PanelBuilder {
	p := newSeries("What clients could do", "Clients by the highest TLS version that they offered within a day. Those with 1.2 or 1.3 seldom need new software: their verdict says so if they do. A client of plain HTTP offers nothing.", "none", "clients", notDrawn).
		Decimals(0)
	return versionSeries(stacked(p, common.StackingModeNormal), "max_version", "",
		`count by (max_version) (sum_over_time(tlslift:client_hellos:rate5m{VERSION,client=~"$client"}[1d]) > 0`+
			` unless on (client) sum_over_time(tlslift:client_hellos:rate5m{HIGHER,client=~"$client"}[1d]) > 0)`, versions[1:]...)
}

func failedHandshakes() *timeseries.PanelBuilder {
	return perDay("Failed handshakes by reason", "TLS handshakes of clients that failed. client_rejected_ca: the client does not trust tlslift's CA. no_call: it succeeded, and nothing came after it.",
		"handshakes a day", "reason", `tlslift:client_handshake_failures:rate5m{client=~"$client"}`, failureColours)
}

func secrets(title, which, over string) *timeseries.PanelBuilder {
	return perDay(title, "Requests with a password, token or key "+which+". Change the secret once the client has migrated.",
		"requests a day", "kind", `tlslift:client_credentials_exposed:rate5m{over="`+over+`",client=~"$client"}`, secretColours)
}

// perDay adds up the rates of the rules over the 24 hours before each point in time.
func perDay(title, description, axis, by, rate string, c colours) *timeseries.PanelBuilder {
	p := newSeries(title, description+" In the 24 hours before each moment.", "none", axis, notDrawn).Decimals(0).
		WithTarget(over("A", "{{"+by+"}}", `sum by (`+by+`) (sum_over_time(`+rate+`[1d])) * 60 > 0`))
	return paint(stacked(p, common.StackingModeNormal), c, sorted(c)...)
}
