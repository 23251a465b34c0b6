package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/certs"
	"tlslift/test/harness"
	"tlslift/test/parent"
	"tlslift/test/smsportal"
)

// office is a network whose only way out may be a parent proxy.
type office struct {
	portal  *smsportal.Server
	foreign *foreignServer
	parent  *parent.Proxy // nil: callers go straight out
	process *harness.Process
	root    string // tlslift's, for callers with old TLS
}

const parentUser = "Basic dGxzbGlmdDpvcGVuc2VzYW1l" // tlslift:opensesame

// startOffice starts tlslift behind a parent proxy of that scheme; "" = none.
// upstream are further keys of that section.
func startOffice(t *testing.T, scheme, upstream string, o parent.Options) *office {
	t.Helper()
	f := &office{portal: startPortal(t, smsportal.Options{}), foreign: startForeign(t)}
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	f.root = files.Root
	env := []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key}
	address, keys := fmt.Sprintf("address: %q, ", f.portal.Addr()), "warm_connections: 0"
	if scheme != "" {
		address = "" // the parent resolves
		leads := map[string]string{
			legacyHost + ":443":    f.portal.Addr(),
			f.foreign.host():       f.foreign.host(),
			"elsewhere.example:80": f.foreign.host(),
		}
		maps.Copy(leads, o.Leads)
		o.Leads = leads
		if scheme == "https" {
			ca, err := certs.NewCA("parent", certs.ECDSA)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := ca.Issue(certs.Leaf{Names: []string{"parent.test", "127.0.0.1"}})
			if err != nil {
				t.Fatal(err)
			}
			o.TLS = &tls.Config{Certificates: []tls.Certificate{leaf}, NextProtos: []string{"http/1.1"}}
			env = append(env, "SSL_CERT_FILE="+harness.TempFile(t, "parent.pem", string(ca.PEM())))
		}
		if f.parent, err = parent.Start(o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.parent.Close)
		keys += fmt.Sprintf(", parent_proxy: '%s://tlslift@%s', parent_proxy_password_file: %s", scheme, f.parent.Addr(), harness.TempFile(t, "password", "opensesame\n"))
	}
	if upstream != "" {
		keys += ", " + upstream
	}
	f.process = harness.Start(t, harness.Options{Env: env, Config: fmt.Sprintf("upstream: {%s}\nupstreams: [{host: %s, %sca_file: %s}]\n",
		keys, legacyHost, address, harness.TempFile(t, "portal.pem", string(f.portal.CAPEM())))})
	return f
}

// asked are the requests that the parent proxy got, without those for a while
// that nobody waits for.
func (f *office) asked(t *testing.T) []string {
	t.Helper()
	var all []string
	if f.parent == nil {
		return nil
	}
	for _, head := range f.parent.Seen() {
		all = append(all, head.Method+" "+head.Target)
		if got := head.Header.Get("Proxy-Authorization"); got != parentUser {
			t.Errorf("%s %s came with %q", head.Method, head.Target, got)
		}
	}
	return all
}

