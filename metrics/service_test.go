package metrics

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

func TestUnknownWordsMakeNoSeries(t *testing.T) {
	t.Parallel()
	s := ledger.Settings{Upstreams: []string{"smsportal.com"}}
	f := newFixture(t, s)
	f.Rewrite(250)
	f.Denied(problem.DNS)
	f.Denied(problem.None)
	f.Denied(problem.Reason(250))
	f.OpenConnection(call.Handling(250), 1)
	f.Pool("foreign.example", 1, 1)
	f.Certificate("foreign.example", start)
	f.Certificate("smsportal.com", time.Time{})
	f.record("a", call.Outcome{Kind: call.Tunnel, Label: "smsportal.com"})
	f.record("a", call.Outcome{Kind: call.Observed, Label: "smsportal.com", Reason: problem.Host, Status: 200})
	if got, want := series(f.gather(t)), series(newFixture(t, s).gather(t)); got != want {
		t.Errorf("%d series, want %d: those of a fresh start\n%s", got, want, f.text(t, expfmt.TypeTextPlain))
	}
	for _, in := range []call.Ingress{call.Unknown, 99} {
		o := plain("smsportal.com")
		o.Ingress = in
		f.Record(&o)
	}
	f.absent(t, "tlslift_request_duration_seconds", "upstream", "smsportal.com", "ingress", "unknown")
}

func TestOutOfSetValuesShareAWord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"smsportal.com"}})
	for _, code := range []int{-1, 0, 99, 600, 999, 1 << 30} {
		o := plain("smsportal.com")
		o.Status = code
		f.record("a", o)
	}
	f.expect(t, 6, "tlslift_responses_total", "upstream", "smsportal.com", "code", "_other", "origin", "upstream")
	for i := range 1000 {
		f.record("a", plain("host"+strconv.Itoa(i)+".example"))
		f.Handshake("smsportal.com", 0x0304, uint16(0x5000+i), true)
	}
	f.expect(t, 1000, "tlslift_responses_total", "upstream", "_other", "code", "200", "origin", "upstream")
	f.expect(t, 1000, "tlslift_upstream_handshakes_total",
		"upstream", "smsportal.com", "tls_version", "1.3", "cipher", "_other", "resumed", "true")
}

// What each outcome counts beside its client.
func TestRecord(t *testing.T) {
	t.Parallel()
	const up = "smsportal.com"
	connect := denied()
	connect.Method, connect.Ingress = "CONNECT", call.Connect
	turned := call.Outcome{Kind: call.Tunnel, Ingress: call.TLS, Label: call.LabelDenied, Reason: problem.ACL}
	unreached := call.Outcome{Kind: call.Tunnel, Ingress: call.TLS, Label: up, Reason: problem.Connect}
	for name, c := range map[string]struct {
		outcome call.Outcome
		want    []string
	}{
		"answered": {plain(up), []string{
			`tlslift_responses_total{code="200",origin="upstream",upstream="smsportal.com"} 1`,
			`tlslift_request_duration_seconds_count{ingress="forward",upstream="smsportal.com"} 1`,
			`tlslift_request_duration_seconds_sum{ingress="forward",upstream="smsportal.com"} 0.042`,
		}},
		"foreign": {plain("elsewhere.example"), []string{`tlslift_responses_total{code="200",origin="upstream",upstream="_other"} 1`}},
		"denied": {denied(), []string{
			`tlslift_responses_total{code="403",origin="tlslift",upstream="_denied"} 1`, `tlslift_denied_total{reason="host"} 1`,
		}},
		"a CONNECT denied": {connect, []string{
			`tlslift_responses_total{code="403",origin="tlslift",upstream="_denied"} 1`, `tlslift_denied_total{reason="host"} 1`,
		}},
		"lost": {lost(up, problem.Protocol, problem.Answered), []string{
			`tlslift_responses_total{code="502",origin="tlslift",upstream="smsportal.com"} 1`,
			`tlslift_upstream_failures_total{delivery="unknown",reason="protocol",upstream="smsportal.com"} 1`,
			`tlslift_request_duration_seconds_count{ingress="forward",upstream="smsportal.com"} 1`,
			`tlslift_request_duration_seconds_sum{ingress="forward",upstream="smsportal.com"} 0.042`,
		}},
		"a tunnel denied":    {turned, []string{`tlslift_denied_total{reason="acl"} 1`}},
		"a tunnel not begun": {unreached, []string{`tlslift_upstream_failures_total{delivery="not_sent",reason="connect",upstream="smsportal.com"} 1`}},
	} {
		f := newFixture(t, ledger.Settings{Upstreams: []string{up}})
		fresh := f.text(t, expfmt.TypeTextPlain)
		f.record("a", c.outcome)
		var got []string
		for line := range strings.Lines(f.text(t, expfmt.TypeTextPlain)) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "#") && !strings.Contains(line, "client") && !strings.Contains(line, "_bucket") &&
				!strings.Contains(line, "upgrades") && !strings.Contains(fresh, line+"\n") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s counts\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
}

