package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// users is a users_file with one user, and what that user sends.
func users(t *testing.T) (file, credentials string) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return harness.TempFile(t, "users", "billing:"+string(hash)+"\n"), "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("billing:secret"))
}

// TestUsersComeWithAReload: a caller that keeps its connection is under the same
// rules as one that comes after the reload.
func TestUsersComeWithAReload(t *testing.T) {
	t.Parallel()
	file, _ := users(t)
	_, p := portal(t, smsportal.Options{}, "listen: ['127.0.0.1:0', '127.0.0.2:0']")
	const get = "GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n"
	open, closed := harness.Dial(t, p.ListenAddr(0)), harness.Dial(t, p.ListenAddr(1))
	for _, c := range []*harness.Caller{open, closed} {
		if answer := c.Send(get).Answer("GET"); answer.StatusCode != 404 {
			t.Fatalf("before the reload: %d", answer.StatusCode)
		}
	}
	mark := p.Mark()
	p.Reconfigure(fmt.Sprintf(`
listen:
- {address: '127.0.0.1:0', unauthenticated: [gateway, tls]}
- {address: '127.0.0.2:0', accept: [forward, connect]}
clients: {users_file: %q}`, file))
	p.WaitLogAfter(mark, reloaded)
	if answer := open.Send(get).Answer("GET"); answer.StatusCode != 404 {
		t.Errorf("left open: %d %q", answer.StatusCode, answer.Problem())
	}
	if answer := closed.Send(get).Answer("GET"); answer.StatusCode != 403 {
		t.Errorf("closed: %d %q", answer.StatusCode, answer.Problem())
	}
}

// TestKeptConnectionsAreNamedAnew: what a reload changes in who a caller is, and in
// what it must show, holds for the next request of a kept connection.
func TestKeptConnectionsAreNamedAnew(t *testing.T) {
	t.Parallel()
	file, credentials := users(t)
	server, p := portal(t, smsportal.Options{}, "listen: ['127.0.0.1:0', '127.0.0.2:0']")
	const get, tunnel = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n", "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: x\r\n"
	callers := make([]*harness.Caller, 4)
	for i := range callers {
		callers[i] = harness.Dial(t, p.ListenAddr(i/3))
		if answer := callers[i].Send(get + "\r\n").Answer("GET"); answer.StatusCode != 404 {
			t.Fatalf("before the reload: %d", answer.StatusCode)
		}
	}
	sent, mark := server.Count(), p.Mark()
	p.Reconfigure(`
listen: ['127.0.0.1:0', {address: '127.0.0.2:0', client: archive}]
clients: {names: [{name: payroll, match: [127.0.0.1]}]}`)
	p.WaitLogAfter(mark, reloaded)
	for i, name := range []string{0: "payroll", 3: "archive"} {
		if name != "" {
			callers[i].Send(get + "\r\n").Answer("GET")
			p.WaitLogAfter(mark, harness.Match{"msg": "request", "client": name, "status": 404})
		}
	}
	sent, mark = sent+2, p.Mark()
	p.Reconfigure(fmt.Sprintf(`
listen: [{address: '127.0.0.1:0', accept: [forward, connect]}]
clients: {users_file: %q}`, file))
	p.WaitLogAfter(mark, reloaded)
	for i, head := range []string{get, tunnel, get + "Proxy-Authorization: Basic Ymlsb\r\n"} {
		method, _, _ := strings.Cut(head, " ")
		if answer := callers[i].Send(head + "\r\n").Answer(method); answer.StatusCode != 407 {
			t.Errorf("%q: %d %q", head, answer.StatusCode, answer.Problem())
		}
	}
	if n := server.Count(); n != sent {
		t.Errorf("%d requests went up without credentials", n-sent)
	}
	if answer := callers[0].Send(get + credentials + "\r\n\r\n").Answer("GET"); answer.StatusCode != 404 {
		t.Errorf("with credentials: %d %q", answer.StatusCode, answer.Problem())
	}
	p.WaitLogAfter(mark, harness.Match{"msg": "request", "client": "billing", "status": 404})
}

