package report

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
)

// pretend is a Prometheus API that answers each query by the first of its
// fragments that the query contains.
func pretend(t *testing.T, check func(*http.Request) bool, answers ...[2]string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if check != nil && !check(r) {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		query := r.FormValue("query")
		for _, a := range answers {
			if strings.Contains(query, a[0]) {
				fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, a[1])
				return
			}
		}
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func sample(labels string, value any) string {
	return fmt.Sprintf(`{"metric":{%s},"value":[%d,"%v"]}`, labels, now.Unix(), value)
}

func many(samples ...string) string { return strings.Join(samples, ",") }

func TestFromPrometheus(t *testing.T) {
	t.Parallel()
	ago := func(days int) int64 { return now.Add(-time.Duration(days) * dayLong).Unix() }
	s := pretend(t, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer secret" },
		[2]string{"count by (client)", many(sample(`"client":"a"`, 2), sample(`"client":"gone"`, 1), sample(`"client":"unseen"`, 1), sample(`"nobody":"x"`, 1))},
		[2]string{"min_over_time(tlslift_client_first_seen", many(sample(`"client":"a"`, ago(30)), sample(`"client":"gone"`, ago(60)))},
		[2]string{"max_over_time(tlslift_client_last_insecure", many(
			sample(`"client":"a","pod":"1"`, ago(1)), sample(`"client":"a","pod":"2"`, ago(3)), sample(`"client":"a","pod":"3"`, ago(20)),
			sample(`"client":"gone","pod":"1"`, ago(40)))},
		[2]string{"max_over_time(tlslift_client_last_secure", many(sample(`"client":"a","pod":"2"`, ago(2)), sample(`"client":"stranger"`, ago(2)))},
		[2]string{"declared", many(sample(`"client":"gone"`, ago(39)), sample(`"client":"a"`, "NaN"))},
		[2]string{"tlslift_client_requests_total", sample(`"client":"a"`, 700)},
		[2]string{"tlslift_client_connections_total", sample(`"client":"a"`, 0)}, // one that a series began with
		[2]string{"max_over_time(tlslift_client_verdict_timestamp_seconds", many(
			sample(`"client":"gone","pod":"1","verdict":"plaintext"`, ago(40)), sample(`"client":"gone","pod":"1","verdict":"legacy-only"`, ago(55)),
			sample(`"client":"a","pod":"1","verdict":"distrusts-ca"`, ago(3)), sample(`"client":"a","pod":"1","verdict":"plaintext"`, ago(1)),
			sample(`"client":"a","pod":"2","verdict":"legacy-only"`, ago(3)), sample(`"client":"a","pod":"1","verdict":"nonsense"`, ago(0)),
			sample(`"client":"a","pod":"3","verdict":"sslv2-framed"`, ago(19)))}, // its evidence is too old
		[2]string{"max_over_time(tlslift_client_verdict_refuted_timestamp_seconds", sample(`"client":"a","pod":"1","verdict":"distrusts-ca"`, ago(2))},
		[2]string{"(0 * tlslift_client_library_info + time())[", many(
			sample(`"client":"a","pod":"1","library":"unknown","program":"PHP","identity_source":"address"`, ago(0)),
			sample(`"client":"a","pod":"2","library":"Java 7","program":"Axis 1","identity_source":"address"`, ago(0)))},
	)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Access: Access{Token: "secret"}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Clients) != 3 {
		t.Fatalf("clients: %+v", r.Clients)
	}
	a, unseen, gone := r.Clients[0], r.Clients[1], r.Clients[2]
	if a.Client != "a" || a.State != ledger.Mixed || a.Verdict != ledger.LegacyOnly || a.Library != "Java 7" || a.Program != "Axis 1" || a.Source != "address" || a.RequestsPerDay != 100 || a.FixPage() != "java" {
		t.Errorf("a: %+v", a)
	}
	if a.ConnectionsPerDay != 1.0/7 || gone.ConnectionsPerDay != 0 || unseen.ConnectionsPerDay != 0 {
		t.Errorf("connections a day: %g, %g, %g", a.ConnectionsPerDay, gone.ConnectionsPerDay, unseen.ConnectionsPerDay)
	}
	if unseen.State != ledger.Unseen || !unseen.Configured || unseen.Verdict != ledger.NoVerdict {
		t.Errorf("unseen: %+v", unseen)
	}
	if gone.State != ledger.Migrated || gone.Verdict != ledger.Plaintext || gone.Regressed {
		t.Errorf("gone: %+v", gone)
	}
}

