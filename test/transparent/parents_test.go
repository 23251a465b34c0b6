//go:build linux

package transparent

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/certs"
	"tlslift/test/harness"
	"tlslift/test/parent"
)

// TestThroughParents: redirected callers get through with every kind of parent
// proxy, and with none. The parent gets what is TLS; the rest of what is foreign
// goes where it was going.
func TestThroughParents(t *testing.T) {
	for _, scheme := range []string{"", "http", "https"} {
		t.Run("parent "+scheme, func(t *testing.T) {
			n := newNamespace(t)
			foreign := foreignLeaf(t)
			secure := tls.NewListener(n.Listen(foreignAddr+":443"), &tls.Config{Certificates: []tls.Certificate{foreign}})
			for _, ln := range []net.Listener{secure, n.Listen(foreignAddr + ":80")} {
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "elsewhere") })}
				go func() { _ = server.Serve(ln) }()
				t.Cleanup(func() { _ = server.Close() })
			}
			var p *parent.Proxy
			var env []string
			config := ""
			if scheme != "" {
				o := parent.Options{
					Listener: n.Listen("127.0.0.1:3128"), Dial: n.Dial,
					Leads: map[string]string{portalAddr + ":443": portalAddr + ":443", foreignAddr + ":443": foreignAddr + ":443"},
				}
				if scheme == "https" {
					o.TLS, env = trustedParent(t)
				}
				var err error
				if p, err = parent.Start(o); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(p.Close)
				config = "upstream: {parent_proxy: '" + scheme + "://127.0.0.1:3128', warm_connections: 0}\n"
			}
			l := newLabWith(t, n, config, env...)
			for _, test := range []struct {
				name, want, asks string
				args             []string
				line             harness.Match
			}{
				{"upgraded", "<credits>", portalAddr, []string{"http://api.smsportal.com" + path}, harness.Match{"msg": "request", "tls_version": "none", "status": 200}},
				{"spliced", "<credits>", portalAddr, []string{"--cacert", l.roots, "https://api.smsportal.com" + path}, harness.Match{"msg": "tunnel", "handling": "spliced"}},
				{
					"terminated", "<credits>", portalAddr,
					[]string{"--cacert", l.ours, "--tlsv1.0", "--tls-max", "1.0", "--ciphers", "ALL:@SECLEVEL=0", "https://api.smsportal.com" + path},
					harness.Match{"msg": "request", "tls_version": "1.0", "status": 200},
				},
				{"foreign TLS", "elsewhere", foreignAddr, []string{"--insecure", "https://" + foreignAddr + "/"}, harness.Match{"msg": "tunnel", "handling": "tunnelled"}},
				{"foreign plain http", "elsewhere", "", []string{"http://" + foreignAddr + "/"}, harness.Match{"msg": "tunnel", "handling": "tunnelled"}},
			} {
				before, mark := 0, l.process.Mark()
				if p != nil {
					before = len(p.Seen())
				}
				if out := l.curl(t, portalAddr, test.args...); !strings.Contains(out, test.want) {
					t.Errorf("%s: %q", test.name, out)
				}
				test.line["ingress"] = "transparent"
				l.process.In(t).WaitLogAfter(mark, test.line)
				var asked []string
				if p != nil {
					for _, head := range p.Seen()[before:] {
						asked = append(asked, head.Method+" "+head.Target)
					}
				}
				want := "CONNECT " + test.asks + ":443"
				if test.asks == "" || p == nil || test.name == "terminated" { // on the connection of "upgraded"
					want = ""
				}
				if got := strings.Join(asked, ", "); got != want {
					t.Errorf("%s: the parent was asked %q, want %q", test.name, got, want)
				}
			}
		})
	}
}

func foreignLeaf(t *testing.T) tls.Certificate {
	t.Helper()
	ca, err := certs.NewCA("elsewhere", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: []string{foreignAddr}})
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// trustedParent is the TLS of a parent proxy on loopback, and the environment in
// which tlslift trusts it.
func trustedParent(t *testing.T) (*tls.Config, []string) {
	t.Helper()
	ca, err := certs.NewCA("parent", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(readable(t), "parent.pem")
	if err := os.WriteFile(file, ca.PEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{leaf}}, []string{fmt.Sprintf("SSL_CERT_FILE=%s", file)}
}
