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

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
	"tlslift/proxy/rewrite"
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

// fixture is Metrics and a ledger on a registry that checks consistency at every
// gathering, as the command puts them together.
type fixture struct {
	*Metrics
	ledger *ledger.Ledger
	reg    *prometheus.Registry
	clock  *clock
}

func newFixture(t testing.TB, s ledger.Settings) *fixture {
	t.Helper()
	f := &fixture{reg: prometheus.NewPedanticRegistry(), clock: newClock()}
	m, err := New(f.reg, Options{
		Upstreams: s.Upstreams, Version: "1.2.3", Revision: "abcdef",
		LogLinesLost: func() uint64 { return 0 }, Held: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Metrics = m
	m.Reload(true, start)
	f.ledger = ledger.New(ledger.Options{Clock: f.clock.now})
	f.ledger.Configure(s)
	if err := f.reg.Register(f.ledger); err != nil {
		t.Fatal(err)
	}
	m.SetLimits(Limits{
		Connections: 4096, UpstreamConnections: 256,
		LabelledClients: int64(s.LabelLimit), TrackedClients: int64(f.ledger.Stats().Limit),
	})
	m.ConfigHash("0123456789abcdef")
	return f
}

// record hands an outcome of a client to both sinks, now.
func (f *fixture) record(client string, o call.Outcome) {
	o.Client = call.Identity{Name: client, Source: call.SourceAddress}
	o.End = f.clock.now()
	o.Start = o.End.Add(-42 * time.Millisecond)
	f.Record(&o)
	f.ledger.Record(&o)
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

// plain is an answered request in clear.
func plain(upstream string) call.Outcome {
	return call.Outcome{
		Kind: call.Request, Ingress: call.Forward, Method: "GET", Host: "api.smsportal.com", Label: upstream, Ours: true, Upgraded: true,
		Status: 200, FromUpstream: true, Delivery: problem.Answered,
	}
}

// denied is a request for a host that is none of ours.
func denied() call.Outcome {
	return call.Outcome{Kind: call.Request, Ingress: call.Forward, Method: "GET", Label: call.LabelDenied, Status: 403, Reason: problem.Host}
}

// lost is a request that the upstream failed.
func lost(upstream string, reason problem.Reason, delivery problem.Delivery) call.Outcome {
	o := plain(upstream)
	o.Status, o.FromUpstream, o.Reason, o.Delivery = 502, false, reason, delivery
	if reason == problem.Timeout {
		o.Status = 504
	}
	return o
}

func sighting(s call.Observation) call.Outcome {
	return call.Outcome{Kind: call.Observed, Observation: &s}
}

func spliced() call.Outcome {
	return sighting(call.Observation{
		Ours: true, Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced,
		Hello: &call.Offer{Max: call.Version13, SNI: true},
	})
}

// exerciseClient does everything that one client can do, once.
func (f *fixture) exerciseClient(name string) {
	first := plain("*.smsportal.com")
	first.UserAgent, first.Exposed = "Java/1.6.0_45", 1<<redact.KindQuery
	first.Observation = &call.Observation{Ours: true, Ingress: call.Forward, Handling: call.Plain}
	f.record(name, first)
	f.record(name, denied())
	f.record(name, lost("*.smsportal.com", problem.Reset, problem.Unknown))
	f.record(name, sighting(call.Observation{ // until the next connection gets in
		Ours: true, Ingress: call.Connect, Handling: call.Refused, NoCall: true,
		Hello: &call.Offer{Max: call.Version12}, Failure: call.HandshakeNoServerName,
	}))
	f.record(name, spliced())
	f.record(name, sighting(call.Observation{
		Ours: true, Ingress: call.TLS, Version: call.Version10, Handling: call.Refused,
		Hello: &call.Offer{Max: call.Version10}, Failure: call.HandshakeClientRejectedCA,
	}))
}

// exerciseService does everything that no outcome carries, once.
func exerciseService(m *Metrics) {
	for _, p := range call.Phases {
		m.Phase("*.smsportal.com", p, 20*time.Millisecond)
	}
	m.Handshake("*.smsportal.com", 0x0303, 0xc02f, false)
	m.ClassicHello("*.smsportal.com")
	m.Pool("*.smsportal.com", 2, 1)
	m.Certificate("*.smsportal.com", start.AddDate(0, 6, 0))
	m.Rewrite(rewrite.Cookie)
	m.Denied(problem.Limit)
	m.OpenConnection(call.Plain, 2)
	m.OpenConnection(call.Plain, -1)
	m.LeafMinted()
	m.CANotAfter(start.AddDate(10, 0, 0))
}

func TestExposition(t *testing.T) {
	t.Parallel()
	upstreams := []string{"smsportal.com", "*.smsportal.com"}
	tests := map[string]struct {
		settings ledger.Settings
		do       func(*fixture)
	}{
		"fresh": {settings: ledger.Settings{
			Upstreams: upstreams, LabelLimit: 100, Clients: []ledger.Configured{{Name: "billing", Migrated: start.AddDate(0, 0, -7)}},
		}},
		"sidecar": {settings: ledger.Settings{
			Upstreams: upstreams, Workload: "payments/billing", Clients: []ledger.Configured{{Name: "payments/billing"}},
		}},
		"everything": {
			settings: ledger.Settings{Upstreams: upstreams, LabelLimit: 1, Clients: []ledger.Configured{{Name: "billing"}}},
			do: func(f *fixture) {
				f.exerciseClient("10.1.2.3")
				f.exerciseClient("10.1.2.4")
				exerciseService(f.Metrics)
				f.Reload(false, start.Add(time.Hour))
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, tt.settings)
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
