package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
)

// testClock is a clock that a test sets.
type testClock struct{ unix atomic.Int64 }

func (c *testClock) set(t time.Time) { c.unix.Store(t.Unix()) }

func (c *testClock) now() time.Time { return time.Unix(c.unix.Load(), 0) }

func (c *testClock) advance(d time.Duration) { c.unix.Add(int64(d / time.Second)) }

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

const dayLong = 24 * time.Hour

// rig is a ledger with a clock of its own.
type rig struct {
	*Ledger
	clock *testClock
}

func newRig(s Settings) rig { return newRigIn(Options{}, s) }

// newRigIn is newRig at epoch, with a file or a log.
func newRigIn(o Options, s Settings) rig {
	clock := new(testClock)
	clock.set(epoch)
	return rigAt(clock, o, s)
}

func rigAt(clock *testClock, o Options, s Settings) rig {
	o.Clock = clock.now
	g := rig{New(o), clock}
	g.Configure(s)
	return g
}

// request records a request of a client.
func (g rig) request(client string, o call.Outcome) {
	o.Kind, o.Client, o.End = call.Request, named(client), g.clock.now()
	g.Record(&o)
}

// sight records what a connection of a client showed.
func (g rig) sight(client string, s call.Observation) {
	s.Ours = true
	g.Record(&call.Outcome{Kind: call.Observed, Client: named(client), End: g.clock.now(), Observation: &s})
}

func named(client string) call.Identity {
	return call.Identity{Name: client, Source: call.SourceAddress}
}

func (g rig) row(t *testing.T, name string) Row {
	t.Helper()
	r, ok := g.Row(name)
	if !ok {
		t.Fatalf("client %q has no row", name)
	}
	return r
}

func plain(host string) call.Outcome {
	return call.Outcome{
		Ours: true, Ingress: call.Forward, Version: call.VersionNone, Handling: call.Plain, Host: host,
		Label: "*.smsportal.com", Upgraded: true,
	}
}

func terminated(v call.Version) call.Outcome {
	o := plain("api.smsportal.com")
	o.Ingress, o.Version, o.Handling = call.Connect, v, call.Terminated
	return o
}

// foreign is a plain request that was for none of our upstreams.
func foreign() call.Outcome { return call.Outcome{Ingress: call.Forward, Label: "_denied"} }

func offers(v call.Version) *call.Offer { return &call.Offer{Max: v} }

// spliced is a connection of a client that offers TLS 1.3.
func spliced() call.Observation {
	return call.Observation{
		Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Host: "api.smsportal.com", Hello: offers(call.Version13),
	}
}

// ended is a connection whose TLS ended here.
func ended(v call.Version) call.Observation {
	return call.Observation{Ingress: call.Connect, Version: v, Handling: call.Terminated, Hello: offers(v)}
}

// refused is one whose handshake with us failed.
func refused(v call.Version, why call.HandshakeFailure) call.Observation {
	return call.Observation{Ingress: call.Connect, Version: v, Handling: call.Refused, Hello: offers(v), Failure: why}
}

// declined is one between a client and the upstream that failed.
func declined(v call.Version, why call.HandshakeFailure) call.Observation {
	s := spliced()
	s.Version, s.Hello, s.NoCall, s.Failure, s.AtUpstream = v, offers(v), true, why, true
	return s
}

// scraped is what one scrape shows: values by name{label="value",...}.
type scraped map[string]float64

// scrape collects the ledger's metrics through a registry that checks them.
func (g rig) scrape(t testing.TB) scraped {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(g.Ledger); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(scraped)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			all[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

// of are the series of a name that have all of some labels, each as
// name="value"; "tlslift" is every name.
func (s scraped) of(name string, labels ...string) (found []string) {
	if name != "tlslift" {
		name += "{"
	}
	for _, series := range slices.Sorted(maps.Keys(s)) {
		missing := func(label string) bool { return !strings.Contains(series, label) }
		if strings.HasPrefix(series, name) && !slices.ContainsFunc(labels, missing) {
			found = append(found, series)
		}
	}
	return found
}

func (s scraped) has(name string, labels ...string) bool { return len(s.of(name, labels...)) > 0 }

func (s scraped) sum(name string, labels ...string) (total float64) {
	for _, series := range s.of(name, labels...) {
		total += s[series]
	}
	return total
}

func client(name string) string { return fmt.Sprintf("client=%q", name) }

// Flush writes a snapshot if anything changed since the last one.
func (l *Ledger) Flush() error {
	if l.file == nil {
		return nil
	}
	return l.file.flushOrSay()
}
