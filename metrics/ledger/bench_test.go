package ledger

import (
	"fmt"
	"path/filepath"
	"testing"

	"tlslift/proxy/call"
)

// outcomes are what the benchmarks record.
func outcomes() map[string]call.Outcome {
	request := plain("www.mymobileapi.com")
	request.Kind, request.ID = call.Request, "3f2a9c1e-1z"
	request.UserAgent = "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.5420)"
	first := request
	first.Observation = &call.Observation{Ours: true, Ingress: call.Forward, Handling: call.Plain}
	modern := spliced()
	modern.Ours = true
	connection := call.Outcome{Kind: call.Observed, Observation: &modern}
	all := map[string]call.Outcome{"request": request, "first": first, "spliced": connection}
	for name, o := range all {
		o.End = epoch
		all[name] = o
	}
	return all
}

func benched() (*Ledger, []call.Identity) {
	l := New(Options{})
	l.Configure(Settings{LabelLimit: 100, Upstreams: []string{"smsportal.com", "*.smsportal.com", "mymobileapi.com", "*.mymobileapi.com"}})
	var clients []call.Identity
	for i := range 200 {
		clients = append(clients, named(fmt.Sprint("10.0.0.", i)))
	}
	return l, clients
}

func BenchmarkRecord(b *testing.B) {
	for name, o := range outcomes() {
		b.Run(name, func(b *testing.B) {
			l, clients := benched()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.Client = clients[i%len(clients)]
				l.Record(&o)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			l, clients := benched()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				o := o
				for i := 0; pb.Next(); i++ {
					o.Client = clients[i%len(clients)]
					l.Record(&o)
				}
			})
		})
	}
}

// BenchmarkRecordFull is the hostile case: a full ledger and always another
// caller.
func BenchmarkRecordFull(b *testing.B) {
	for _, insecure := range []bool{true, false} {
		b.Run(fmt.Sprintf("insecure=%t", insecure), func(b *testing.B) {
			g := newRig(Settings{LabelLimit: 100})
			o := plain("h")
			if !insecure {
				o = terminated(call.Version12)
			}
			b.ReportAllocs()
			for i := range b.N {
				g.request(fmt.Sprint("client", i), o)
			}
		})
	}
}

func BenchmarkTenThousandClients(b *testing.B) {
	g := newRigIn(Options{File: filepath.Join(b.TempDir(), "ledger.json")}, Settings{LabelLimit: 100})
	for range 100 {
		for i := range 10_000 {
			g.request(fmt.Sprint("client", i), plain("h"))
		}
		g.clock.advance(dayLong)
	}
	defer g.Close()
	for name, do := range map[string]func(){
		"snapshot": func() { g.Snapshot() },
		"summary":  func() { g.Summary() },
		"scrape":   func() { g.scrape(b) },
		"write": func() {
			g.changed.Store(true)
			if err := g.Flush(); err != nil {
				b.Fatal(err)
			}
		},
		"read": func() {
			if _, err := ReadFile(g.file.path, g.clock.now(), 0); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				do()
			}
		})
	}
}

// TestNothingAllocates: the hot path keeps what it has.
func TestNothingAllocates(t *testing.T) {
	for name, o := range outcomes() {
		l, clients := benched()
		o.Client = clients[0]
		l.Record(&o)
		if n := testing.AllocsPerRun(100, func() { l.Record(&o) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
