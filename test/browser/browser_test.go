//go:build browser

// Package browser drives the status page in a real Chromium. It needs the apt
// package chromium, and node with the modules of package.json installed here:
//
//	npm install && go test -tags browser ./test/browser
package browser

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/metrics/page"
	"tlslift/metrics/report"
	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

const dayLong = 24 * time.Hour

// migration is a ledger of some 430 clients that was filled over 90 days.
func migration() *ledger.Ledger {
	end := time.Now().Truncate(time.Minute)
	at := end.Add(-90 * dayLong)
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{
		{Name: "payments/billing", Migrated: end.Add(-5 * dayLong)},
		{Name: "archive/reports"},
	}})
	r := rand.New(rand.NewPCG(1, 2))
	agents := []string{"Java/1.6.0_45", "PHP-SOAP/5.3.3", "", "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.42)", "curl/7.19.7"}
	for range 90 {
		at = at.Add(dayLong)
		day := 90 - int(end.Sub(at)/dayLong)
		for i := range 430 {
			c := call.Identity{Name: fmt.Sprintf("10.4.%d.%d", i>>8, i&255), Rung: call.RungAddress}
			if i == 0 {
				c = call.Identity{Name: "payments/billing", Rung: call.RungWorkload}
			}
			if i == 1 {
				c.Name = `<img src=x onerror=alert(1)>"'`
			}
			sight := func(v call.Sighted) {
				v.Ours, v.Ingress = true, call.Connect
				l.Record(&call.Outcome{Kind: call.Sighting, Client: c, End: at, Sighted: &v})
			}
			switch change := 20 + i%60; {
			case i%17 == 4 && day > 40: // silent
			case day >= change && i%9 != 0:
				sight(call.Sighted{Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13}})
			case i%3 == 1:
				sight(call.Sighted{
					Version: call.Version10, Handling: call.Terminated, Host: "api.smsportal.com",
					Hello: &call.Offer{Max: call.Version10, Library: "OpenSSL 0.9.8"},
				})
			default:
				for range 1 + r.IntN(20) {
					l.Record(&call.Outcome{
						Kind: call.Request, Client: c, End: at, Ours: true, Ingress: call.Forward, Host: "www.mymobileapi.com",
						UserAgent: agents[i%len(agents)], Exposed: 1 << redact.KindQuery,
					})
				}
			}
		}
	}
	at = end
	return l
}

func TestTheStatusPage(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed")
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Fatal("the modules of package.json are not installed: run npm install here")
	}
	l := migration()
	mux := http.NewServeMux()
	err = page.Register(mux, page.Options{
		Ledger: l, Version: "1.0.0",
		Health: func() page.Health {
			return page.Health{
				State: "ready", Started: time.Now().Add(-time.Hour), Listeners: []string{"127.0.0.1:3128", "0.0.0.0:80"},
				Facts: []page.Fact{{Name: "Upstreams", Value: "*.smsportal.com, *.mymobileapi.com"}}, CANotAfter: time.Now().Add(20 * dayLong),
				Problems: []string{"The configuration file has an error; the one before it is in force."},
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.HandleFunc("GET /ca.pem", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	defer server.Close()

	shots := os.Getenv("TLSLIFT_SCREENSHOTS") // a directory to look at them in
	if shots == "" {
		shots = t.TempDir()
	}
	file := filepath.Join(t.TempDir(), "report.html")
	r, err := report.FromAdmin(t.Context(), server.URL, report.Access{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := r.Write(&text, "html", true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, "page.mjs", server.URL, file, shots).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the browser's checks: %v", err)
	}
}
