package e2e

import (
	"crypto/tls"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestLabelsAreEarnedAfterARestart: ten thousand rows of the state file have no
// label and count nothing. Traffic earns one; an insecure caller has it at once,
// and a migrated one gives way.
func TestLabelsAreEarnedAfterARestart(t *testing.T) {
	t.Parallel()
	const rows, labels = 10_000, 5
	state := filepath.Join(t.TempDir(), "ledger.json")
	l := ledger.New(ledger.Options{File: state})
	at := time.Now().Add(-time.Hour)
	for i := range rows {
		o := call.Outcome{
			Client: call.Identity{Name: fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), Source: call.SourceAddress}, End: at,
			Ours: true, Handling: call.Plain, Label: "_other",
		}
		if i%2 == 0 {
			o.Kind, o.Observation = call.Observed, &call.Observation{Ours: true, Version: call.Version13, Handling: call.Spliced}
		}
		l.Record(&o)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	server, p := portal(t, smsportal.Options{}, fmt.Sprintf(`
listen: [{address: '127.0.0.1:0', proxy_protocol_from: [127.0.0.1/32]}]
state: {file: %s}
clients: {label_limit: %d}`, state, labels))
	from := func(address string) *harness.Caller {
		return harness.Dial(t, p.Addr()).Send("PROXY TCP4 " + address + " 127.0.0.1 4000 80\r\n")
	}
	const overflow, firstSeen = "tlslift_client_overflow_total", "tlslift_client_first_seen_timestamp_seconds"
	m := p.Metrics()
	if m.Sum("tlslift_clients", "kind", "tracked") != rows || m.Sum("tlslift_clients", "kind", "labelled") != 0 || m.Sum(overflow) != 0 || m.Has(firstSeen) {
		t.Fatalf("after the restart: %v, overflow %v", m["tlslift_clients"], m.Sum(overflow))
	}
	secure := func(i int) string { return fmt.Sprintf("10.0.0.%d", 2*i) }
	for i := range labels {
		const host = "api.smsportal.com"
		conn := tls.Client(from(secure(i)).Tunnel(host+":443").Bytes(), &tls.Config{RootCAs: server.Roots(), ServerName: host})
		c := harness.NewCaller(t, conn)
		c.Send("GET /a HTTP/1.1\r\nHost: " + host + "\r\n\r\n").Answer("GET")
		p.WaitMetric(1, "tlslift_client_connections_total", "client", secure(i), "handling", "spliced")
	}
	if n := p.Metrics().Sum("tlslift_clients", "kind", "labelled"); n != labels {
		t.Fatalf("%v labels are taken", n)
	}
	const insecure = "10.0.1.1"
	from(insecure).Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET")
	p.WaitMetric(1, requestsTotal, "client", insecure)
	m = p.Metrics()
	if m.Sum(overflow) != 0 || m.Sum("tlslift_clients", "kind", "labelled") != labels || !m.Has(firstSeen, "client", insecure) {
		t.Errorf("%v, overflow %v", m["tlslift_clients"], m.Sum(overflow))
	}
}
