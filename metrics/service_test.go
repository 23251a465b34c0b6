package metrics

import (
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestUnknownWordsMakeNoSeries(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	c := f.Client("10.1.2.3", "address")
	c.Credentials("cookie")
	c.Policy("maybe", true)
	c.Upgrade(call.VersionSSL3)
	c.Connection(call.Unknown, call.VersionNone, call.Refused)
	f.Rewrite("body")
	f.Denied(problem.DNS)
	f.Denied(problem.None)
	f.Denied(problem.Reason(250))
	f.OpenConnection(call.Handling(250), 1)
	f.UpstreamPhase("smsportal.com", "tea", time.Second)
	f.UpstreamFailure("smsportal.com", problem.Host, problem.NotSent)
	f.UpstreamPool("foreign.example", 1, 1)
	f.UpstreamCertificate("foreign.example", start)
	f.UpstreamCertificate("smsportal.com", time.Time{})
	f.RequestDuration("smsportal.com", call.Unknown, 1, "")
	f.RequestDuration("smsportal.com", call.Ingress(99), 1, "")
	if got, want := series(f.gather(t)), series(newFixture(t, Options{}).gather(t)); got != want {
		t.Errorf("%d series, want %d: those of a fresh start\n%s", got, want, f.text(t, expfmt.TypeTextPlain))
	}
}

func TestOutOfSetValuesShareAWord(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	for _, code := range []int{-1, 0, 99, 600, 999, 1 << 30} {
		f.Response("smsportal.com", code, "upstream")
	}
	f.expect(t, 6, "tlslift_responses_total", "upstream", "smsportal.com", "code", "_other", "origin", "upstream")
	for i := range 1000 {
		f.Response("host"+strconv.Itoa(i)+".example", 200, "upstream")
		f.UpstreamHandshake("smsportal.com", 0x0304, uint16(0x5000+i), true)
	}
	f.expect(t, 1000, "tlslift_responses_total", "upstream", "_other", "code", "200", "origin", "upstream")
	f.expect(t, 1000, "tlslift_upstream_handshakes_total",
		"upstream", "smsportal.com", "tls_version", "1.3", "cipher", "_other", "resumed", "true")
	f.Response(DeniedUpstream, 403, "tlslift")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "_denied", "code", "403", "origin", "tlslift")
	f.UpstreamFailure("smsportal.com", problem.Protocol, problem.Answered)
	f.expect(t, 1, "tlslift_upstream_failures_total", "upstream", "smsportal.com", "reason", "protocol", "delivery", "unknown")
}

func TestEveryDeniedReasonAndUpstreamReasonCounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	for _, r := range problem.DeniedReasons {
		f.expect(t, 0, "tlslift_denied_total", "reason", r.String())
		f.Denied(r)
		f.expect(t, 1, "tlslift_denied_total", "reason", r.String())
	}
	for _, r := range problem.UpstreamReasons {
		for _, d := range []problem.Delivery{problem.NotSent, problem.Unknown} {
			f.UpstreamFailure("smsportal.com", r, d)
			f.expect(t, 1, "tlslift_upstream_failures_total", "upstream", "smsportal.com", "reason", r.String(), "delivery", d.String())
		}
	}
}

func TestSetUpstreamsAddsAndKeeps(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"a.example"}})
	f.Response("b.example", 200, "upstream")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "_other", "code", "200", "origin", "upstream")
	f.SetUpstreams([]string{"b.example"})
	f.Response("a.example", 200, "upstream")
	f.Response("b.example", 200, "upstream")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "a.example", "code", "200", "origin", "upstream")
	f.expect(t, 1, "tlslift_responses_total", "upstream", "b.example", "code", "200", "origin", "upstream")
}

func TestReload(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{})
	const ok, at = "tlslift_config_last_reload_successful", "tlslift_config_last_reload_success_timestamp_seconds"
	f.expect(t, 1, ok)
	f.expect(t, float64(start.Unix()), at)
	f.Reload(false, start.Add(time.Hour))
	f.expect(t, 0, ok)
	f.expect(t, float64(start.Unix()), at)
	f.Reload(true, start.Add(2*time.Hour))
	f.expect(t, 1, ok)
	f.expect(t, float64(start.Add(2*time.Hour).Unix()), at)
	f.CANotAfter(start)
	f.CANotAfter(time.Time{})
	f.expect(t, 0, "tlslift_ca_not_after_timestamp_seconds")
}

func TestHistogramsAreClassicAndNativeAndBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	for seconds := 1e-9; seconds < 1e9; seconds *= 1.05 {
		f.RequestDuration("smsportal.com", call.Forward, seconds, "")
		f.UpstreamPhase("smsportal.com", "tls", time.Duration(seconds*float64(time.Second)))
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

func TestExemplars(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	c := f.Client("10.1.2.3", "address")
	c.Request("smsportal.com", call.VersionNone, true, "first")
	c.Request("smsportal.com", call.VersionNone, true, "same-second")
	c.Request("smsportal.com", call.Version12, false, "secure")
	f.RequestDuration("smsportal.com", call.Gateway, .2, "slow")
	text := f.text(t, expfmt.TypeOpenMetrics)
	for _, want := range []string{
		`tlslift_client_requests_total{client="10.1.2.3",insecure="true",tls_version="none",upstream="smsportal.com"} 2.0 # {request_id="first"} 1.0`,
		`tlslift_request_duration_seconds_bucket{ingress="gateway",upstream="smsportal.com",le="0.25"} 1 # {request_id="slow"} 0.2`,
		"# EOF",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the OpenMetrics exposition lacks %s", want)
		}
	}
	if strings.Contains(text, `request_id="secure"`) || strings.Contains(text, "same-second") {
		t.Error("an exemplar that is not wanted")
	}
	f.clock.advance(time.Second)
	c.Request("smsportal.com", call.VersionNone, true, "later")
	if !strings.Contains(f.text(t, expfmt.TypeOpenMetrics), `request_id="later"`) {
		t.Error("no new exemplar in the next second")
	}
}

func TestHostileExemplarsAreLeftOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Upstreams: []string{"smsportal.com"}})
	c := f.Client("10.1.2.3", "address")
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", "a\nb", "\xff", "é"} {
		c.Request("smsportal.com", call.VersionNone, true, id)
		f.RequestDuration("smsportal.com", call.Forward, 1, id)
	}
	if text := f.text(t, expfmt.TypeOpenMetrics); strings.Contains(text, "request_id") {
		t.Error("a request id that is not plain became an exemplar")
	}
	f.expect(t, 6, "tlslift_client_requests_total",
		"client", "10.1.2.3", "upstream", "smsportal.com", "tls_version", "none", "insecure", "true")
}

func TestHandshakeReasonOf(t *testing.T) {
	t.Parallel()
	for _, r := range HandshakeReasons {
		if got := HandshakeReasonOf(r.String()); got != r {
			t.Errorf("HandshakeReasonOf(%q) = %v", r, got)
		}
	}
	if got := HandshakeReasonOf("moon"); got != HandshakeOther {
		t.Errorf("HandshakeReasonOf(moon) = %v, want other", got)
	}
	if got := HandshakeReason(99).String(); got != "other" {
		t.Errorf("HandshakeReason(99) = %q, want other", got)
	}
}
