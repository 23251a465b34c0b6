package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestAnotherTargetIsNotSeen: a host that calls are sent to by `to` names itself
// in its answers. The caller knows the host that it called, and gets back to that
// one, with its cookies, whether the other one is an upstream too or not.
func TestAnotherTargetIsNotSeen(t *testing.T) {
	t.Parallel()
	document := string(wsdlOf(t))
	server := startPortal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		self := "https://" + r.Host()
		name, _, _ := strings.Cut(r.Host(), ":")
		if strings.HasSuffix(r.Target, "?wsdl") {
			body := strings.Replace(document, "https://api.smsportal.com", self, 1)
			return smsportal.Response{Header: http.Header{"Content-Type": {"text/xml"}}, Body: []byte(body)}, true
		}
		return smsportal.Response{Status: 302, Header: http.Header{
			"Location":         {self + "/login?a=b"},
			"Content-Location": {self + "/here"},
			"Refresh":          {"1; url=" + self + "/login"},
			"Link":             {"<" + self + "/2>; rel=next"},
			"Set-Cookie":       {"a=b; Path=/; Domain=" + name, "c=d; Domain=smsportal.com; Path=/x"},
		}}, true
	}})
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	const own = "a=b; Path=/; Domain=" + legacyHost + " | c=d; Path=/x"
	withoutHost := way{"base URL", "gateway", dial, ""}
	inside := way{"terminated TLS", "connect", func(t testing.TB, p *harness.Process) *harness.Caller {
		return insideOldTLS(t, p, files.Root)
	}, ""}
	caFile := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	for _, upstreams := range []string{
		"{host: www.mymobileapi.com, to: api.smsportal.com, address: %q, ca_file: %s}",
		"{host: www.mymobileapi.com, to: api.smsportal.com}, {host: api.smsportal.com, address: %q, ca_file: %s}",
		"{host: '*.mymobileapi.com', to: api.smsportal.com, address: %q, ca_file: %s}",
		"{host: www.mymobileapi.com, to: api.smsportal.com, port: 8443, address: %q, ca_file: %s}",
	} {
		p := harness.Start(t, harness.Options{
			Config: "upstreams: [" + fmt.Sprintf(upstreams, server.Addr(), caFile) + "]",
			Env:    []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		})
		for _, w := range append([]way{inside, withoutHost}, ways...) {
			base, cookies := "http://"+legacyHost, own
			request := func(path string) string { return w.request("GET", path, "", "") }
			switch w.name {
			case inside.name, "forward https":
				base = "https://" + legacyHost
				if strings.Contains(upstreams, "8443") { // the port is the caller's to name
					base += ":8443"
				}
			case withoutHost.name:
				base, cookies = "http://lift:3128/"+legacyHost, "a=b; Path=/"+legacyHost+" | c=d; Path=/"+legacyHost+"/x"
				request = func(path string) string { return "GET /" + legacyHost + path + " HTTP/1.1\r\nHost: lift:3128\r\n\r\n" }
			}
			caller := w.open(t, p)
			h := caller.Send(request("/x/y")).Answer("GET").Header
			got := strings.Join(append([]string{h.Get("Location"), h.Get("Content-Location"), h.Get("Refresh"), h.Get("Link")}, h.Values("Set-Cookie")...), " | ")
			want := base + "/login?a=b | " + base + "/here | 1; url=" + base + "/login | <" + base + "/2>; rel=next | " + cookies
			if got != want {
				t.Errorf("%s, %s:\n%s\nwant\n%s", upstreams, w.name, got, want)
			}
			text := caller.Send(request("/api5/api.asmx?wsdl")).Answer("GET").Text
			if text != strings.Replace(document, "https://api.smsportal.com/api5", base+"/api5", 1) {
				t.Errorf("%s, %s: the WSDL is\n%s", upstreams, w.name, text)
			}
		}
	}
}
