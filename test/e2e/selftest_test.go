package e2e

import (
	"encoding/json"
	"testing"

	"tlslift/deploy/demo/smsportal"
	"tlslift/metrics/ledger"
	"tlslift/test/harness"
)

// TestASelfTestIsNoTraffic: a health check that asks the self-test host counts nowhere:
// not in the ledger, and not in the client series. Traffic to another host stays
// foreign, and a call on the same connection is a call.
func TestASelfTestIsNoTraffic(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Config: "listen: [{address: '127.0.0.1:0', client: checked}]"})
	const selfTest = "GET http://check.tlslift.test/ HTTP/1.1\r\nHost: check.tlslift.test\r\n\r\n"
	c := harness.Dial(t, p.Addr())
	for range 3 {
		if answer := c.Send(selfTest).Answer("GET"); answer.StatusCode != 200 {
			t.Fatalf("%d %s", answer.StatusCode, answer.Text)
		}
	}
	p.WaitLogs(0, harness.Match{"msg": "request", "decision": "self_test"}, 3)
	m := p.Metrics()
	for _, name := range []string{"tlslift_client_requests_total", "tlslift_client_connections_total"} {
		if n := m.Sum(name); n != 0 {
			t.Errorf("%s is %v after a self-test", name, n)
		}
	}
	c.Send("GET http://" + legacyHost + "/a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
	c.Close()
	p.WaitMetric(1, "tlslift_client_requests_total", "client", "checked", "insecure", "true")
	p.WaitMetric(1, "tlslift_client_connections_total", "client", "checked", "handling", "plain")
	var list struct{ Clients []ledger.Row }
	if _, body := p.Get("/api/v1/clients"); json.Unmarshal([]byte(body), &list) != nil || len(list.Clients) != 1 ||
		len(list.Clients[0].Requests) != 1 || list.Clients[0].Requests[0].Count != 1 || len(list.Clients[0].Connections) != 1 {
		t.Errorf("the API says %s", body)
	}
}
