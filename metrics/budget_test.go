package metrics

import (
	"fmt"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

var defaultUpstreams = []string{"smsportal.com", "*.smsportal.com", "mymobileapi.com", "*.mymobileapi.com"}

// TestSidecarBudget lets a sidecar live: an application that calls two
// upstreams in clear and over its own TLS, foreign hosts as well, with errors.
func TestSidecarBudget(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Options{Workload: "payments/billing", Upstreams: defaultUpstreams})
	if err := RegisterRuntime(f.reg); err != nil {
		t.Fatal(err)
	}
	c := f.Client("payments/billing", "workload")
	used := []string{"*.smsportal.com", "*.mymobileapi.com"}
	for _, up := range used {
		c.Request(up, call.VersionNone, true, "id")
		f.RequestDuration(up, call.Forward, .1, "id")
		for _, p := range phases {
			f.UpstreamPhase(up, p, time.Millisecond)
		}
		f.UpstreamHandshake(up, 0x0304, 0x1301, false)
		f.UpstreamHandshake(up, 0x0304, 0x1301, true)
		f.UpstreamPool(up, 2, 0)
		f.UpstreamCertificate(up, start)
		f.Response(up, 200, "upstream")
		f.Response(up, 504, "tlslift")
		f.UpstreamFailure(up, problem.Timeout, problem.Unknown)
	}
	for _, foreign := range []string{OtherUpstream, DeniedUpstream} {
		c.Request(foreign, call.VersionNone, true, "id")
		f.RequestDuration(foreign, call.Forward, .1, "id")
		for _, p := range phases {
			f.UpstreamPhase(foreign, p, time.Millisecond)
		}
		f.UpstreamPool(foreign, 1, 0)
		f.UpstreamFailure(foreign, problem.Connect, problem.NotSent)
	}
	c.Connection(call.Forward, call.VersionNone, call.Plain)
	c.Connection(call.Forward, call.VersionNone, call.Refused)
	c.Connection(call.Forward, call.VersionNone, call.Tunnelled)
	c.Connection(call.Connect, call.Version13, call.Spliced)
	c.Connection(call.Connect, call.VersionNone, call.Tunnelled)
	c.Hello(call.Version13, "tls", true)
	c.Upgrade(call.VersionNone)
	c.Credentials("query")
	c.Policy("allow", true)
	c.Verdict("plaintext")
	c.Library("Java 6", "")
	f.Response(OtherUpstream, 200, "upstream")
	f.Response(DeniedUpstream, 403, "tlslift")
	all := f.gather(t)
	var ours int
	for _, mf := range all {
		if len(mf.GetName()) > len(namespace) && mf.GetName()[:len(namespace)] == namespace {
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
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("app-%d", i))
	}
	for _, tt := range []struct {
		kind       string
		configured []string
	}{{"configured", names}, {"discovered", nil}} {
		f := newFixture(t, Options{Upstreams: defaultUpstreams})
		before := series(f.gather(t))
		f.SetClients("", tt.configured)
		for i, name := range names {
			live(f.Client(name, "address"), i)
		}
		n := series(f.gather(t)) - before
		t.Logf("100 %s clients add %d series", tt.kind, n)
		if n > 1500 {
			t.Errorf("100 %s clients add %d series, at most 1500 are allowed", tt.kind, n)
		}
	}
}

// live is what the i-th client of a mixed population does.
func live(c *Client, i int) {
	const up = "*.smsportal.com"
	c.Library("Java 6", "address")
	c.Sunset(start)
	switch i % 4 {
	case 0, 1: // in clear, with its password in the query
		c.Connection(call.Forward, call.VersionNone, call.Plain)
		c.Request(up, call.VersionNone, true, "")
		c.Upgrade(call.VersionNone)
		c.Credentials("query")
		c.Policy("warn", true)
		c.Verdict("plaintext")
	case 2: // TLS 1.0, terminated, with a failure on the way
		c.Hello(call.Version10, "tls", true)
		c.HandshakeFailure(HandshakeClientRejectedCA)
		c.Connection(call.Connect, call.Version10, call.Terminated)
		c.Request(up, call.Version10, true, "")
		c.Upgrade(call.Version10)
		c.Policy("warn", true)
		c.Verdict("legacy-only")
	default: // migrating: in clear and spliced
		c.Hello(call.Version13, "tls", true)
		c.Connection(call.Connect, call.Version13, call.Spliced)
		c.Connection(call.Forward, call.VersionNone, call.Plain)
		c.Request(up, call.VersionNone, true, "")
		c.Upgrade(call.VersionNone)
		c.Policy("warn", true)
		c.Verdict("capable")
	}
}
