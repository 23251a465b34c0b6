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

// A real Prometheus that knows clients whose series ended, as a restart ends those
// of a discovered client that stays quiet. However short they were, the report says
// what they said. Of a client whose series are forgotten, the rules remember it.
func TestAQuietClientKeepsItsLibraryAndProgram(t *testing.T) {
	t.Parallel()
	prometheusPath, promtool := realPrometheus(t)
	f := &fleetTest{t: t, types: make(map[string]string), series: make(map[string][]string)}
	add := func(name, client, labels string, value int64, at time.Time) {
		f.series[name] = append(f.series[name], fmt.Sprintf("%s{client=%q,%s} %d %d\n", name, client, labels, value, at.Unix()))
	}
	const instance, library = `job="tlslift",instance="a:9129"`, "tlslift_client_library_info"
	shown := func(client, program string, at ...time.Time) {
		for _, at := range at {
			add("tlslift_client_first_seen_timestamp_seconds", client, instance, at.Unix(), at)
			add("tlslift_client_verdict_timestamp_seconds", client, instance+`,verdict="plaintext"`, at.Unix(), at)
			add(library, client, fmt.Sprintf(`%s,library="unknown",program=%q,identity_source="address"`, instance, program), 1, at)
		}
	}
	// The past is looked at in steps of 13 minutes of Unix time, and a sample counts for 5.
	step := time.Unix(now.Add(-2*dayLong).Unix()/780*780, 0)
	between := step.Add(time.Minute)
	shown("brief", "PHP", between)
	shown("long, then brief", "Java", step.Add(-13*time.Minute), step)
	shown("long, then brief", "PHP", between)
	shown("known before unknown", "unknown", between)
	shown("known before unknown", "PHP", between.Add(time.Minute))
	add("tlslift:client_last_insecure_timestamp_seconds:max", "forgotten", `cluster="c"`, between.Unix(), between)
	add("tlslift:client_verdict_timestamp_seconds:max", "forgotten", `cluster="c",verdict="plaintext"`, between.Unix(), between)
	for program, at := range map[string]time.Time{"Java": step, "PHP": between} {
		add("tlslift:client_library_timestamp_seconds:max", "forgotten", fmt.Sprintf(`cluster="c",library="OpenSSL 1.0.x",program=%q`, program), at.Unix(), at)
	}
	add("tlslift:client_library_timestamp_seconds:max", "brief", `cluster="c",library="Java 7",program="Java"`, now.Unix(), now)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: f.prometheus(prometheusPath, promtool), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for i := range r.Clients {
		c := &r.Clients[i]
		got[c.Client] = fmt.Sprintf("%s, %s, %s, %s", c.Library, c.Program, c.Source, c.FixKey)
	}
	want := map[string]string{
		"brief": ", PHP, address, plaintext/php", "long, then brief": ", Java, address, plaintext/java", // when it was brief is not known
		"known before unknown": ", PHP, address, plaintext/php", "forgotten": "OpenSSL 1.0.x, PHP, , plaintext/php/openssl-10",
	}
	for client, w := range want {
		if got[client] != w {
			t.Errorf("%s: %s; want %s", client, got[client], w)
		}
	}
}
