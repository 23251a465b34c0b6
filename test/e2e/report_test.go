package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/metrics/report"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestOneReportOfSeveralInstances reads two that run and one that was stopped,
// without a Prometheus: what one client did at each is one row.
func TestOneReportOfSeveralInstances(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	server, stopped := portal(t, smsportal.Options{}, "state: {file: "+state+"}")
	first := harness.Start(t, harness.Options{Upstream: server})
	second := harness.Start(t, harness.Options{Upstream: server})
	for p, calls := range map[*harness.Process]int{stopped: 3, first: 2} {
		for range calls {
			p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\nUser-Agent: Python-urllib/2.7\r\n\r\n")
		}
		p.WaitMetric(float64(calls), requestsTotal)
	}
	if code := stopped.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CAPEM())
	conn := tls.Client(dial(t, second).Tunnel(legacyHost+":443").Bytes(), &tls.Config{ServerName: legacyHost, RootCAs: pool})
	c := harness.NewCaller(t, conn)
	c.Send("GET /a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
	c.Close()
	second.WaitMetric(1, "tlslift_client_verdict", "client", "127.0.0.1", "verdict", "capable")
	second.WaitMetric(1, "tlslift_client_connections_total", "handling", "spliced")

	a, b := "http://"+first.AdminAddr(), "http://"+second.AdminAddr()
	all := harness.Run(t, nil, "report", "--admin", a, "--state", state, "--admin", b, "--format", "json", "--fail-if", "mixed")
	var got report.Report
	if err := json.Unmarshal([]byte(all.Stdout), &got); err != nil || all.Code != 1 || len(got.Clients) != 1 {
		t.Fatalf("%v, exit status %d, %s\n%s", err, all.Code, all.Stderr, all.Stdout)
	}
	client, requests := got.Clients[0], uint64(0)
	for _, n := range client.Requests {
		requests += n.Count
	}
	if client.Client != "127.0.0.1" || client.State.String() != "mixed" || client.Verdict.String() != "capable" || requests != 5 {
		t.Errorf("%s is %s, %s, with %d requests", client.Client, client.State, client.Verdict, requests)
	}
	if client.Program != "Python urllib" { // which only the first two know
		t.Errorf("its program is %q", client.Program)
	}
	if !strings.Contains(got.Source, a) || !strings.Contains(got.Source, state) || got.Summary.Clients != 1 || got.Summary.States["mixed"] != 1 || got.Summary.Limit != 0 {
		t.Errorf("%s: %+v", got.Source, got.Summary)
	}
	first.Stop()
	for why, arguments := range map[string][]string{
		"one that is gone":   {"--admin", a, "--admin", b},
		"one that is twice":  {"--admin", b, "--admin", b},
		"one with two names": {"--admin", b, "--admin", strings.Replace(b, "127.0.0.1", "localhost", 1)},
	} {
		if r := harness.Run(t, nil, append([]string{"report"}, arguments...)...); r.Code == 0 || r.Stdout != "" || r.Stderr == "" || strings.HasSuffix(why, "names") != strings.Contains(r.Stderr, "are the same tlslift") {
			t.Errorf("%s: exit status %d, %s%s", why, r.Code, r.Stdout, r.Stderr)
		}
	}
}

