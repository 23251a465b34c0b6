package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func newDashboard(uid, title, description, from string, variables ...cog.Builder[dashboard.VariableModel]) *dashboard.DashboardBuilder {
	d := dashboard.NewDashboardBuilder(title).
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
	for _, v := range variables {
		d = d.WithVariable(v)
	}
	return d
}

// Each panel has its own text for the case that it has nothing to show.

func newStat(title, description, unit, nothing string) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).NoValue(nothing).
		Thresholds(judged()).
		ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone).
		TextMode(common.BigValueTextModeValueAndName).JustifyMode(common.BigValueJustifyModeCenter).
		Text(common.NewVizTextDisplayOptionsBuilder().TitleSize(12).ValueSize(32)).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
}

func newSeries(title, description, unit, axis, nothing string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(title).Description(description).Datasource(source()).Unit(unit).AxisLabel(axis).NoValue(nothing).
		Min(0).LineWidth(1.5).FillOpacity(8).ShowPoints(common.VisibilityModeAuto).
		Legend(legend(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
}

func legend(place common.LegendPlacement) *common.VizLegendOptionsBuilder {
	return common.NewVizLegendOptionsBuilder().DisplayMode(common.LegendDisplayModeList).Placement(place).ShowLegend(true)
}

// stacked makes stacked areas.
func stacked(p *timeseries.PanelBuilder, mode common.StackingMode) *timeseries.PanelBuilder {
	return p.FillOpacity(70).LineWidth(0.5).
		Stacking(common.NewStackingConfigBuilder().Mode(mode).Group("A"))
}

// counts makes stacked bars: how often something happened within each interval.
func counts(p *timeseries.PanelBuilder) *timeseries.PanelBuilder {
	return stacked(p, common.StackingModeNormal).DrawStyle(common.GraphDrawStyleBars).LineWidth(0).FillOpacity(85).
		BarAlignment(common.BarAlignmentCenter).BarWidthFactor(0.9).Decimals(0)
}

func newTable(title, description, nothing string) *table.PanelBuilder {
	return table.NewPanelBuilder().Title(title).Description(description).Datasource(source()).NoValue(nothing).
		CellHeight(common.TableCellHeightSm).Filterable(true).
		Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{"sum"}).CountRows(false))
}

// column is a column of a table that is joined from several queries.
type column struct {
	field string // label, or "Value #REF"
	title string
	width int    // pixels; 0 = the remaining width
	empty string // text of a cell without a value
	props []dashboard.DynamicConfigValue
}

// merged joins the answers of several queries into one table.
func merged(p *table.PanelBuilder) *table.PanelBuilder {
	return p.WithTransformation(dashboard.DataTransformerConfig{Id: "merge", Options: map[string]any{}})
}

// inOrder sorts the rows by a field, largest first. The field need not be a column.
func inOrder(p *table.PanelBuilder, field string) *table.PanelBuilder {
	return p.WithTransformation(dashboard.DataTransformerConfig{Id: "sortBy", Options: map[string]any{
		"fields": map[string]any{}, "sort": []any{map[string]any{"field": field, "desc": true}},
	}})
}

// joined gives a merged table the given columns, in this order, and no others.
func joined(p *table.PanelBuilder, columns []column, drop ...string) *table.PanelBuilder {
	hidden, order, names := map[string]bool{"Time": true}, map[string]int{}, map[string]string{}
	for _, d := range drop {
		hidden[d] = true
	}
	for i, c := range columns {
		order[c.field] = i
		names[c.field] = c.title
		props := append(c.props, property("noValue", c.empty)) // otherwise the cell shows the panel's own text
		if c.width != 0 {
			props = append(props, property("custom.width", c.width))
		}
		p.OverrideByName(c.title, props)
	}
	return p.
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": hidden, "indexByName": order, "renameByName": names, "includeByName": map[string]any{},
		}})
}

func sorting(column string, descending bool) []cog.Builder[common.TableSortByFieldState] {
	return []cog.Builder[common.TableSortByFieldState]{common.NewTableSortByFieldStateBuilder().DisplayName(column).Desc(descending)}
}

// Columns that several tables share.

func clientColumn(title string, width int) column {
	return column{field: "client", title: title, width: width, props: []dashboard.DynamicConfigValue{toClient()}}
}

func verdictColumn(width int) column {
	return column{field: "verdict", title: "verdict", width: width, props: []dashboard.DynamicConfigValue{toFix()}}
}

func sinceColumn(field, title string, width int) column {
	return column{field: field, title: title, width: width, empty: "never", props: []dashboard.DynamicConfigValue{property("unit", "dateTimeFromNow")}}
}

func numberColumn(field, title string, width int) column {
	return column{field: field, title: title, width: width, props: []dashboard.DynamicConfigValue{property("unit", "none"), property("decimals", 0)}}
}
