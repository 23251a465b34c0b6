package metrics

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

var update = flag.Bool("update", false, "write the golden files anew")

var start = time.Date(2027, 1, 4, 8, 0, 0, 0, time.UTC)

// clock is a clock that tests move.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unix.Store(start.Unix())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(c.unix.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

// fixture is Metrics on a registry that checks consistency at every gathering.
type fixture struct {
	*Metrics
	reg   *prometheus.Registry
	clock *clock
}

func newFixture(t testing.TB, o Options) *fixture {
	t.Helper()
	f := &fixture{reg: prometheus.NewPedanticRegistry(), clock: newClock()}
	o.Clock = f.clock.now
	o.Version, o.Revision = "1.2.3", "abcdef"
	m, err := New(f.reg, o)
	if err != nil {
		t.Fatal(err)
	}
	f.Metrics = m
	return f
}

func (f *fixture) gather(t testing.TB) []*dto.MetricFamily {
	t.Helper()
	families, err := f.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func (f *fixture) text(t testing.TB, format expfmt.FormatType) string {
	t.Helper()
	var out bytes.Buffer
	enc := expfmt.NewEncoder(&out, expfmt.NewFormat(format))
	for _, mf := range f.gather(t) {
		if err := enc.Encode(mf); err != nil {
			t.Fatal(err)
		}
	}
	if closer, ok := enc.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(out.String(), runtime.Version(), "go1.x")
}

// value returns the value of one series, and whether it exists. labels are
// pairs of name and value, all of them.
func (f *fixture) value(t testing.TB, name string, labels ...string) (float64, bool) {
	t.Helper()
	want := make(map[string]string)
	for i := 0; i < len(labels); i += 2 {
		want[labels[i]] = labels[i+1]
	}
	for _, mf := range f.gather(t) {
		if mf.GetName() != name {
			continue
		}
	series:
		for _, s := range mf.GetMetric() {
			if len(s.GetLabel()) != len(want) {
				continue
			}
			for _, l := range s.GetLabel() {
				if want[l.GetName()] != l.GetValue() {
					continue series
				}
			}
			switch {
			case s.Counter != nil:
				return s.GetCounter().GetValue(), true
			case s.Gauge != nil:
				return s.GetGauge().GetValue(), true
			default:
				return float64(s.GetHistogram().GetSampleCount()), true
			}
		}
	}
	return 0, false
}

func (f *fixture) expect(t *testing.T, want float64, name string, labels ...string) {
	t.Helper()
	if got, ok := f.value(t, name, labels...); !ok || got != want {
		t.Errorf("%s%v = %v (exists: %v), want %v", name, labels, got, ok, want)
	}
}

func (f *fixture) absent(t *testing.T, name string, labels ...string) {
	t.Helper()
	if got, ok := f.value(t, name, labels...); ok {
		t.Errorf("%s%v = %v, want no such series", name, labels, got)
	}
}

// series counts what a scrape ingests with classic histograms.
func series(families []*dto.MetricFamily) int {
	n := 0
	for _, mf := range families {
		for _, s := range mf.GetMetric() {
			switch {
			case s.Histogram != nil:
				n += len(s.GetHistogram().GetBucket()) + 3 // +Inf, sum, count
			case s.Summary != nil:
				n += len(s.GetSummary().GetQuantile()) + 2
			default:
				n++
			}
		}
	}
	return n
}

// exerciseClient does everything that one client can do, once.
func exerciseClient(c *Client) {
	c.Request("*.smsportal.com", call.VersionNone, true, "")
	c.Connection(call.Forward, call.VersionNone, call.Plain)
	c.Connection(call.Connect, call.Version13, call.Spliced)
	c.Hello(call.Version13, "tls", true)
	c.HandshakeFailure(HandshakeClientRejectedCA)
	c.Upgrade(call.VersionNone)
	c.Credentials("query")
	c.Policy("warn", false)
	c.Verdict("plaintext")
	c.Library("Java 6", "address")
	c.Sunset(start.AddDate(0, 2, 0))
	c.Waiver(start.AddDate(0, 3, 0))
	c.Declared(start.AddDate(0, 0, -7))
}

// exerciseService does everything that is not one client's, once.
func exerciseService(m *Metrics) {
	m.Response("*.smsportal.com", 200, "upstream")
	m.Response(DeniedUpstream, 403, "tlslift")
	m.RequestDuration("*.smsportal.com", call.Forward, .042, "")
	for _, p := range phases {
		m.UpstreamPhase("*.smsportal.com", p, 20*time.Millisecond)
	}
	m.UpstreamHandshake("*.smsportal.com", 0x0303, 0xc02f, false)
	m.UpstreamFailure("*.smsportal.com", problem.Reset, problem.Unknown)
	m.UpstreamPool("*.smsportal.com", 2, 1)
	m.UpstreamCertificate("*.smsportal.com", start.AddDate(0, 6, 0))
	m.Rewrite("cookie")
	m.Denied(problem.Host)
	m.OpenConnection(call.Plain, 2)
	m.OpenConnection(call.Plain, -1)
	m.LeafMinted()
	m.CANotAfter(start.AddDate(10, 0, 0))
}

func TestExposition(t *testing.T) {
	t.Parallel()
	upstreams := []string{"smsportal.com", "*.smsportal.com"}
	tests := map[string]struct {
		options Options
		do      func(*fixture)
	}{
		"fresh":   {options: Options{Upstreams: upstreams, Clients: []string{"billing"}}},
		"sidecar": {options: Options{Upstreams: upstreams, Workload: "payments/billing"}},
		"everything": {
			options: Options{Upstreams: upstreams},
			do: func(f *fixture) {
				exerciseClient(f.Client("10.1.2.3", "address"))
				exerciseService(f.Metrics)
				f.Reload(false, start.Add(time.Hour))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, tt.options)
			if tt.do != nil {
				tt.do(f)
			}
			golden(t, filepath.Join("testdata", name+".prom"), f.text(t, expfmt.TypeTextPlain))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	wantLines, gotLines := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(wantLines), len(gotLines)) {
		w, g := lineAt(wantLines, i), lineAt(gotLines, i)
		if w != g {
			t.Fatalf("%s differs first in line %d (go test -update writes it anew):\n got %s\nwant %s", file, i+1, g, w)
		}
	}
}

func lineAt(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

func TestNewRefusesASecondRegistration(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	if _, err := New(reg, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(reg, Options{}); err == nil {
		t.Error("a second New on the same registry succeeded")
	}
	if err := RegisterRuntime(reg); err != nil {
		t.Error(err)
	}
	if err := RegisterRuntime(reg); err == nil {
		t.Error("a second RegisterRuntime on the same registry succeeded")
	}
}
