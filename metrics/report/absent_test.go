package report

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A real Prometheus that last scraped an instance 30 days ago, and another
// program since: the series is long stale, and still counts within the lookback.
func TestARealPrometheusTellsAnIdleFleetFromNone(t *testing.T) {
	t.Parallel()
	prometheusPath, promtool := realPrometheus(t)
	scraped := func(name string, at time.Time) []string {
		return []string{fmt.Sprintf("%s{instance=\"a:9129\"} 1 %d\n", name, at.Unix())}
	}
	f := &fleetTest{t: t, types: make(map[string]string), series: map[string][]string{
		"tlslift_build_info": scraped("tlslift_build_info", now.Add(-30*dayLong)), "up": scraped("up", now.Add(-time.Minute)),
	}}
	url := f.prometheus(prometheusPath, promtool)
	o := PrometheusOptions{URL: url, Now: now}
	if r, err := FromPrometheus(t.Context(), o); err != nil || len(r.Clients) != 0 {
		t.Errorf("90 days back: %+v, %v", r, err)
	}
	o.Lookback = 7 * dayLong
	if _, err := FromPrometheus(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no series of tlslift were found in the last 7 days") {
		t.Errorf("7 days back: %v", err)
	}
}