// TestTunnelsKeepTheirNameOverAReload, unless the reload changed it: the credentials
// of a CONNECT name what is inside it for good.
func TestTunnelsKeepTheirNameOverAReload(t *testing.T) {
	t.Parallel()
	const config = "listen: ['127.0.0.1:0', '127.0.0.2:0']\nclients: {proxy_user: name"
	_, p := portal(t, smsportal.Options{}, config+"}")
	const inside = "GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n"
	payroll := base64.StdEncoding.EncodeToString([]byte("payroll:x"))
	used, idle := harness.Dial(t, p.ListenAddr(0)), harness.Dial(t, p.ListenAddr(0))
	for _, c := range []*harness.Caller{used, idle} {
		c.Send("CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic " + payroll + "\r\n\r\n").Answer("CONNECT")
	}
	named := harness.Dial(t, p.ListenAddr(1)).Tunnel("api.smsportal.com:443")
	used.Send(inside).Answer("GET")
	named.Send(inside).Answer("GET")
	for n, more := range []string{"}\nlimits: {body_bytes: 1MiB}", ", names: [{name: archive, match: [127.0.0.0/8]}]}"} {
		mark := p.Mark()
		p.Reconfigure(config + more)
		p.WaitLogAfter(mark, reloaded)
		for range 2 {
			for _, c := range []*harness.Caller{used, idle, named} {
				c.Send(inside).Answer("GET")
			}
		}
		for client, requests := range map[string]int{"payroll": 4, []string{"127.0.0.1", "archive"}[n]: 2} {
			p.WaitLogs(mark, harness.Match{"msg": "request", "client": client, "status": 404}, requests)
		}
	}
	if n := p.Metrics().Sum("tlslift_client_connections_total", "client", "payroll"); n != 2 {
		t.Errorf("%v connections are payroll's", n)
	}
}

// TestUsersHoldOnEveryWayIn: leaving out "http://host" passes nobody by
// users_file, unless the listener says so.
func TestUsersHoldOnEveryWayIn(t *testing.T) {
	t.Parallel()
	file, credentials := users(t)
	server, p := portal(t, smsportal.Options{}, fmt.Sprintf(`
listen:
- {address: '127.0.0.1:0', accept: [forward, connect]}
- {address: '127.0.0.1:0', unauthenticated: [gateway, tls]}
others: pass
clients: {users_file: %q}`, file))
	foreign := startForeign(t)
	origin := func(host string) string { return "GET /a HTTP/1.1\r\nHost: " + host + "\r\n" }
	for _, tt := range []struct {
		name     string
		listener int
		head     string
		with     int    // the status with credentials
		without  int    // the status without
		reason   string // without
	}{
		{"forward", 0, "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n", 404, 407, "proxy_auth"},
		{"forward, foreign", 0, "GET http://" + foreign.host() + "/a HTTP/1.1\r\nHost: x\r\n", 200, 407, "proxy_auth"},
		{"connect", 0, "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: x\r\n", 200, 407, "proxy_auth"},
		{"connect, foreign", 0, "CONNECT " + foreign.host() + " HTTP/1.1\r\nHost: x\r\n", 200, 407, "proxy_auth"},
		{"origin form", 0, origin("api.smsportal.com"), 403, 403, "acl"},
		{"origin form, foreign", 0, origin(foreign.host()), 403, 403, "acl"},
		{"origin form, left open", 1, origin("api.smsportal.com"), 404, 404, ""},
		{"origin form, foreign, left open", 1, origin(foreign.host()), 403, 403, "host"},
		{"forward, beside what is left open", 1, "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n", 404, 407, "proxy_auth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := p.In(t)
			method, _, _ := strings.Cut(tt.head, " ")
			ask := func(more string) harness.Answer {
				return harness.Dial(t, p.ListenAddr(tt.listener)).Send(tt.head + more + "\r\n").Answer(method)
			}
			if answer := ask(credentials + "\r\n"); answer.StatusCode != tt.with {
				t.Errorf("with credentials: %d %q", answer.StatusCode, answer.Problem())
			}
			mark, reached, sent := p.Mark(), foreign.count(), server.Count()
			answer := ask("")
			if answer.StatusCode != tt.without || answer.Problem() != tt.reason {
				t.Errorf("without: %d %q", answer.StatusCode, answer.Problem())
			}
			if tt.reason != "" {
				p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": tt.reason, "status": tt.without, "delivery": "not_sent"})
				if foreign.count() != reached || server.Count() != sent {
					t.Error("something was sent")
				}
			}
		})
	}
	t.Run("TLS", func(t *testing.T) {
		c := harness.Dial(t, p.ListenAddr(0)).Send("\x16\x03\x01\x00\x05hello")
		if rest := c.Rest(); strings.HasPrefix(rest, "\x16") {
			t.Errorf("answered %q", rest)
		}
		p := p.In(t)
		mark := p.Mark()
		if c, err := tls.Dial("tcp", p.ListenAddr(0), &tls.Config{ServerName: "api.smsportal.com"}); err == nil {
			c.Close()
			t.Error("a handshake without credentials")
		}
		p.WaitLogAfter(mark, harness.Match{
			"msg": "tunnel", "ingress": "tls", "error": "acl",
			"detail": "clients.users_file admits only forward and connect on this listener; see listen[].unauthenticated",
		})
	})
	p.WaitMetric(5, "tlslift_denied_total", "reason", "proxy_auth")
}