// The first request of a series is hidden from increase(). A secure call was a
// request if tlslift terminated it, and cannot be seen if it was spliced.
func TestOneRequestOfAFleet(t *testing.T) {
	t.Parallel()
	yesterday, first := now.Add(-dayLong).Unix(), now.Add(-30*dayLong).Unix()
	s := pretend(t, nil,
		[2]string{"count by (client)", many(sample(`"client":"lifted"`, 1), sample(`"client":"spliced"`, 1))},
		[2]string{"min_over_time(tlslift_client_first_seen", many(sample(`"client":"lifted"`, first), sample(`"client":"spliced"`, first))},
		[2]string{"max_over_time(tlslift_client_last_secure", many(sample(`"client":"lifted"`, yesterday), sample(`"client":"spliced"`, yesterday))},
		[2]string{"tlslift_upgrades_total", sample(`"client":"lifted"`, 1)},
	)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	lifted, spliced := r.Clients[0], r.Clients[1]
	if lifted.RequestsPerDay != 1.0/7 || lifted.ConnectionsPerDay != 1.0/7 || spliced.RequestsADay() != "\u2013" {
		t.Errorf("lifted: %s; spliced: %s", lifted.RequestsADay(), spliced.RequestsADay())
	}
}

// A client that was last terminated before the 7 days of the rate, and is spliced
// now, made no request that could be counted since.
func TestAnUpgradeBeforeTheWeekIsNoRequestOfTheWeek(t *testing.T) {
	t.Parallel()
	s := pretend(t, nil,
		[2]string{"count by (client)", sample(`"client":"spliced"`, 1)},
		[2]string{"min_over_time(tlslift_client_first_seen", sample(`"client":"spliced"`, now.Add(-30*dayLong).Unix())},
		[2]string{"max_over_time(tlslift_client_last_secure", sample(`"client":"spliced"`, now.Add(-dayLong).Unix())},
		[2]string{`tlslift_upgrades_total{from=~"1\\.2|1\\.3"}[1w]`, ""},
		[2]string{`tlslift_upgrades_total{from=~"1\\.2|1\\.3"}[2w]`, sample(`"client":"spliced"`, 1)},
	)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Clients[0]; c.RequestsADay() != "\u2013" || c.ConnectionsPerDay != 1.0/7 || c.LastUpgraded.IsZero() {
		t.Errorf("%s requests and %g connections a day, last upgraded %s", c.RequestsADay(), c.ConnectionsPerDay, c.LastUpgraded)
	}
}

// Over a fleet, a client that was refused and never called is failing; one that
// connects with old TLS and leaves is a scanner.
func TestAFleetKnowsWhoCannotCall(t *testing.T) {
	t.Parallel()
	both := many(sample(`"client":"down"`, 1), sample(`"client":"scanner"`, 1))
	seen := float64(now.Add(-dayLong).Unix())
	s := pretend(t, nil,
		[2]string{"count by (client)", both},
		[2]string{"tlslift_client_first_seen_timestamp_seconds", many(sample(`"client":"down"`, seen), sample(`"client":"scanner"`, seen))},
		[2]string{"max_over_time(tlslift_client_last_failed_timestamp_seconds", sample(`"client":"down"`, seen)},
		[2]string{"max by (client, max_version)", many(
			sample(`"client":"down","max_version":"1.0"`, 3), sample(`"client":"down","max_version":"ssl3"`, 1), sample(`"client":"scanner","max_version":"1.1"`, 1))},
		[2]string{"max_over_time(tlslift_client_verdict_timestamp_seconds", many(
			sample(`"client":"down","verdict":"legacy-only"`, seen), sample(`"client":"scanner","verdict":"legacy-only"`, seen))},
	)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Clients) != 2 || r.Clients[0].Client != "down" || !r.Clients[0].Failing || r.Clients[1].Failing || r.Summary.Failing != 1 {
		t.Errorf("%+v", r.Clients)
	}
	if down, scanner := r.Clients[0], r.Clients[1]; !strings.HasPrefix(down.Fix, "It offers at most TLS 1.0.") || !strings.HasPrefix(scanner.Fix, "It offers at most TLS 1.1.") {
		t.Errorf("%s; %s", down.Fix, scanner.Fix)
	}
}