// TestParents: every way to go through tlslift works with every kind of parent
// proxy, and with none. The parent sees CONNECT for TLS, and plain HTTP in absolute
// form.
func TestParents(t *testing.T) {
	t.Parallel()
	const credits = "/api5/http5.aspx?Type=credits&Username=u&Password=p"
	for _, scheme := range []string{"", "http", "https"} {
		for _, test := range []struct {
			name string
			run  func(t *testing.T, f *office)
			line harness.Match
			asks string // of the parent; FOREIGN is the foreign host
		}{
			{"upgraded", func(t *testing.T, f *office) {
				c := dial(t, f.process)
				for range 2 {
					if answer := c.Send("GET http://" + legacyHost + credits + " HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET"); !strings.Contains(answer.Text, "<credits>") {
						t.Errorf("%d %q", answer.StatusCode, answer.Text)
					}
				}
			}, harness.Match{"msg": "request", "decision": "upgrade", "upstream_tls_version": "1.3"}, "CONNECT " + legacyHost + ":443"},
			{"spliced", func(t *testing.T, f *office) {
				pool := x509.NewCertPool()
				pool.AppendCertsFromPEM(f.portal.CAPEM())
				conn := tls.Client(dial(t, f.process).Tunnel(legacyHost+":443").Bytes(), &tls.Config{ServerName: legacyHost, RootCAs: pool})
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				c := harness.NewCaller(t, conn)
				if answer := c.Send("GET " + credits + " HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET"); !strings.Contains(answer.Text, "<credits>") {
					t.Errorf("%d %q", answer.StatusCode, answer.Text)
				}
				c.Close()
			}, harness.Match{"msg": "tunnel", "handling": "spliced"}, "CONNECT " + legacyHost + ":443"},
			{"terminated", func(t *testing.T, f *office) {
				c := insideOldTLS(t, f.process, f.root)
				if answer := c.Send("GET " + credits + " HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n").Answer("GET"); !strings.Contains(answer.Text, "<credits>") {
					t.Errorf("%d %q", answer.StatusCode, answer.Text)
				}
			}, harness.Match{"msg": "request", "tls_version": "1.0", "upstream_tls_version": "1.3"}, "CONNECT " + legacyHost + ":443"},
			{"tunnelled", func(t *testing.T, f *office) {
				exact := "GET /in/tunnel HTTP/1.1\r\nHost:   odd\r\n\r\n"
				c := dial(t, f.process).Tunnel(f.foreign.host())
				defer c.Close()
				if rest := c.Send(exact).Rest(); !strings.HasSuffix(rest, "foreign") || f.foreign.heads[0] != exact {
					t.Errorf("%q", rest)
				}
			}, harness.Match{"msg": "tunnel", "handling": "tunnelled"}, "CONNECT FOREIGN"},
			{"foreign plain http", func(t *testing.T, f *office) {
				answer := f.process.Ask("POST http://" + f.foreign.host() + "/a?b=c%zz HTTP/1.1\r\nHost: x\r\nX-A: b\r\nProxy-Authorization: Basic Y2FsbGVyOnB3\r\nContent-Length: 4\r\n\r\nbody")
				if answer.StatusCode != http.StatusOK || answer.Text != "foreign" {
					t.Errorf("%d %q", answer.StatusCode, answer.Text)
				}
				if head := f.foreign.heads[0]; !strings.HasPrefix(head, "POST /a?b=c%zz HTTP/1.1\r\n") || !strings.Contains(head, "X-A: b\r\n") || strings.Contains(head, "Proxy-") {
					t.Errorf("the foreign server received %q", head)
				}
			}, harness.Match{"msg": "request", "decision": "pass", "status": 200, "delivery": "answered"}, "POST http://FOREIGN/a?b=c%zz"},
		} {
			t.Run(test.name+" through "+map[string]string{"": "none"}[scheme]+scheme, func(t *testing.T) {
				t.Parallel()
				f := startOffice(t, scheme, "", parent.Options{})
				test.run(t, f)
				f.process.WaitLog(test.line)
				want := strings.ReplaceAll(test.asks, "FOREIGN", f.foreign.host())
				if got := strings.Join(f.asked(t), ", "); scheme == "" && got != "" || scheme != "" && got != want {
					t.Errorf("the parent was asked %s, want %s", got, want)
				}
				harness.Secrets{"opensesame", parentUser[len("Basic "):]}.Search(t, "the log", f.process.Output())
			})
		}
	}
}

// TestForeignHTTPStaysOnItsParentConnection: names are the parent's to resolve, and
// one connection carries a caller's requests for a host.
func TestForeignHTTPStaysOnItsParentConnection(t *testing.T) {
	t.Parallel()
	f := startOffice(t, "https", "", parent.Options{})
	c := dial(t, f.process)
	for _, head := range []string{
		"OPTIONS http://elsewhere.example HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://elsewhere.example:80//a HTTP/1.0\r\n\r\n",
	} {
		method, _, _ := strings.Cut(head, " ")
		if answer := c.Send(head).Answer(method); answer.Text != "foreign" || answer.Header.Get("X-Parent") != "forwarded" {
			t.Errorf("%d %q %v", answer.StatusCode, answer.Text, answer.Header)
		}
	}
	if got := strings.Join(f.asked(t), ", "); got != "OPTIONS http://elsewhere.example/, GET http://elsewhere.example//a" {
		t.Error(got)
	}
	f.process.WaitLog(harness.Match{"msg": "request", "method": "GET", "upstream_reused": true})
}

