package e2e

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestRefusedCallsAreOfAClient: an insecure caller all of whose calls for the API
// are refused is still one that must change. Page and API show it, as the metrics
// do. A caller that names nobody, or may not use the proxy, is none.
func TestRefusedCallsAreOfAClient(t *testing.T) {
	t.Parallel()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	listen := ""
	for _, name := range []string{"unframed", "elsewhere", "bodiless", "junk", "foreign"} {
		listen += fmt.Sprintf("{address: '127.0.0.1:0', client: %s}, ", name)
	}
	p := harness.Start(t, harness.Options{
		Upstream: startPortal(t, smsportal.Options{}), Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		Config: "listen: [" + listen + "{address: '127.0.0.1:0', client: barred, allow: [192.0.2.1/32]}]\nlimits: {body_bytes: 10, header_timeout: 1s}",
	})
	listening := p.WaitLogs(0, harness.Match{"msg": "listening"}, 6)
	send := func(n int, request string, status int) {
		t.Helper()
		if answer := harness.Dial(t, listening[n].String("address")).Send(request).Answer("GET"); answer.StatusCode != status {
			t.Errorf("%q was answered %d, want %d", request, answer.StatusCode, status)
		}
	}
	send(0, "POST /api5/http5.aspx HTTP/1.0\r\nHost: "+legacyHost+"\r\n\r\nType=credits", 400)
	inside := tls.Client(harness.Dial(t, listening[1].String("address")).Tunnel(legacyHost+":443").Bytes(),
		&tls.Config{ServerName: legacyHost, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	if answer := harness.NewCaller(t, inside).Send("GET /a HTTP/1.1\r\nHost: 10.1.2.3\r\n\r\n").Answer("GET"); answer.StatusCode != 421 {
		t.Errorf("another Host inside the tunnel was answered %d, want 421", answer.StatusCode)
	}
	send(2, "POST /api5/http5.aspx HTTP/1.1\r\nHost: "+legacyHost+"\r\nContent-Length: 11\r\n\r\nType=credit", 413)
	send(3, "\x03\x00\x00\x13\x0e\xe0 /\r\n\r\n", 400)
	send(4, "GET http://example.net/ HTTP/1.0\r\nHost: "+legacyHost+"\r\nHost: example.net\r\n\r\n", 400)
	send(5, "GET http://"+legacyHost+"/a HTTP/1.1\r\nHost: "+legacyHost+"\r\n\r\n", 403)
	for _, name := range []string{"unframed", "elsewhere", "bodiless", "junk", "foreign", "barred"} {
		p.WaitMetric(1, "tlslift_client_requests_total", "client", name, "upstream", "_denied")
	}

	_, body := p.Get("/api/v1/clients")
	var api struct {
		Clients []struct {
			Client, State string
			AllRefused    bool `json:"all_refused"`
			Refused       map[string]int
			Hosts         []ledger.HostCount
		}
	}
	if err := json.Unmarshal([]byte(body), &api); err != nil {
		t.Fatal(err)
	}
	states, refused := map[string]string{}, map[string]string{}
	for _, c := range api.Clients {
		states[c.Client] = c.State
		refused[c.Client] = fmt.Sprint(c.AllRefused, c.Refused)
		for _, h := range c.Hosts { // not what "elsewhere" asked for inside its tunnel
			if h.Host != legacyHost || c.Client == "elsewhere" {
				t.Errorf("%s calls %s, says the API", c.Client, h.Host)
			}
		}
	}
	want := map[string]string{"unframed": "insecure", "elsewhere": "insecure", "bodiless": "insecure", "junk": "unseen", "foreign": "unseen", "barred": "unseen"}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("the API lists %v, want %v", states, want)
	}
	reasons := map[string]string{
		"unframed": "true map[malformed:1]", "elsewhere": "true map[misdirected:1]", "bodiless": "true map[too_large:1]",
		"junk": "true map[malformed:1]", "foreign": "true map[malformed:1]", "barred": "true map[acl:1]",
	}
	if fmt.Sprint(refused) != fmt.Sprint(reasons) {
		t.Errorf("the API lists as refused %v, want %v", refused, reasons)
	}
	for _, name := range []string{"unframed", "barred"} {
		p.WaitLogs(0, harness.Match{"msg": "request", "client": name, "decision": "refuse"}, 1)
		if _, page := p.Get("/clients/" + name); !strings.Contains(page, "tlslift refused its last call, and saw none succeed before it") ||
			!strings.Contains(page, "tlslift refused the last call of "+name+", at ") || strings.Contains(page, "only tlslift keeps it working") {
			t.Errorf("the page of %s: %.6000s", name, page)
		}
	}
}

// TestARefusedHeadIsItsClients: a call that is refused once all its fields were read
// counts under the name that its other calls have, and shows the same program. One
// whose fields were not all read shows no program.
func TestARefusedHeadIsItsClients(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{
		Upstream: startPortal(t, smsportal.Options{}),
		Config:   "clients: {proxy_user: name, account: plain}\nlimits: {body_bytes: 10}",
	})
	const agent, long = "User-Agent: Java/1.6.0_45\r\nX-Request-Id: abc-def\r\n", "Content-Length: 30000\r\n"
	billing := "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("billing:x")) + "\r\n"
	ask := func(request string, status int) {
		t.Helper()
		if answer := dial(t, p).Send(request).Answer("GET"); answer.StatusCode != status {
			t.Errorf("%q was answered %d, want %d", request, answer.StatusCode, status)
		}
	}
	target := "http://" + legacyHost + "/a"
	ask("GET "+target+" HTTP/1.1\r\nHost: x\r\n"+billing+agent+"\r\n", 404)
	mark := p.Mark()
	ask("POST "+target+" HTTP/1.1\r\nHost: x\r\n"+billing+agent+long+"\r\n", 413)
	p.WaitLogAfter(mark, harness.Match{"msg": "request", "status": 413, "client": "billing", "caller_request_id": "abc-def"})
	ask("GET "+target+"?Username=acct HTTP/1.1\r\nHost: x\r\n"+agent+"\r\n", 404)
	ask("POST "+target+"?Username=acct HTTP/1.1\r\nHost: x\r\n"+agent+long+"\r\n", 413)
	ask("GET "+target+" HTTP/1.1\r\nHost: x\r\n"+agent+"\r\n", 404) // by its address
	ask("GET "+target+" HTTP/1.1\r\nHost: x\r\n"+agent+"Two words: x\r\n\r\n", 400)
	for _, name := range []string{"billing", "acct", "127.0.0.1"} {
		p.WaitMetric(1, "tlslift_client_requests_total", "client", name, "upstream", "_denied")
	}

	_, body := p.Get("/api/v1/clients")
	var api struct {
		Clients []struct{ Client, Program string }
	}
	if err := json.Unmarshal([]byte(body), &api); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range api.Clients {
		got[c.Client] = c.Program
	}
	const java = "Java 6 or older"
	want := map[string]string{"billing": java, "acct": java, "127.0.0.1": java}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the API lists %v, want %v", got, want)
	}
}
