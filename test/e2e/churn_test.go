package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestChurnHidesNobody: neither the changing addresses of one IPv6 host nor the
// names that one caller invents take the place of other clients.
func TestChurnHidesNobody(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, `
listen: [{address: '127.0.0.1:0', proxy_protocol_from: [127.0.0.1/32]}]
clients: {track: 50, proxy_user: name}
others: refuse`)
	ask := func(from, user string) {
		header := ""
		if user != "" {
			header = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":x")) + "\r\n"
		}
		family, to := "TCP4", "127.0.0.1"
		if strings.Contains(from, ":") {
			family, to = "TCP6", "::1"
		}
		c := harness.Dial(t, p.Addr())
		c.Send(fmt.Sprintf("PROXY %s %s %s 4000 80\r\nGET %s/a HTTP/1.1\r\nHost: x\r\n%s\r\n", family, from, to, api, header))
		if answer := c.Answer("GET"); answer.Problem() != "" {
			t.Fatalf("%d %s", answer.StatusCode, answer.Problem())
		}
		c.Close()
	}
	for i := range 60 {
		ask(fmt.Sprintf("2001:db8::%x", i+1), "")
		ask("192.0.2.1", fmt.Sprint("invented", i))
	}
	ask("192.0.2.9", "late")
	p.WaitMetric(121, requestsTotal)
	m := p.Metrics()
	for client, want := range map[string]float64{"2001:db8::/64": 60, "late": 1, "192.0.2.1": 55} {
		if got := m.Sum(requestsTotal, "client", client); got != want {
			t.Errorf("%v requests of %s, want %v", got, client, want)
		}
	}
	if n := m.Sum("tlslift_clients", "kind", "tracked"); n != 8 {
		t.Errorf("%v clients are tracked, want the /64, five invented, their address and one more", n)
	}
	if _, body := p.Get("/api/v1/clients/late"); !strings.Contains(body, `"insecure"`) {
		t.Errorf("the last one: %.200s", body)
	}
}
