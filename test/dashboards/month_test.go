package dashboards

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/metrics/report"
	"tlslift/proxy/call"
	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
)

// query asks one expression at a time.
func query(t *testing.T, s *prom.Server, expr string, at time.Time) []prom.Series {
	t.Helper()
	series, err := s.Query(t.Context(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	return series
}

// clients are the values of the label client, sorted.
func clients(series []prom.Series) []string {
	var names []string
	for _, s := range series {
		names = append(names, s.Labels["client"])
	}
	slices.Sort(names)
	return names
}

// states: on each day, the rules over the fleet say of each client what the
// ledger would say who had seen it all.
func states(t *testing.T, s *prom.Server, w *thirty.World) {
	for d := range thirty.Days {
		h := w.HourAt(thirty.Now.Add(-time.Duration(d) * 24 * time.Hour))
		want := h.States()
		got := make(map[string]string)
		for _, series := range query(t, s, "tlslift:client_state", h.At) {
			if name := series.Labels["client"]; got[name] != "" {
				t.Errorf("%s: %s is %s and %s", h.At, name, got[name], series.Labels["state"])
			}
			got[series.Labels["client"]] = series.Labels["state"]
		}
		for name, state := range want {
			// A sidecar that does not run is known once it was seen.
			if state == ledger.Unseen && got[name] == "" && strings.Contains(name, "/") {
				continue
			}
			if got[name] != state.String() {
				t.Errorf("%s: %s is %q, want %s", h.At, name, got[name], state)
			}
		}
		for name := range got {
			if _, ok := want[name]; !ok {
				t.Errorf("%s: nobody knows %s", h.At, name)
			}
		}
	}
}

// unused are rules that are about what happens to no client of the month.
var unused = []string{"tlslift:client_suspected"}

// everyRule: each other one has a value at some time of the month.
func everyRule(t *testing.T, s *prom.Server) {
	rules, _, err := thirty.Rules(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		values := len(query(t, s, "last_over_time("+r.Record+"[30d])", thirty.Now))
		if (values == 0) != slices.Contains(unused, r.Record) {
			t.Errorf("%s: %d values in the whole month", r.Record, values)
		}
	}
}

// alerts: whose expression has a result at the end of the month, and for whom.
func alerts(t *testing.T, s *prom.Server, w *thirty.World) {
	now, before := w.HourAt(thirty.Now), w.HourAt(thirty.Ago(1))
	exposing := make(map[string][]string)
	for _, c := range thirty.Clients {
		for _, over := range []string{"clear", "old_tls"} {
			if total(now, "exposed/"+over, c.Name) > total(before, "exposed/"+over, c.Name) {
				exposing[over] = append(exposing[over], c.Name)
			}
		}
	}
	slices.Sort(exposing["clear"])
	slices.Sort(exposing["old_tls"])
	want := map[string][]string{
		"InsecureClientAppeared":  {"10.4.7.19"},
		"ClientRegressed":         {"newsletter"},
		"CredentialsStillInClear": exposing["clear"],
		"CredentialsOverOldTLS":   exposing["old_tls"],
		"ClientRejectsCA":         {"10.4.2.8", "ticketing"},
		"SigningCAExpiring":       {""},
		"SidecarRemovable":        {"pay/refunds"},
		"ReloadRefused":           {""},
	}
	rules, _, err := thirty.Rules(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	for _, r := range rules {
		got[r.Alert] = append(got[r.Alert], clients(query(t, s, r.Expr, thirty.Now))...)
	}
	for name := range got {
		if !slices.Equal(got[name], want[name]) {
			t.Errorf("%s: %q, want %q", name, got[name], want[name])
		}
	}
	for name, at := range map[string]time.Time{
		"ProxyErrorRatioHigh": thirty.Ago(11.47), // within the outage
		"SmsDeliveryUnknown":  thirty.Ago(0.11),  // just after the timeouts
	} {
		fires := false
		for _, r := range rules {
			fires = fires || r.Alert == name && len(query(t, s, r.Expr, at)) != 0
		}
		if !fires {
			t.Errorf("%s at %s: silent", name, at)
		}
	}
}

// total is what was counted of a client, over all that begins with a prefix.
func total(h thirty.Hour, prefix, client string) float64 {
	n := 0.0
	for what, counted := range h.Counted {
		if strings.HasPrefix(what, prefix) && strings.HasSuffix(what, " of "+client) {
			n += counted
		}
	}
	return n
}

// reported: tlslift report reads the same from the same Prometheus. Two days
// are enough: the rules have carried on what is older.
func reported(t *testing.T, s *prom.Server, w *thirty.World) {
	r, err := report.FromPrometheus(t.Context(), report.PrometheusOptions{URL: s.URL, Now: thirty.Now, MigratedAfter: thirty.MigratedAfter, Lookback: 48 * hour})
	if err != nil {
		t.Fatal(err)
	}
	want := w.HourAt(thirty.Now).States()
	for _, row := range r.Clients {
		if row.State != want[row.Client] {
			t.Errorf("%s: the report says %s, the script %s", row.Client, row.State, want[row.Client])
		}
		delete(want, row.Client)
	}
	for name := range want {
		t.Errorf("%s: not in the report", name)
	}
}

// forecasts: the rules, by the report, and a ledger that has seen the same fleet
// say the same of the future, at several times.
func forecasts(t *testing.T, s *prom.Server, w *thirty.World) {
	var now time.Time
	settings := ledger.Settings{Target: thirty.Target, MigratedAfter: thirty.MigratedAfter}
	for name, seen := range w.HourAt(thirty.Now).Seen {
		if !seen.Declared.IsZero() {
			settings.Clients = append(settings.Clients, ledger.Configured{Name: name, Migrated: seen.Declared})
		}
	}
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	l.Configure(settings)
	record := func(name string, version call.Version, at time.Time) {
		if at.Equal(at.Truncate(24 * hour)) { // the rules take midnight for the end of a day
			at = at.Add(-time.Second)
		}
		now = at
		l.Record(&call.Outcome{
			Kind: call.Request, Ours: true, Client: call.Identity{Name: name, Source: call.SourceAddress}, End: at,
			Ingress: call.Forward, Handling: call.Plain, Version: version, Host: "api.smsportal.com", Label: "*.smsportal.com",
		})
	}
	before := make(map[string]ledger.Times)
	asked := 0
	for _, h := range w.Hours {
		for name, seen := range h.Seen {
			was := before[name]
			before[name] = seen
			if !seen.LastInsecure.Equal(was.LastInsecure) {
				record(name, call.VersionNone, seen.LastInsecure)
			}
			if !seen.LastSecure.Equal(was.LastSecure) {
				record(name, call.Version12, seen.LastSecure)
			}
		}
		if now = h.At; now.Hour() != 12 || !slices.Contains([]int{1, 3, 6, 12, 17, 19}, int(thirty.Now.Sub(now)/(24*time.Hour))) && now != thirty.Now {
			continue
		}
		asked++
		r, err := report.FromPrometheus(t.Context(), report.PrometheusOptions{URL: s.URL, Now: now, MigratedAfter: thirty.MigratedAfter, Lookback: 48 * hour})
		if err != nil {
			t.Fatal(err)
		}
		own := l.Summary()
		got, want := r.Summary.Forecast, own.Forecast
		if got.Course != want.Course || r.Summary.Outlook() != own.Outlook() {
			t.Errorf("%s: the fleet: %s, %s\nthe ledger: %s, %s", now, got.Course, r.Summary.Outlook(), want.Course, own.Outlook())
		}
		alarm := false
		rules, _, err := thirty.Rules(alertsFile)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range rules {
			alarm = alarm || rule.Alert == "MigrationOffTrack" && len(query(t, s, rule.Expr, now)) != 0
		}
		if alarm != want.Behind() {
			t.Errorf("%s: MigrationOffTrack %t, the course is %s", now, alarm, want.Course)
		}
		t.Logf("%s: %s, %s", now, want.Course, own.Outlook())
	}
	if asked != 7 {
		t.Errorf("asked %d times only", asked)
	}
}

// runbooks: every query of a runbook and of the reference is one that Prometheus takes.
func runbooks(t *testing.T, s *prom.Server) {
	pages, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("runbooks: %v, %v", pages, err)
	}
	block := regexp.MustCompile("(?s)```promql\n(.*?)```")
	for _, page := range append(pages, "../../docs/metrics.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range block.FindAllStringSubmatch(string(text), -1) {
			if _, err := s.Query(t.Context(), q[1], thirty.Now); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
}
