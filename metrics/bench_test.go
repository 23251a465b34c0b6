package metrics

import (
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

const benchID = "01J9Z3K4M5N6P7Q8R9S0T1V2W3"

// onRequest is everything that one upgraded request on a kept connection
// counts: all of it together must cost less than a microsecond.
func onRequest(m *Metrics, c *Client) {
	c.Request("*.smsportal.com", call.VersionNone, true, benchID)
	c.Upgrade(call.VersionNone)
	c.Policy("allow", true)
	c.Credentials("query")
	c.Verdict("plaintext")
	c.Library("Java 6", "address")
	m.UpstreamPool("*.smsportal.com", 1, 1)
	m.UpstreamPhase("*.smsportal.com", "first_byte", 20*time.Millisecond)
	m.UpstreamPool("*.smsportal.com", 2, 0)
	m.Response("*.smsportal.com", 200, "upstream")
	m.RequestDuration("*.smsportal.com", call.Forward, .042, benchID)
}

// onConnection is what a new connection counts on top.
func onConnection(m *Metrics) *Client {
	c := m.Client("10.1.2.3", "address")
	c.Connection(call.Forward, call.VersionNone, call.Plain)
	m.OpenConnection(call.Plain, 1)
	m.OpenConnection(call.Plain, -1)
	return c
}

func realtime(t testing.TB) *Metrics {
	f := newFixture(t, Options{Upstreams: defaultUpstreams})
	f.Metrics.clock = time.Now
	return f.Metrics
}

func BenchmarkRequest(b *testing.B) {
	m := realtime(b)
	c := onConnection(m)
	b.ReportAllocs()
	for b.Loop() {
		onRequest(m, c)
	}
}

func BenchmarkRequestParallel(b *testing.B) {
	m := realtime(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		c := onConnection(m)
		for pb.Next() {
			onRequest(m, c)
		}
	})
}

func BenchmarkConnection(b *testing.B) {
	m := realtime(b)
	b.ReportAllocs()
	for b.Loop() {
		onConnection(m)
	}
}

func BenchmarkOverflow(b *testing.B) {
	m := realtime(b)
	m.limit = 0
	b.ReportAllocs()
	for b.Loop() {
		onConnection(m)
	}
}

// TestNothingAllocates holds the hot path to what the benchmarks show.
func TestNothingAllocates(t *testing.T) {
	f := newFixture(t, Options{Upstreams: defaultUpstreams})
	m := f.Metrics
	c := onConnection(m)
	tests := map[string]func(){
		"request":    func() { onRequest(m, c) },
		"connection": func() { onConnection(m) },
		"tls": func() {
			c.Hello(call.Version10, "tls", true)
			c.HandshakeFailure(HandshakeClientAlert)
			c.Connection(call.Connect, call.Version10, call.Terminated)
			m.LeafMinted()
		},
		"failure": func() {
			m.Denied(problem.Host)
			m.Rewrite("cookie")
			m.UpstreamHandshake("*.smsportal.com", 0x0304, 0x1301, true)
			m.UpstreamFailure("*.smsportal.com", problem.Reset, problem.Unknown)
			m.Response(DeniedUpstream, 403, "tlslift")
		},
	}
	for name, do := range tests {
		do()
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
