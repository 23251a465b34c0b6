//go:build browser

// Package browser drives the status page in a real Chromium. It needs the apt
// package chromium, and node with the modules of package.json installed here:
//
//	npm install && go test -tags browser ./test/browser
//
// With TLSLIFT_SCREENSHOTS it leaves its pictures in that directory, which must
// exist. first-60-desk-light.png is docs/pictures/status-page.png.
package browser

import (
	"bytes"
	"encoding/json"
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

// migration is a ledger of so many clients that was filled over 90 days, on every
// day or on every few, and has a target.
func migration(clients, every int) *ledger.Ledger {
	end := time.Now().Truncate(time.Minute)
	at := end.Add(-90 * dayLong)
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	settings := ledger.Settings{Target: end.Add(45 * dayLong).Truncate(dayLong)}
	if clients > 5 {
		settings.Clients = []ledger.Configured{{Name: "payments/billing", Migrated: end.Add(-5 * dayLong)}, {Name: "archive/reports"}}
	}
	l.Configure(settings)
	r := rand.New(rand.NewPCG(1, 2))
	for at.Before(end) {
		at = at.Add(time.Duration(every) * dayLong)
		day := 90 - int(end.Sub(at)/dayLong)
		for i := range clients {
			callOnce(l, r, i, day, at)
		}
	}
	at = end
	return l
}

var agents = []string{
	"Java/1.6.0_45", "PHP-SOAP/5.3.3", "", "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.42)", "curl/7.19.7",
	"Mozilla/4.0 (compatible; Win32; WinHttp.WinHttpRequest.5)",
}

// callOnce has a client do its day.
func callOnce(l *ledger.Ledger, r *rand.Rand, i, day int, at time.Time) {
	c := call.Identity{Name: fmt.Sprintf("10.4.%d.%d", i>>8, i&255), Source: call.SourceAddress}
	switch i {
	case 0:
		c = call.Identity{Name: "payments/billing", Source: call.SourceWorkload}
	case 1:
		c.Name = `<img src=x onerror=alert(1)>"'`
	case 6:
		c = call.Identity{Name: "finance/statement-mailer-production", Source: call.SourceWorkload}
	}
	sight := func(v call.Observation) {
		v.Ours, v.Ingress = true, call.Connect
		l.Record(&call.Outcome{Kind: call.Observed, Client: c, End: at, Observation: &v})
	}
	switch change := 20 + i%60; {
	case i%17 == 4 && day > 40: // silent
	case day >= change && i%9 != 0:
		sight(call.Observation{Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13, JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1"}})
	case i%3 == 1:
		sight(call.Observation{
			Version: call.Version10, Handling: call.Terminated, Host: "api.smsportal.com",
			Hello: &call.Offer{Max: call.Version10, Library: []string{"OpenSSL 0.9.8", "SChannel Windows XP, Server 2003"}[i%2]},
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

// serve serves the pages of a ledger.
func serve(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	mux := http.NewServeMux()
	err := page.Register(mux, page.Options{
		Ledger: l, Version: "1.0.0", Clock: time.Now, Bound: func(h http.Handler) http.Handler { return h },
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
	t.Cleanup(server.Close)
	return server.URL
}

func TestTheStatusPage(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed")
	}
	if _, err := os.Stat("node_modules/playwright-core"); err != nil {
		t.Fatal("the modules of package.json are not installed: run npm install here")
	}
	address := serve(t, migration(430, 1))
	sizes := map[int]string{0: serve(t, ledger.New(ledger.Options{})), 5: serve(t, migration(5, 1)), 60: serve(t, migration(60, 1)), 10_000: serve(t, migration(10_000, 6))}
	bySize, err := json.Marshal(sizes)
	if err != nil {
		t.Fatal(err)
	}

	shots := os.Getenv("TLSLIFT_SCREENSHOTS") // a directory to look at them in
	if shots == "" {
		shots = t.TempDir()
	}
	file := filepath.Join(t.TempDir(), "report.html")
	r, err := report.FromAdmin(t.Context(), address, report.Access{})
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
	out, err := exec.CommandContext(t.Context(), node, "page.mjs", address, file, shots, string(bySize)).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the browser's checks: %v", err)
	}
}
