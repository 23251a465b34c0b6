package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Colours, the same word always the same one. They differ in brightness too,
// for readers who do not tell red from green.
const (
	red    = "#d1453b"
	orange = "#e8a33d"
	green  = "#2f9e6e"
	blue   = "#3c78c8"
	grey   = "#8e8e97"
)

var (
	stateColours   = colours{"insecure": red, "mixed": orange, "migrated": green, "silent": grey, "unseen": blue, "no-calls": "#b8b8c0"}
	versionColours = colours{
		"plain http": red, "TLS ssl3": "#a3271f", "TLS 1.0": orange, "TLS 1.1": "#d9c04a", "TLS 1.2": "#7fc29b", "TLS 1.3": green,
	}

	states   = []string{"insecure", "mixed", "silent", "unseen", "migrated"}
	versions = []string{"plain http", "TLS ssl3", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"}
)

// colours gives series their colour by name.
type colours map[string]string

// source is the data source that the dashboard's variable names: no dashboard
// knows the UID of one.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

func newDashboard(uid, title, description, from string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder(title).
		Uid(uid).
		Description(description).
		Tags([]string{"tlslift"}).
		Time(from, "now").
		Timezone(common.TimeZoneBrowser).
		Refresh("5m").
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
		Link(dashboard.NewDashboardLinkBuilder("tlslift").
			Type(dashboard.DashboardLinkTypeDashboards).Tags([]string{"tlslift"}).IncludeVars(true).KeepTime(false))
}

// now asks for the value at the end of the range.
func now(ref, legend, expr string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Expr(expr).LegendFormat(legend).Instant().Datasource(source())
}

// rows asks for the values at the end of the range as rows of a table.
func rows(ref, expr string) *prometheus.DataqueryBuilder {
	return now(ref, "", expr).Format(prometheus.PromQueryFormatTable)
}

// over asks for the values over the range.
func over(ref, legend, expr string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Expr(expr).LegendFormat(legend).Range().Datasource(source())
}

func newStat(title, description, unit string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).
		ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValueAndName).JustifyMode(common.BigValueJustifyModeCenter).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
}

func newSeries(title, description, unit string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).
		Min(0).LineWidth(1.5).FillOpacity(8).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom).ShowLegend(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
}

// stacked makes areas that add up.
func stacked(p *timeseries.PanelBuilder, mode common.StackingMode) *timeseries.PanelBuilder {
	return p.FillOpacity(70).LineWidth(0.5).
		Stacking(common.NewStackingConfigBuilder().Mode(mode).Group("A"))
}

// counts makes bars that add up: how often within each interval.
func counts(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return stacked(p, common.StackingModeNormal).DrawStyle(common.GraphDrawStyleBars).LineWidth(0).FillOpacity(85).
		BarAlignment(common.BarAlignmentCenter).BarWidthFactor(0.9).Decimals(0)
}

func newTable(title, description string) *table.PanelBuilder {
	return table.NewPanelBuilder().Title(title).Description(description).Datasource(source()).
		CellHeight(common.TableCellHeightSm).Filterable(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"}).CountRows(false))
}

// column is a column of a table that is joined from several queries.
type column struct {
	field string // label, or "Value #REF"
	title string
	width int // pixels; 0 = what is left
	props []dashboard.DynamicConfigValue
}

// joined merges the answers of several queries into one table with the given
// columns, in that order, and no others.
func joined(p *table.PanelBuilder, columns []column, drop ...string) *table.PanelBuilder {
	hidden, order, names := map[string]bool{"Time": true}, map[string]int{}, map[string]string{}
	for _, d := range drop {
		hidden[d] = true
	}
	for i, c := range columns {
		order[c.field] = i
		names[c.field] = c.title
		props := c.props
		if c.width != 0 {
			props = append(props, property("custom.width", c.width))
		}
		if len(props) != 0 {
			p.OverrideByName(c.title, props)
		}
	}
	return p.
		WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": hidden, "indexByName": order, "renameByName": names, "includeByName": map[string]any{},
		}})
}

func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

func fixed(colour string) dashboard.DynamicConfigValue {
	return property("color", map[string]any{"mode": "fixed", "fixedColor": colour})
}

// overrider is what the panel builders have in common here.
type overrider[B any] interface {
	OverrideByName(name string, properties []dashboard.DynamicConfigValue) B
}

// paint gives the panel's series their colours.
func paint[B overrider[B]](p B, c colours, order ...string) B {
	for _, name := range order {
		p = p.OverrideByName(name, []dashboard.DynamicConfigValue{fixed(c[name])})
	}
	return p
}

// words maps the values of a column to coloured words.
func words(c colours) []dashboard.DynamicConfigValue {
	options := make(map[string]any)
	for word, colour := range c {
		options[word] = map[string]any{"color": colour}
	}
	return []dashboard.DynamicConfigValue{
		property("mappings", []any{map[string]any{"type": "value", "options": options}}),
		property("custom.cellOptions", map[string]any{"type": "color-text"}),
	}
}

// steps are thresholds: the first colour from below, then each from its value.
func steps(base string, more ...dashboard.Threshold) *dashboard.ThresholdsConfigBuilder {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: base}}, more...))
}

func from(value float64, colour string) dashboard.Threshold {
	return dashboard.Threshold{Value: cog.ToPtr(value), Color: colour}
}