// The log says whether credentials are missing or wrong. It tells an unknown user from
// a wrong password as little as the answer does, which is one and the same.
func TestWhyProxyCredentialsAdmitNobody(t *testing.T) {
	t.Parallel()
	file, credentials := users(t)
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("listen: [{address: '127.0.0.1:0', accept: [forward, connect]}]\nclients: {users_file: %q}", file))
	basic := func(text string) string {
		return "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
	}
	const wrong, unread = "the proxy user name or password is wrong", "the proxy credentials are not a user and a password in the Basic scheme"
	texts := make(map[string]bool)
	for _, tt := range []struct{ field, detail string }{
		{"X: y", "the request has no proxy credentials"},
		{basic("billing:guess"), wrong},
		{basic("nobody:secret"), wrong},
		{"Proxy-Authorization: NTLM TlRMTVNTUAABAAAA", unread},
		{"Proxy-Authorization: Basic ???", unread},
	} {
		for _, head := range []string{"GET " + api + "/a HTTP/1.1", "CONNECT api.smsportal.com:443 HTTP/1.1"} {
			method, _, _ := strings.Cut(head, " ")
			mark := p.Mark()
			answer := harness.Dial(t, p.Addr()).Send(head + "\r\nHost: x\r\n" + tt.field + "\r\n\r\n").Answer(method)
			if answer.StatusCode != 407 {
				t.Errorf("%s with %s: %d", method, tt.field, answer.StatusCode)
			}
			text, _, _ := strings.Cut(answer.Text, "[")
			texts[text] = true
			if got := p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "proxy_auth"}).String("detail"); got != tt.detail {
				t.Errorf("%s with %s: logged %q", method, tt.field, got)
			}
		}
	}
	if len(texts) != 1 {
		t.Errorf("answers tell one from another: %v", texts)
	}
	if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n" + credentials + "\r\n\r\n"); answer.StatusCode != 404 {
		t.Errorf("with the right ones: %d", answer.StatusCode)
	}
}

// TestUsersAndOpenWaysAreAnError, with advice; the default listener needs none.
func TestUsersAndOpenWaysAreAnError(t *testing.T) {
	t.Parallel()
	file, _ := users(t)
	check := func(listen string) harness.Result {
		return harness.Run(t, nil, "check", "--config", harness.TempFile(t, "tlslift.yaml", fmt.Sprintf("clients: {users_file: %q}\n%s", file, listen)))
	}
	result := check("listen: [{address: '127.0.0.1:8080'}]")
	for _, want := range []string{"tlslift.yaml:2: listen[0]: ", "clients.users_file: gateway, tls; ", "accept: [forward, connect]", "unauthenticated: [gateway, tls]"} {
		if result.Code != 2 || !strings.Contains(result.Stderr+result.Stdout, want) {
			t.Errorf("exit status %d, %q has no %q", result.Code, result.Stderr+result.Stdout, want)
		}
	}
	for _, fine := range []string{"", "listen: [{address: '127.0.0.1:8080', accept: [connect]}]", "listen: [{address: '127.0.0.1:8080', unauthenticated: [tls, gateway]}]"} {
		if result := check(fine); result.Code != 0 {
			t.Errorf("%q: exit status %d, %s", fine, result.Code, result.Stderr)
		}
	}
}