// After a restart, the metrics have the verdict that the state file kept, and no
// failures. What was seen before it is in the recording rule.
func TestAFleetKnowsWhoOnlyLeft(t *testing.T) {
	t.Parallel()
	seen := float64(now.Add(-dayLong).Unix())
	s := pretend(t, nil,
		[2]string{"count by (client)", many(sample(`"client":"left"`, 1), sample(`"client":"said so"`, 1))},
		[2]string{"max_over_time(tlslift_client_verdict_timestamp_seconds", many(
			sample(`"client":"left","verdict":"distrusts-ca"`, seen), sample(`"client":"said so","verdict":"distrusts-ca"`, seen))},
		[2]string{"count by (client, reason) ((max_over_time(tlslift_client_handshake_failures_total", sample(`"client":"left","reason":"no_call"`, 1)},
	)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: s.URL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Clients) != 2 || !strings.Contains(r.Clients[0].Fix, "may not trust") || !strings.HasPrefix(r.Clients[1].Fix, "It rejects") {
		t.Errorf("%+v", r.Clients)
	}
}

func TestPrometheusErrors(t *testing.T) {
	t.Parallel()
	closed := pretend(t, func(r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return user == "me" && password == "hunter2"
	}, [2]string{"tlslift_build_info", sample("", 1)})
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"too many samples"}`)
	}))
	defer bad.Close()
	forbidden := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer forbidden.Close()
	scalar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`)
	}))
	defer scalar.Close()
	for name, c := range map[string]struct {
		options PrometheusOptions
		want    string
	}{
		"wrong password":     {PrometheusOptions{URL: closed.URL, Access: Access{User: "me", Password: "x"}}, "--token-file"},
		"forbidden":          {PrometheusOptions{URL: forbidden.URL}, "403 Forbidden: give --token-file"},
		"a failing query":    {PrometheusOptions{URL: bad.URL}, "too many samples"},
		"an answer of sorts": {PrometheusOptions{URL: scalar.URL}, "the answer is a scalar"},
		"not a URL":          {PrometheusOptions{URL: "prometheus"}, "http://host:port"},
	} {
		c.options.Now = now
		if _, err := FromPrometheus(t.Context(), c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	withUser := strings.Replace(closed.URL, "http://", "http://me:hunter2@", 1)
	r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: withUser, Now: now})
	if err != nil || strings.Contains(r.Source, "hunter2") {
		t.Errorf("a user in the address: %v, %+v", err, r)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"14d": 14 * dayLong, "36h": 36 * time.Hour, "1d12h": 36 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := ParseDuration("soon"); err == nil {
		t.Error("soon was taken")
	}
}

// The query fills three lines of a terminal: what went wrong comes first, and
// where no query was read it is not repeated at all.
func TestErrorsBeginWithTheirCause(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"status":"error","errorType":"execution","error":"too many samples"}`)
	}))
	defer bad.Close()
	for url, want := range map[string]string{
		gone.URL:      "prometheus " + gone.URL + ": connection refused",
		elsewhere.URL: "prometheus " + elsewhere.URL + ": it does not answer as Prometheus does",
		bad.URL:       "prometheus " + bad.URL + ": execution: too many samples; the query was count",
	} {
		_, err := FromPrometheus(t.Context(), PrometheusOptions{URL: url, Now: now})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s...", err, want)
		}
		if url != bad.URL && err != nil && strings.Contains(err.Error(), "last_over_time") {
			t.Errorf("the query is repeated: %v", err)
		}
	}
}

func TestABareHostAndPortIsHTTP(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"127.0.0.1:9128": "http://127.0.0.1:9128", "localhost:9128/": "http://localhost:9128/", "[::1]:9090/prom": "http://[::1]:9090/prom",
		"https://p.example": "https://p.example", "prometheus": "", "ftp:21": "http://ftp:21", "ftp://h:21": "", ":9128": "", "mailto:a": "", "h:99999": "",
	} {
		u, err := address(text, new(Access))
		if (want == "") != (err != nil) || err == nil && u.String() != want {
			t.Errorf("%q: %v, %v, want %q", text, u, err, want)
		}
	}
}

// A store without tlslift has no insecure clients either: that must not pass for
// an all-clear. A fleet that nobody has called yet is one.
func TestAPrometheusWithoutTlsliftIsNoAllClear(t *testing.T) {
	t.Parallel()
	elsewhere := pretend(t, nil)
	if r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: elsewhere.URL, Now: now}); err == nil || !strings.Contains(err.Error(), "no series of tlslift were found in the last 90 days") {
		t.Errorf("got %+v, %v", r, err)
	}
	idle := pretend(t, nil, [2]string{"last_over_time(tlslift_build_info[90d])", sample("", 2)})
	if r, err := FromPrometheus(t.Context(), PrometheusOptions{URL: idle.URL, Now: now}); err != nil || len(r.Clients) != 0 {
		t.Errorf("a fleet without clients: %+v, %v", r, err)
	}
}
