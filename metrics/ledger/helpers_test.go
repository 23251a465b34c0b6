package ledger

import (
	"sync/atomic"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// testClock is a clock that a test sets.
type testClock struct{ unix atomic.Int64 }

func newTestClock(t time.Time) *testClock {
	c := new(testClock)
	c.set(t)
	return c
}

func (c *testClock) set(t time.Time) { c.unix.Store(t.Unix()) }

func (c *testClock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

func (c *testClock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const dayLong = 24 * time.Hour

func plain(host string) RequestObs {
	return RequestObs{Ours: true, Ingress: call.Forward, Version: call.VersionNone, Handling: call.Plain, Host: host}
}

func terminated(v call.Version) RequestObs {
	return RequestObs{Ours: true, Ingress: call.Connect, Version: v, Handling: call.Terminated, Host: "api.smsportal.com"}
}

func spliced() ConnectionObs {
	return ConnectionObs{Ours: true, Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Host: "api.smsportal.com"}
}

func hello(v call.Version) HelloObs { return HelloObs{Ours: true, Offered: v} }

func addr(name string) Client { return Client{Name: name, Source: "address"} }

func mustRow(t *testing.T, l *Ledger, name string) Row {
	t.Helper()
	r, ok := l.Row(name)
	if !ok {
		t.Fatalf("client %q has no row", name)
	}
	return r
}