// TestAnEditOfUsersApplies by itself, from the next request or CONNECT, on open
// connections too. A tunnel that is open stays open.
func TestAnEditOfUsersApplies(t *testing.T) {
	t.Parallel()
	file, credentials := users(t)
	server, p := portal(t, smsportal.Options{}, fmt.Sprintf("listen: [{address: '127.0.0.1:0', accept: [forward, connect]}]\nclients: {users_file: %q}", file))
	const connect = "CONNECT api.smsportal.com:443 HTTP/1.1\r\nHost: x\r\n"
	kept, tunnel := harness.Dial(t, p.Addr()), harness.Dial(t, p.Addr())
	get := func() harness.Answer {
		return kept.Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n" + credentials + "\r\n\r\n").Answer("GET")
	}
	open := func(c *harness.Caller) int {
		return c.Send(connect + credentials + "\r\n\r\n").Answer("CONNECT").StatusCode
	}
	if answer, status := get(), open(tunnel); answer.StatusCode != 404 || status != 200 {
		t.Fatalf("before: %d and %d", answer.StatusCode, status)
	}
	other, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err == nil {
		err = os.WriteFile(file, []byte("other:"+string(other)+"\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.WaitLog(harness.Match{"msg": "reloaded", "why": "file changed"})
	if answer := get(); answer.StatusCode != 407 || answer.Problem() != "proxy_auth" {
		t.Errorf("on an open connection: %d %q", answer.StatusCode, answer.Problem())
	}
	if status := open(harness.Dial(t, p.Addr())); status != 407 {
		t.Errorf("a new CONNECT: %d", status)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CAPEM())
	if err := tls.Client(tunnel.Bytes(), &tls.Config{ServerName: "api.smsportal.com", RootCAs: roots}).Handshake(); err != nil {
		t.Errorf("in the open tunnel: %v", err)
	}
}

// TestWaysInThatUsersCloseAreNoted: a listener that did not choose its ways in loses
// those that cannot carry credentials, and `check` says so.
func TestWaysInThatUsersCloseAreNoted(t *testing.T) {
	t.Parallel()
	file, _ := users(t)
	for name, tt := range map[string]struct {
		listen string
		args   []string
		noted  string // the listener
	}{
		"default":               {"", nil, "listen[0]: 127.0.0.1:3128"},
		"default, written":      {"listen: ['127.0.0.1:3128']", nil, "listen[0]: 127.0.0.1:3128"},
		"default, in full":      {"listen: [{address: '127.0.0.1:3128', accept: [forward, connect, gateway, tls]}]", nil, "listen[0]: 127.0.0.1:3128"},
		"flag":                  {"", []string{"--listen", "127.0.0.1:8080"}, "listen[0]: 127.0.0.1:8080"},
		"chosen":                {"listen: [{address: '127.0.0.1:3128', accept: [forward, connect]}]", nil, ""},
		"chosen, named by flag": {"listen: [{address: '127.0.0.1:3128', accept: [connect]}]", []string{"--listen", "127.0.0.1:3128"}, ""},
		"left open":             {"listen: [{address: '127.0.0.1:3128', unauthenticated: [gateway, tls]}]", nil, ""},
	} {
		config := harness.TempFile(t, "tlslift.yaml", fmt.Sprintf("clients: {users_file: %q}\n%s\n", file, tt.listen))
		got := harness.Run(t, nil, append([]string{"check", "--config", config}, tt.args...)...)
		const closed = " accepts forward and connect alone, because "
		if got.Code != 0 || strings.Contains(got.Stdout, closed) != (tt.noted != "") || tt.noted != "" && !strings.Contains(got.Stdout, "note: "+tt.noted+closed) {
			t.Errorf("%s: status %d, %s%s", name, got.Code, got.Stdout, got.Stderr)
		}
	}
}

// TestOriginFormReachesNoStranger: no foreign host, for any caller and any value of others.
func TestOriginFormReachesNoStranger(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "others: pass")
	foreign := startForeign(t)
	for name, start := range map[string]string{
		"HTTP/1.1": "GET /a HTTP/1.1\r\nHost: " + foreign.host() + "\r\n\r\n",
		"HTTP/1.0": "GET /a HTTP/1.0\r\nHost: " + foreign.host() + "\r\n\r\n",
		"POST":     "POST /a HTTP/1.1\r\nHost: " + foreign.host() + "\r\nContent-Length: 1\r\n\r\nx",
	} {
		mark := p.Mark()
		if answer := p.Ask(start); answer.StatusCode != 403 || answer.Problem() != "host" || answer.Delivery() != "not_sent" {
			t.Errorf("%s: %d %q", name, answer.StatusCode, answer.Problem())
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "ingress": "gateway", "error": "host", "decision": "refuse"})
	}
	if n := foreign.count(); n != 0 {
		t.Errorf("reached %d times", n)
	}
	p.WaitMetric(3, "tlslift_denied_total", "reason", "host")
}
