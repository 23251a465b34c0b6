package report

import (
	"fmt"
	"testing"
	"time"
)

// A real Prometheus that has seen clients which are in the configuration no more, or
// only no longer declared. Without a call, nothing is left of the first, as in the
// rules; a job whose instances are all down says the same as before.
func TestAClientRemovedFromTheConfigurationIsGone(t *testing.T) {
	t.Parallel()
	prometheusPath, promtool := realPrometheus(t)
	f := &fleetTest{t: t, types: make(map[string]string), series: make(map[string][]string)}
	before, current := now.Add(-2*dayLong), now.Add(-time.Minute)
	add := func(name, labels string, value int64, at time.Time) {
		f.series[name] = append(f.series[name], fmt.Sprintf("%s{%s} %d %d\n", name, labels, value, at.Unix()))
	}
	configured := func(client, source string, seen, declared time.Time, at time.Time) {
		labels := fmt.Sprintf("%s,client=%q", source, client)
		unix := func(t time.Time) int64 { return max(0, t.Unix()) }
		add("tlslift_client_first_seen_timestamp_seconds", labels, unix(seen), at)
		add("tlslift_client_last_failed_timestamp_seconds", labels, unix(seen), at)
		add("tlslift_client_declared_migrated_timestamp_seconds", labels, unix(declared), at)
	}
	const gone, up, down = `job="tlslift",instance="old:9129"`, `job="tlslift",instance="a:9129"`, `job="other",instance="b:9129"`
	never := time.Time{}
	configured("misdeclared", up, never, before, before)
	configured("misdeclared", gone, never, before, before)
	configured("seen", up, before, never, before)
	configured("unseen", up, never, never, current)
	configured("declaration-removed", gone, never, before, before)
	configured("declaration-removed", up, never, never, current)
	configured("of-what-is-down", down, never, before, before)
	add("tlslift_build_info", gone, 1, before)
	add("tlslift_build_info", down, 1, before)
	add("tlslift_build_info", up, 1, current)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: f.prometheus(prometheusPath, promtool), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for i := range r.Clients {
		c := &r.Clients[i]
		got[c.Client] = fmt.Sprint(c.State, " ", c.Notes(now))
	}
	want := map[string]string{
		"seen": "no-calls []", "unseen": "unseen []", "declaration-removed": "unseen []", "of-what-is-down": "unseen [misdeclared]",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}
