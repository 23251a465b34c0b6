package metrics

import (
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

const benchID = "01J9Z3K4M5N6P7Q8R9S0T1V2W3"

// onRequest is what one upgraded request on a kept connection counts here.
func onRequest(m *Metrics, o *call.Outcome) {
	m.Pool("*.smsportal.com", 1, 1)
	m.Phase("*.smsportal.com", call.PhaseFirstByte, 20*time.Millisecond)
	m.Pool("*.smsportal.com", 2, 0)
	m.Record(o)
}

func benched(t testing.TB) (*Metrics, *call.Outcome) {
	o := plain("*.smsportal.com")
	o.ID, o.Start, o.End = benchID, start, start.Add(42*time.Millisecond)
	return newFixture(t, ledger.Settings{Upstreams: defaultUpstreams}).Metrics, &o
}

func BenchmarkRequest(b *testing.B) {
	m, o := benched(b)
	b.ReportAllocs()
	for b.Loop() {
		onRequest(m, o)
	}
}

func BenchmarkRecord(b *testing.B) {
	m, o := benched(b)
	b.ReportAllocs()
	for b.Loop() {
		m.Record(o)
	}
}

// TestNothingAllocates holds the hot path to what the benchmarks show.
func TestNothingAllocates(t *testing.T) {
	m, o := benched(t)
	refused := denied()
	failed := lost("*.smsportal.com", problem.Reset, problem.Unknown)
	tests := map[string]func(){
		"request": func() { onRequest(m, o) },
		"refused": func() { m.Record(&refused) },
		"failed":  func() { m.Record(&failed) },
		"service": func() {
			m.OpenConnection(call.Plain, 1)
			m.OpenConnection(call.Plain, -1)
			m.LeafMinted()
			m.Denied(problem.Host)
			m.Rewrite(rewrite.Cookie)
			m.ClassicHello("*.smsportal.com")
		},
	}
	for name, do := range tests {
		do()
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