func TestEveryDeniedReasonAndUpstreamReasonCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"smsportal.com"}})
	for _, r := range problem.DeniedReasons {
		f.expect(t, 0, "tlslift_denied_total", "reason", r.String())
		o := denied()
		o.Reason = r
		f.record("a", o)
		f.expect(t, 1, "tlslift_denied_total", "reason", r.String())
	}
	for _, r := range problem.UpstreamReasons {
		for _, d := range []problem.Delivery{problem.NotSent, problem.Unknown} {
			f.record("a", lost("smsportal.com", r, d))
			f.expect(t, 1, "tlslift_upstream_failures_total", "upstream", "smsportal.com", "reason", r.String(), "delivery", d.String())
		}
	}
	for _, k := range rewrite.Kinds {
		f.expect(t, 0, "tlslift_rewrites_total", "kind", k.String())
		f.Rewrite(k)
		f.expect(t, 1, "tlslift_rewrites_total", "kind", k.String())
	}
}

func TestSetUpstreamsAddsAndKeeps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"a.example"}})
	count := func(upstream string) {
		o := plain(upstream)
		f.Record(&o)
	}
	count("b.example")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "_other", "code", "200", "origin", "upstream")
	f.SetUpstreams([]string{"b.example"})
	count("a.example")
	count("b.example")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "a.example", "code", "200", "origin", "upstream")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "b.example", "code", "200", "origin", "upstream")
}

func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{})
	const ok, at = "tlslift_config_last_reload_successful", "tlslift_config_last_reload_success_timestamp_seconds"
	f.expect(t, 1, ok)
	f.expect(t, float64(start.Unix()), at)
	f.Reload(false, start.Add(time.Hour))
	f.expect(t, 0, ok)
	f.expect(t, float64(start.Unix()), at)
	f.Reload(true, start.Add(2*time.Hour))
	f.expect(t, 1, ok)
	f.expect(t, float64(start.Add(2*time.Hour).Unix()), at)
	const hash = "tlslift_config_hash_info"
	f.ConfigHash("one")
	f.ConfigHash("two")
	f.ConfigHash("two")
	f.expect(t, 1, hash, "hash", "two")
	f.absent(t, hash, "hash", "one")
	f.CANotAfter(start)
	f.CANotAfter(time.Time{})
	f.expect(t, 0, "tlslift_ca_not_after_timestamp_seconds")
}

func TestHistogramsAreClassicAndNativeAndBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"smsportal.com"}})
	for seconds := 1e-9; seconds < 1e9; seconds *= 1.05 {
		d := time.Duration(seconds * float64(time.Second))
		o := plain("smsportal.com")
		o.Start, o.End = start, start.Add(d)
		f.Record(&o)
		f.Phase("smsportal.com", call.PhaseTLS, d)
	}
	for _, mf := range f.gather(t) {
		if mf.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		h := mf.GetMetric()[0].GetHistogram()
		if h.Schema == nil || len(h.GetBucket()) == 0 {
			t.Errorf("%s is not both classic and native", mf.GetName())
		}
		if n := len(h.GetPositiveDelta()); n > nativeBuckets {
			t.Errorf("%s has %d native buckets, want at most %d", mf.GetName(), n, nativeBuckets)
		}
	}
}

// ask records a request with an id.
func (f *fixture) ask(in call.Ingress, v call.Version, id string) {
	o := plain("smsportal.com")
	o.Ingress, o.Version, o.ID = in, v, id
	f.record("10.1.2.3", o)
}

func TestExemplars(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"smsportal.com"}, LabelLimit: 1})
	f.ask(call.Forward, call.VersionNone, "first")
	f.ask(call.Forward, call.VersionNone, "second")
	f.ask(call.Forward, call.Version12, "secure")
	text := f.text(t, expfmt.TypeOpenMetrics)
	for _, want := range []string{
		`tlslift_client_requests_total{client="10.1.2.3",insecure="true",tls_version="none",upstream="smsportal.com"} 2.0 # {request_id="second"} 1.0`,
		`tlslift_request_duration_seconds_bucket{ingress="forward",upstream="smsportal.com",le="0.05"} 3 # {request_id="first"} 0.042`,
		"# EOF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the OpenMetrics exposition lacks %s", want)
		}
	}
	if strings.Contains(text, `request_id="secure"`) {
		t.Error("a secure request is an exemplar")
	}
	f.clock.advance(time.Second)
	f.ask(call.Gateway, call.VersionNone, "later")
	if text := f.text(t, expfmt.TypeOpenMetrics); strings.Count(text, `request_id="later"`) != 2 {
		t.Error("no new exemplars in the next second")
	}
}
