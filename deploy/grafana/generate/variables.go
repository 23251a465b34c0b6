package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// all is the value of All in the variables of the dashboards. It is a pattern, so
// that it also matches series without the label.
const all = ".*"

func clientVariable() *dashboard.QueryVariableBuilder {
	return choice("client", "Client", "What the tables of clients and the panels below them are about. The panels above them are always about the whole fleet.",
		"label_values(tlslift:client_known, client)")
}

func instanceVariable() *dashboard.QueryVariableBuilder {
	return choice("instance", "Instance", "The instances that the panels are about.",
		"label_values(tlslift_build_info, instance)")
}

func choice(name, label, description, query string) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Description(description).Datasource(source()).
		Query(dashboard.StringOrMap{String: cog.ToPtr(query)}).Definition(query).
		Multi(true).IncludeAll(true).AllValue(all).
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{String: cog.ToPtr("All")}, Value: dashboard.StringOrArrayOfString{String: cog.ToPtr("$__all")},
		}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc)
}

// statusPage is where the links to clients and fixes lead. The metrics cannot
// say, because they may be scraped at an address without pages.
func statusPage() *dashboard.TextBoxVariableBuilder {
	const address = "http://127.0.0.1:9128"
	return dashboard.NewTextBoxVariableBuilder("status_page").Label("Status page").
		Description("Where your browser reaches the status page of tlslift (admin.address): clients and verdicts link to it.").
		DefaultValue(dashboard.StringOrMap{String: cog.ToPtr(address)}).
		Current(dashboard.VariableOption{
			Selected: cog.ToPtr(true),
			Text:     dashboard.StringOrArrayOfString{String: cog.ToPtr(address)}, Value: dashboard.StringOrArrayOfString{String: cog.ToPtr(address)},
		})
}

// toClient links a client's name to its page, which says what it does and
// what to change.
func toClient() dashboard.DynamicConfigValue {
	return link("Status page of this client", "${status_page:raw}/clients/${__value.raw:percentencode}")
}

// toFix links a verdict to the page that says what to change.
func toFix() dashboard.DynamicConfigValue {
	return link("What to change", "${status_page:raw}/fixes/${__value.raw:percentencode}")
}

// toInstance links an instance to its service dashboard.
func toInstance() dashboard.DynamicConfigValue {
	return link("Service of this instance", "/d/tlslift-service?var-instance=${__value.raw:percentencode}&${datasource:queryparam}")
}

func link(title, url string) dashboard.DynamicConfigValue {
	return property("links", []any{map[string]any{"title": title, "url": url, "targetBlank": true}})
}
