package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// source is the data source that the dashboard's variable names, because a
// dashboard cannot know the UID of one.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// now queries the value at the end of the range.
func now(ref, legend, expr string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Expr(expr).LegendFormat(legend).Instant().Datasource(source())
}

// rows queries the values at the end of the range, as rows of a table.
func rows(ref, expr string) *prometheus.DataqueryBuilder {
	return now(ref, "", expr).Format(prometheus.PromQueryFormatTable)
}

// over queries the values over the range.
func over(ref, legend, expr string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(ref).Expr(expr).LegendFormat(legend).Range().Datasource(source())
}

// increments returns how much counters grew within each interval. It includes
// their first value, which increase() never sees. As in rules.yml, a new series
// counts only if its instance was scraped before, or is itself new.
func increments(by, selector string) string {
	return strings.NewReplacer("BY", by, "SELECTOR", selector).Replace(`sum by (BY) (
    (
      SELECTOR
        unless SELECTOR offset $__interval
        and on (job, instance) (up offset $__interval == 1 or process_start_time_seconds > time() - $__interval_ms / 1000)
    )
  or
    increase(SELECTOR[$__interval])
)`)
}