// TestReportSaysWhatIsWrongWithAnAddress: what was tried, what is wrong, and what
// to do about it.
func TestReportSaysWhatIsWrongWithAnAddress(t *testing.T) {
	t.Parallel()
	token := harness.TempFile(t, "token", "correct horse\n")
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{})})
	network := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Config: "admin: {address: '0.0.0.0:0', token_file: " + token + "}"})
	serves := func(kind string, status int, text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangsUp.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(network.AdminAddr())
	const give = "give the address of its admin.address (127.0.0.1:9128 by default)"
	for _, tt := range []struct{ arguments, want string }{
		{"--admin " + nobody, "reading admin http://" + nobody + ": connection refused: nothing listens there; start tlslift, or " + give},
		{"--admin https://" + p.AdminAddr(), "reading admin https://" + p.AdminAddr() + ": it does not speak TLS: write http://" + p.AdminAddr()},
		{"--admin " + p.Addr(), "(tlslift: loop, not_sent): tlslift takes calls there; " + give},
		{"--admin " + p.AdminAddr() + "/api/v1", "it answers 404 Not Found: give the address without /api/v1"},
		{"--admin " + serves("text/html", 404, "no"), ": it answers 404 Not Found: is this tlslift's admin address? (admin.public shows no clients)"},
		{"--admin " + serves("text/html; charset=utf-8", 200, "<html>"), ": it does not answer as tlslift's admin address does: its answer is of type text/html; " + give},
		{"--admin " + serves("application/json", 200, `{"status":"ok"}`), ": it does not answer as tlslift's admin address does: its answer has no clients; " + give},
		{"--admin " + serves("application/json", 200, `{"clients":`), ": it does not answer as tlslift's admin address does: unexpected EOF; " + give},
		{"--admin " + hangsUp.URL, ": it closed the connection without an answer: is this tlslift's admin address?"},
		{"--admin 127.0.0.1:" + port, ": it answers 401 Unauthorized: it needs a token; give the file of its admin.token_file with --token-file"},
		{"--admin 127.0.0.1:" + port + " --token-file " + harness.TempFile(t, "other", "battery"), ": it answers 401 Unauthorized: it does not accept that token; give the file of its admin.token_file with --token-file"},
		{"--prometheus http://" + nobody, "prometheus http://" + nobody + ": connection refused: nothing listens there; start it, or correct the address"},
		{"--prometheus https://" + p.AdminAddr(), ": it does not speak TLS: write http://" + p.AdminAddr()},
	} {
		got := harness.Run(t, nil, append([]string{"report"}, strings.Fields(tt.arguments)...)...)
		if got.Code != 1 || got.Stdout != "" || !strings.HasPrefix(got.Stderr, "tlslift: ") || !strings.HasSuffix(got.Stderr, tt.want+"\n") || strings.Contains(got.Stderr, "battery") {
			t.Errorf("%s: status %d, %s", tt.arguments, got.Code, got.Stderr)
		}
	}
	if got := harness.Run(t, nil, "report", "--admin", "127.0.0.1:"+port, "--token-file", token); got.Code != 0 {
		t.Errorf("with the token: status %d, %s", got.Code, got.Stderr)
	}
}

// TestCapableClientsAreToldWhatToTakeOut: what leads a client here decides what
// its owner is to take out.
func TestCapableClientsAreToldWhatToTakeOut(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	server, p := portal(t, smsportal.Options{}, "state: {file: "+state+"}\nlisten: [{address: '127.0.0.1:0', client: tunnels}, {address: '127.0.0.1:0', client: hosts}, {address: '127.0.0.1:0', client: both}]")
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CAPEM())
	listening := p.WaitLogs(0, harness.Match{"msg": "listening"}, 3)
	call := func(n int, tunnel bool) {
		c := harness.Dial(t, listening[n].String("address"))
		if tunnel {
			c = c.Tunnel(legacyHost + ":443")
		}
		c = harness.NewCaller(t, net.Conn(tls.Client(c.Bytes(), &tls.Config{ServerName: legacyHost, RootCAs: pool})))
		c.Send("GET /a HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET")
		c.Close()
	}
	call(0, true)
	call(1, false)
	call(2, true)
	harness.Dial(t, listening[2].String("address")).Send("GET /" + legacyHost + "/a HTTP/1.1\r\nHost: " + listening[2].String("address") + "\r\n\r\n").Answer("GET")
	for _, client := range []string{"tunnels", "hosts", "both"} {
		p.WaitMetric(1, "tlslift_client_connections_total", "client", client, "handling", "spliced")
	}
	p.WaitMetric(1, requestsTotal, "client", "both")
	const first = "It can speak TLS 1.2 already: let it use the API's https addresses without tlslift."
	want := map[string]string{
		"tunnels": "Remove its proxy setting. Then tell the operator of tlslift, who declares it migrated.",
		"hosts":   "Remove the hosts-file or DNS entry, or the proxy setting, that leads to tlslift. Then tell the operator of tlslift, who declares it migrated.",
		"both":    first + " Change its URL from tlslift's address to the API's. Remove its proxy setting.",
	}
	compare := func(source ...string) {
		t.Helper()
		var got report.Report
		if r := harness.Run(t, nil, append([]string{"report", "--format", "json"}, source...)...); json.Unmarshal([]byte(r.Stdout), &got) != nil {
			t.Fatalf("status %d, %s", r.Code, r.Stderr)
		}
		if len(got.Clients) != len(want) {
			t.Errorf("%d clients", len(got.Clients))
		}
		for _, c := range got.Clients {
			if c.Fix != want[c.Client] {
				t.Errorf("%s: %s, want %s", c.Client, c.Fix, want[c.Client])
			}
		}
	}
	compare("--admin", p.AdminAddr())
	if _, page := p.Get("/clients/both"); !strings.Contains(html.UnescapeString(page), "What to change:</strong> "+want["both"]) {
		t.Errorf("the page of both:\n%.5000s", page)
	}
	if _, page := p.Get("/clients/hosts"); !strings.Contains(html.UnescapeString(page), "What is left:</strong> "+want["hosts"]) {
		t.Errorf("the page of hosts:\n%.5000s", page)
	}
	p.Stop()
	compare("--state", state)
}
