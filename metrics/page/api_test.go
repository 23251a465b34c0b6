package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
)

// clientsOf is an answer of the API.
func clientsOf(t *testing.T, h http.Handler, query string) (answer ledger.Listing) {
	t.Helper()
	w := get(t, h, "/api/v1/clients?"+query)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%q: %d, %v", query, w.Code, err)
	}
	return answer
}

// TestAPIPages reads a ledger of many clients page by page while some come and
// go: each that stays is there once.
func TestAPIPages(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	settings := ledger.Settings{}
	for i := range 2500 {
		settings.Clients = append(settings.Clients, ledger.Configured{Name: fmt.Sprintf("client-%04d", i)})
	}
	l.Configure(settings)
	h := serve(t, l)
	if n := len(clientsOf(t, h, "").Clients); n != maxClients {
		t.Errorf("%d clients without a limit, want %d", n, maxClients)
	}
	seen := make(map[string]int)
	query, pages := "limit=400&q=client", 0
	for {
		answer := clientsOf(t, h, query)
		pages++
		for _, r := range answer.Clients {
			seen[r.Client]++
		}
		if answer.NextCursor == "" {
			break
		}
		query = "limit=400&q=client&cursor=" + answer.NextCursor
		// The last one that was answered, and one further on, go; new ones come at both ends.
		settings.Clients = slices.DeleteFunc(settings.Clients, func(c ledger.Configured) bool {
			return c.Name == answer.Clients[399].Client || c.Name == "client-2222"
		})
		settings.Clients = append(settings.Clients, ledger.Configured{Name: fmt.Sprint("a-client", pages)}, ledger.Configured{Name: fmt.Sprint("z-client", pages)})
		l.Configure(settings)
	}
	for i := range 2500 {
		if name := fmt.Sprintf("client-%04d", i); seen[name] != 1 && i != 2222 {
			t.Errorf("%s is in %d answers", name, seen[name])
		}
	}
	if pages < 2500/400 {
		t.Errorf("%d pages", pages)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "limit=x", "limit=-1", "cursor=!", "cursor=%00", "cursor=zzz", "stat=failing", "limt=1"} {
		if w := get(t, h, "/api/v1/clients?"+bad); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	const misspelt = `{"error":"unknown parameter \"stat\"; did you mean state? Write state, verdict, q, limit or cursor"}`
	if w := get(t, h, "/api/v1/clients?stat=failing"); strings.TrimSpace(w.Body.String()) != misspelt {
		t.Errorf("%s, want %s", w.Body, misspelt)
	}
}

func TestAPI(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for _, target := range []string{"/api/v1/clients/payments/billing", "/api/v1/clients/payments%2Fbilling"} {
		var row ledger.Row
		w := get(t, h, target)
		if err := json.Unmarshal(w.Body.Bytes(), &row); err != nil || row.State != ledger.Insecure || !row.Regressed || len(row.History) != 31 {
			t.Errorf("%s: %d, %v, %+v", target, w.Code, err, row)
		}
	}
	if w := get(t, h, "/api/v1/clients/nobody"); w.Code != http.StatusNotFound || w.Body.String() != `{"error":"no such client"}`+"\n" {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
	var s ledger.Summary
	if err := json.Unmarshal(get(t, h, "/api/v1/summary").Body.Bytes(), &s); err != nil || s.Clients != 6 || len(s.History) != 31 {
		t.Errorf("summary: %v, %+v", err, s)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/v1/clients", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
	if w := get(t, serve(t, ledger.New(ledger.Options{})), "/api/v1/clients"); !strings.Contains(w.Body.String(), `"clients":[]`) {
		t.Errorf("no clients: %s", w.Body)
	}
}
