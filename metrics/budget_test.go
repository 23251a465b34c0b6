package metrics

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

var defaultUpstreams = []string{
	"api.smsportal.com", "rest.smsportal.com", "smsportal.com", "www.mymobileapi.com", "mymobileapi.com",
	"rest.mymobileapi.com", "legacy.mymobileapi.com", "*.smsportal.com", "*.mymobileapi.com",
}

// TestSidecarBudget lets a sidecar live: an application that calls two
// upstreams in clear and over its own TLS, foreign hosts as well, with errors.
func TestSidecarBudget(t *testing.T) {
	t.Parallel()
	const app = "payments/billing"
	f := newFixture(t, ledger.Settings{Workload: app, Clients: []ledger.Configured{{Name: app}}, Upstreams: defaultUpstreams})
	if err := RegisterRuntime(f.reg); err != nil {
		t.Fatal(err)
	}
	for _, up := range []string{"api.smsportal.com", "www.mymobileapi.com"} {
		exposed := plain(up)
		exposed.Exposed = 1 << redact.KindQuery
		f.record(app, exposed)
		f.record(app, lost(up, problem.Timeout, problem.Unknown))
		for _, p := range call.Phases {
			f.Phase(up, p, time.Millisecond)
		}
		f.Handshake(up, 0x0304, 0x1301, false)
		f.Handshake(up, 0x0304, 0x1301, true)
		f.Pool(up, 2, 0)
		f.Certificate(up, start)
	}
	for _, foreign := range []string{call.LabelOther, call.LabelDenied} {
		o := lost(foreign, problem.Connect, problem.NotSent)
		o.Ours, o.Upgraded = false, false
		f.record(app, o)
		for _, p := range call.Phases {
			f.Phase(foreign, p, time.Millisecond)
		}
		f.Pool(foreign, 1, 0)
	}
	passed := plain(call.LabelOther)
	passed.Ours, passed.Upgraded = false, false
	f.record(app, passed)
	f.record(app, denied())
	for _, h := range []call.Handling{call.Plain, call.Refused, call.Tunnelled} {
		f.record(app, sighting(call.Observation{Ours: h == call.Plain, Ingress: call.Forward, Handling: h}))
	}
	f.record(app, spliced())
	f.record(app, sighting(call.Observation{Ingress: call.Connect, Handling: call.Tunnelled}))
	all := f.gather(t)
	var ours int
	for _, mf := range all {
		if strings.HasPrefix(mf.GetName(), namespace+"_") {
			ours++
		}
	}
	n := series(all)
	t.Logf("a sidecar with two upstreams in use: %d series in %d families of ours", n, ours)
	if n > 250 {
		t.Errorf("a sidecar exports %d series, at most 250 are allowed", n)
	}
}

// TestClientBudget adds 100 clients of every sort, configured and discovered.
func TestClientBudget(t *testing.T) {
	t.Parallel()
	for _, configured := range []bool{true, false} {
		s := ledger.Settings{Upstreams: defaultUpstreams, LabelLimit: 100}
		f := newFixture(t, s)
		before := series(f.gather(t))
		for i := range 100 {
			if configured {
				s.Clients = append(s.Clients, ledger.Configured{Name: fmt.Sprint("app-", i)})
			}
		}
		f.ledger.Configure(s)
		for i := range 100 {
			f.live(fmt.Sprint("app-", i), i)
		}
		n := series(f.gather(t)) - before
		t.Logf("100 clients, configured %t, add %d series", configured, n)
		if n > 1500 {
			t.Errorf("100 clients, configured %t, add %d series, at most 1500 are allowed", configured, n)
		}
	}
}

// live is what the i-th client of a mixed population does.
func (f *fixture) live(client string, i int) {
	clear := plain("*.smsportal.com")
	clear.UserAgent = "Java/1.6.0_45"
	clear.Observation = &call.Observation{Ours: true, Ingress: call.Forward, Handling: call.Plain}
	switch i % 4 {
	case 0, 1: // in clear, with its password in the query
		clear.Exposed = 1 << redact.KindQuery
		f.record(client, clear)
	case 2: // TLS 1.0, terminated, with a failure on the way
		s := call.Observation{
			Ours: true, Ingress: call.Connect, Version: call.Version10, Handling: call.Terminated,
			Hello: &call.Offer{Max: call.Version10, SNI: true},
		}
		old := plain("*.smsportal.com")
		old.Ingress, old.Version, old.Handling, old.Observation = call.Connect, call.Version10, call.Terminated, &s
		f.record(client, old)
		s.Handling, s.Failure = call.Refused, call.HandshakeClientRejectedCA
		f.record(client, sighting(s))
	default: // migrating: in clear and spliced
		f.record(client, spliced())
		f.record(client, clear)
	}
}
