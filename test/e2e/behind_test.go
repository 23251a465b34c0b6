package e2e

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestSeveralProgramsBehindOneName: what shares the port of one client is told by
// its API and its page. A program that shows two User-Agents and two addresses is
// one program.
func TestSeveralProgramsBehindOneName(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, `
listen:
- {address: '127.0.0.1:0', client: shared, proxy_protocol_from: [127.0.0.1/32]}
- {address: '127.0.0.1:0', client: alone, proxy_protocol_from: [127.0.0.1/32]}
clients: {account: plain}`)
	asked := 0
	ask := func(listener int, address, agent, account string) {
		c := harness.Dial(t, p.ListenAddr(listener))
		credentials := base64.StdEncoding.EncodeToString([]byte(account + ":hunter2secret"))
		c.Send(fmt.Sprintf("PROXY TCP4 %s 127.0.0.1 4000 80\r\nGET %s/a HTTP/1.1\r\nHost: x\r\nUser-Agent: %s\r\nAuthorization: Basic %s\r\n\r\n",
			address, api, agent, credentials)).Answer("GET")
		c.Close()
		asked++
		p.WaitMetric(float64(asked), requestsTotal) // in the order of the calls
	}
	for range 2 {
		ask(0, "192.0.2.1", "Java/1.6.0_45", "acme")
		ask(0, "192.0.2.2", "Python-urllib/2.7", "umbrella")
		ask(1, "192.0.2.3", "Java/1.6.0_45", "acme")
		ask(1, "192.0.2.4", "Axis/1.4", "acme")
	}

	for client, want := range map[string]struct {
		several                       bool
		addresses, accounts, families []string
	}{
		"shared": {true, []string{"192.0.2.1", "192.0.2.2"}, []string{"acme", "umbrella"}, []string{"Java 6 or older", "Python urllib"}},
		"alone":  {false, []string{"192.0.2.3", "192.0.2.4"}, []string{"acme"}, []string{"Axis 1", "Java 6 or older"}},
	} {
		type shown []struct {
			Name  string
			Count int
			Last  string
		}
		var row struct {
			Several bool `json:"several_programs"`
			Behind  struct {
				Addresses, Accounts shown
				Families            shown `json:"user_agent_families"`
			}
		}
		_, body := p.Get("/api/v1/clients/" + client)
		if err := json.Unmarshal([]byte(body), &row); err != nil {
			t.Fatalf("%v in %.300s", err, body)
		}
		if row.Several != want.several {
			t.Errorf("%s: several programs is %t", client, row.Several)
		}
		_, page := p.Get("/clients/" + client)
		for what, pair := range map[string]struct {
			got  shown
			want []string
		}{"addresses": {row.Behind.Addresses, want.addresses}, "accounts": {row.Behind.Accounts, want.accounts}, "families": {row.Behind.Families, want.families}} {
			var names []string
			for _, s := range pair.got {
				names = append(names, s.Name)
				if s.Count == 0 || s.Last == "" || !strings.Contains(page, "<li><bdi>"+s.Name+"</bdi>") {
					t.Errorf("%s: %+v, or it is not on the page", client, s)
				}
			}
			if slices.Sort(names); !slices.Equal(names, pair.want) {
				t.Errorf("%s: %s are %q", client, what, names)
			}
		}
		if !strings.Contains(page, "Behind this name") || strings.Contains(page, "More than one program") != want.several ||
			strings.Contains(page, ">several programs<") != want.several {
			t.Errorf("%s: the page says another thing", client)
		}
		if strings.Contains(page+body, "hunter2secret") {
			t.Errorf("%s: a secret is shown", client)
		}
	}
	if _, page := p.Get("/"); strings.Count(page, ">several programs<") != 1 {
		t.Error("the status page does not say which name it is")
	}
	if report := harness.Run(t, nil, "report", "--format", "json", "--admin", "http://"+p.AdminAddr()); strings.Count(report.Stdout, `"several_programs": true`) != 1 {
		t.Errorf("the report says %.300s", report.Stdout)
	}
}
