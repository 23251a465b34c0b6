package ledger

import (
	"fmt"
	"testing"
	"time"

	"tlslift/proxy/call"
)

func BenchmarkObserve(b *testing.B) {
	request := plain("www.mymobileapi.com")
	request.UserAgent = "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.5420)"
	for name, observe := range map[string]func(*Ledger, Client){
		"request":    func(l *Ledger, c Client) { l.Request(c, request) },
		"connection": func(l *Ledger, c Client) { l.Connection(c, spliced()) },
		"hello": func(l *Ledger, c Client) {
			l.Hello(c, HelloObs{Ours: true, Offered: call.Version10, Library: "OpenSSL 0.9.8", JA4: "t10d1"})
		},
	} {
		clients := make([]Client, 200)
		for i := range clients {
			clients[i] = addr(fmt.Sprint("10.0.0.", i))
		}
		b.Run(name, func(b *testing.B) {
			l := New(Options{})
			b.ReportAllocs()
			for i := range b.N {
				observe(l, clients[i%len(clients)])
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			l := New(Options{})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					observe(l, clients[i%len(clients)])
				}
			})
		})
	}
	b.Run("request/one client, parallel", func(b *testing.B) {
		l := New(Options{})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.Request(Client{Name: "workload", Source: "workload", Configured: true}, request)
			}
		})
	})
}

// BenchmarkObserveFull is the hostile case: a full ledger and always another
// caller.
func BenchmarkObserveFull(b *testing.B) {
	for _, insecure := range []bool{true, false} {
		b.Run(fmt.Sprintf("insecure=%t", insecure), func(b *testing.B) {
			l := New(Options{})
			o := plain("h")
			if !insecure {
				o = terminated(call.Version12)
			}
			b.ReportAllocs()
			for i := range b.N {
				l.Request(Client{Name: fmt.Sprint("client", i), Source: "address"}, o)
			}
		})
	}
}

func BenchmarkSnapshot10k(b *testing.B) {
	clock := newTestClock(time.Now().Add(-100 * dayLong))
	l := New(Options{Clock: clock.now})
	for range 100 {
		for i := range 10_000 {
			l.Request(addr(fmt.Sprint("client", i)), plain("h"))
		}
		clock.advance(dayLong)
	}
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			l.Snapshot()
		}
	})
	b.Run("summary", func(b *testing.B) {
		for b.Loop() {
			l.Summary()
		}
	})
}