// TestParentExcept: what is named goes out directly.
func TestParentExcept(t *testing.T) {
	t.Parallel()
	dns := harness.StartDNS(t, map[string][]string{"files.corp": {"127.0.0.1"}, "corp": {"127.0.0.1"}, "elsewhere.example": {"127.0.0.1"}})
	f := startOffice(t, "http", fmt.Sprintf("parent_proxy_except: [127.0.0.0/8, '*.corp'], dns_servers: ['%s']", dns.Addr()), parent.Options{})
	_, port, err := net.SplitHostPort(f.foreign.host())
	if err != nil {
		t.Fatal(err)
	}
	for i, target := range []string{f.foreign.host(), "files.corp:" + port} {
		if answer := f.process.Ask("GET http://" + target + "/ HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Text != "foreign" {
			t.Errorf("%s: %d %q", target, answer.StatusCode, answer.Text)
		}
		if rest := dial(t, f.process).Tunnel(target).Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").Rest(); !strings.HasSuffix(rest, "foreign") || f.foreign.count() != 2*i+2 {
			t.Errorf("CONNECT %s: %q", target, rest)
		}
	}
	if got := f.asked(t); len(got) != 0 {
		t.Errorf("the parent was asked %q", got)
	}
	// A name is judged by itself, not by its addresses.
	f.process.Ask("GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
	f.process.Ask("GET http://corp:" + port + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := strings.Join(f.asked(t), ", "); got != "GET http://elsewhere.example/, GET http://corp:"+port+"/" {
		t.Errorf("the parent was asked %q", got)
	}
	t.Run("an upstream", func(t *testing.T) {
		t.Parallel()
		p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Config: fmt.Sprintf(
			"upstream: {parent_proxy: 'http://%s', parent_proxy_except: ['*.smsportal.com', 127.0.0.1]}", deserted(t, f.parent.Addr()))})
		for _, host := range []string{"api.smsportal.com", legacyHost} { // one by its name, one by its address
			if answer := p.Ask("GET http://" + host + "/a HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Problem() != "" {
				t.Errorf("%s: %d %q", host, answer.StatusCode, answer.Problem())
			}
		}
	})
}

// TestWhatAParentAnswersToForeignHTTP: it is the caller's, unless it is about
// tlslift's own credentials.
func TestWhatAParentAnswersToForeignHTTP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status          string
		code            int
		problem, reason string
	}{
		{"407 Proxy Authentication Required", http.StatusBadGateway, "parent_proxy", "not_sent"},
		{"403 Forbidden", http.StatusForbidden, "", ""},
		{"502 Bad Gateway", http.StatusBadGateway, "", ""},
		{"503 Service Unavailable", http.StatusServiceUnavailable, "", ""},
	} {
		t.Run(test.status, func(t *testing.T) {
			t.Parallel()
			f := startOffice(t, "http", "", parent.Options{Answer: "HTTP/1.1 " + test.status + "\r\nProxy-Authenticate: Basic realm=x\r\nX-Squid-Error: ERR\r\nContent-Length: 4\r\n\r\npage"})
			answer := f.process.Ask("GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\n\r\n")
			if answer.StatusCode != test.code || answer.Problem() != test.problem || answer.Delivery() != test.reason {
				t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			if passed := answer.Text == "page" && answer.Header.Get("X-Squid-Error") == "ERR"; passed != (test.problem == "") {
				t.Errorf("%v %q", answer.Header, answer.Text)
			}
			if answer.Header.Get("Proxy-Authenticate") != "" {
				t.Error("the caller is asked for the parent's credentials")
			}
			if test.problem != "" {
				f.process.WaitLog(harness.Match{"msg": "request", "error": "parent_proxy", "delivery": "not_sent"})
				f.process.WaitMetric(1, "tlslift_upstream_failures_total", "upstream", "_other", "reason", "parent_proxy", "delivery", "not_sent")
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		p := harness.Start(t, harness.Options{Config: fmt.Sprintf("upstream: {parent_proxy: 'http://%s'}", deserted(t, startForeign(t).host()))})
		if answer := p.Ask("GET http://elsewhere.example/ HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Problem() != "parent_proxy" || answer.Delivery() != "not_sent" {
			t.Errorf("%d %q", answer.StatusCode, answer.Problem())
		}
	})
}
