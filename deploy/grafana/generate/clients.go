package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/table"
)

// The tables of clients.

func clients() *table.PanelBuilder {
	p := newTable("Clients", "Every client of the fleet that made a call, is named in the configuration, or cannot call (failing: its TLS handshakes fail). Requests inside spliced TLS cannot be seen: a migrated client has none. A client links to its status page, a verdict to what to change. The instance is the one that saw it last: its status page knows the client.",
		"No client yet. Send one call through tlslift; it is here within four minutes.")
	for _, q := range []struct{ ref, expr string }{
		{"A", `max by (client, state) (KNOWN)`},
		{"B", `(
  label_replace(max by (client, verdict) (tlslift:client_verdict unless on (client) tlslift:client_suspected), "change", "$1", "verdict", "(.*)")
or
  label_replace(max by (client, verdict) (tlslift:client_verdict and on (client) tlslift:client_suspected), "change", "$1 suspected", "verdict", "(.*)")
) and on (client) KNOWN`},
		{"C", `max by (client, library, program) (tlslift:client_library_timestamp_seconds:max) and on (client) KNOWN`},
		{"D", `sum by (client) (sum_over_time(tlslift:client_requests:rate5m[1d])) * 60 and on (client) KNOWN`},
		{"E", `max by (client) (tlslift:client_last_insecure_timestamp_seconds:max) * 1000 and on (client) KNOWN`},
		{"F", `topk by (client) (1, max by (client, instance) ({__name__=~"tlslift_client_last_(insecure|secure|failed)_timestamp_seconds"} > 0)) and on (client) KNOWN`},
		// Order the rows: clients that are down first, then by the last insecure
		// call. This is not a column.
		{"G", `max by (client) (1e10 * tlslift:client_failing or on (client) tlslift:client_last_insecure_timestamp_seconds:max or on (client) KNOWN) and on (client) KNOWN`},
	} {
		p.WithTarget(rows(q.ref, strings.NewReplacer(
			"KNOWN", `(tlslift:client_failing{client=~"$client"} or on (client) tlslift:client_state{state!="no-calls",client=~"$client"})`,
		).Replace(q.expr)))
	}
	return joined(inOrder(merged(p), "Value #G"), []column{
		clientColumn("client", 180),
		{field: "state", title: "state", width: 90, props: words(rowColours)},
		verdictColumn(140),
		{field: "change", title: "what to change", props: []dashboard.DynamicConfigValue{mapped(sentences())}},
		{field: "program", title: "program", width: 110},
		{field: "library", title: "library", width: 130},
		numberColumn("Value #D", "requests/day", 110),
		sinceColumn("Value #E", "last insecure", 140),
		{field: "instance", title: "instance", width: 145, props: []dashboard.DynamicConfigValue{toInstance()}},
	}, "Value #A", "Value #B", "Value #C", "Value #F", "Value #G")
}

func sentences() map[string]any {
	options := make(map[string]any)
	for verdict, sentence := range changes {
		options[verdict] = map[string]any{"text": sentence}
	}
	for verdict, sentence := range suspected {
		options[verdict+" suspected"] = map[string]any{"text": sentence}
	}
	return options
}

// recently selects clients that were insecure within a week, but not in the five
// weeks before.
const recently = `(tlslift:client_last_insecure_timestamp_seconds:max{client=~"$client"} > time() - 7 * 86400)
  unless on (client) (tlslift:client_last_insecure_timestamp_seconds:max offset 7d > time() - 42 * 86400)
  and on () group(tlslift:client_known offset 7d)`

func newlyInsecure() *table.PanelBuilder {
	p := newTable("Newly insecure", "Insecure within a week, and not in the five weeks before it. In the first week every client would be.",
		"No client, or less than a week of history").
		WithTarget(rows("A", `1000 * max by (client) (`+"\n  "+recently+"\n)")).
		WithTarget(rows("B", "max by (client, verdict) (tlslift:client_verdict)\nand on (client) (\n  "+recently+"\n)"))
	return joined(merged(p).SortBy(sorting("last insecure", true)), []column{
		clientColumn("client", 0),
		verdictColumn(140),
		sinceColumn("Value #A", "last insecure", 140),
	}, "Value #B")
}

func silent() *table.PanelBuilder {
	const is = `and on (client) (tlslift:client_state{state="silent",client=~"$client"} unless on (client) tlslift:client_failing)`
	p := newTable("Silent", "Called once, and not for two weeks, nor tried to. Ask the owner: switched off, migrated past the proxy, or a job that runs rarely?",
		"No client has fallen silent").
		WithTarget(rows("A", `1000 * max by (client) ({__name__=~"tlslift:client_last_(insecure|secure)_timestamp_seconds:max"})`+"\n"+is)).
		WithTarget(rows("B", `max by (client, library, program) (tlslift:client_library_timestamp_seconds:max)`+"\n"+is))
	return joined(merged(p).SortBy(sorting("last call", true)), []column{
		clientColumn("client", 0),
		{field: "program", title: "program", width: 90},
		{field: "library", title: "library", width: 125},
		sinceColumn("Value #A", "last call", 105),
	}, "Value #B")
}

func noCalls() *table.PanelBuilder {
	const is = `and on (client) (tlslift:client_state{state="no-calls",client=~"$client"} unless on (client) tlslift:client_failing)`
	p := newTable("Connected, never called", "State no-calls: in no share, and no client to migrate. A scanner, a health check, a client whose connections tlslift could not pass on, or a client that has not tried to call for two weeks. One whose TLS handshakes fail is in the table Clients, as failing.",
		"Every client that connected has made a call").
		WithTarget(rows("A", `1000 * max by (client) (tlslift:client_first_seen_timestamp_seconds:min)`+"\n"+is)).
		WithTarget(rows("B", `max by (client, verdict) (tlslift:client_verdict)`+"\n"+is)).
		WithTarget(rows("C", `sum by (client) (sum_over_time(tlslift:client_handshake_failures:rate5m[1d])) * 60`+"\n"+is))
	return joined(merged(p).SortBy(sorting("failed/day", true)), []column{
		clientColumn("client", 0),
		verdictColumn(128),
		numberColumn("Value #C", "failed/day", 84),
		sinceColumn("Value #A", "first seen", 114),
	}, "Value #B")
}
