package page

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/docs/fixes"
	"tlslift/metrics/admin"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const dayLong = 24 * time.Hour

// request records a request of a client at a time.
func request(l *ledger.Ledger, client string, at time.Time, o call.Outcome) {
	o.Kind, o.Client, o.End = call.Request, call.Identity{Name: client, Source: call.SourceAddress}, at
	l.Record(&o)
}

// sight records what a connection of a client showed at a time.
func sight(l *ledger.Ledger, client string, at time.Time, s call.Observation) {
	s.Ours = true
	l.Record(&call.Outcome{Kind: call.Observed, Client: call.Identity{Name: client, Source: call.SourceAddress}, End: at, Observation: &s})
}

func spliced() call.Observation {
	return call.Observation{Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13}}
}

// sample is a ledger of a handful of clients in every state, seen over 30 days.
func sample(t testing.TB) *ledger.Ledger {
	t.Helper()
	at := now.Add(-30 * dayLong)
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{
		{Name: "payments/billing", Migrated: now.Add(-10 * dayLong)}, {Name: "never-there"},
	}})
	plain := call.Outcome{
		Ours: true, Ingress: call.Forward, Host: "www.mymobileapi.com",
		UserAgent: "PHP-SOAP/5.3.3", Exposed: 1 << redact.KindQuery,
	}
	old := call.Observation{
		Version: call.Version10, Handling: call.Terminated, Hello: &call.Offer{Max: call.Version10, Library: "OpenSSL 0.9.8"},
	}
	unread := spliced()
	unread.Hello = nil
	for day := range 31 {
		if day < 10 {
			request(l, "10.0.0.9", at, plain) // silent since
			request(l, "10.0.0.3", at, plain) // migrates
		} else {
			sight(l, "10.0.0.3", at, spliced())
		}
		for range day + 1 {
			request(l, "10.0.0.1", at, plain)
		}
		sight(l, "10.0.0.2", at, old)
		sight(l, "10.0.0.2", at, unread)
		request(l, "payments/billing", at, plain)
		at = at.Add(dayLong)
	}
	at = now
	return l
}

func unbound(h http.Handler) http.Handler { return h }

func serve(t testing.TB, l *ledger.Ledger) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	err := Register(mux, Options{
		Ledger: l, Clock: func() time.Time { return now }, Bound: unbound, Version: "1.2.3",
		Health: func() Health {
			return Health{State: "ready", Listeners: []string{"127.0.0.1:3128"}, CANotAfter: now.Add(100 * dayLong)}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func get(t testing.TB, h http.Handler, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

func TestIndex(t *testing.T) {
	t.Parallel()
	w := get(t, serve(t, sample(t)), "/")
	body := w.Body.String()
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, body)
	}
	for _, want := range []string{
		"3 clients still need tlslift", "3 of 4 active clients still call insecurely", "75%",
		"declared migrated, insecure again", `href="/clients/payments%2Fbilling"`, "Download the root certificate",
		"never-there", "sslv2-framed", "Change its URL to the API&#39;s https address.", "tlslift 1.2.3", "127.0.0.1:3128",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if i, j := strings.Index(body, ">payments/billing<"), strings.Index(body, ">10.0.0.1<"); i > j {
		t.Error("a relapse is not the first in the table")
	}
}

func TestHeadlines(t *testing.T) {
	t.Parallel()
	empty := ledger.New(ledger.Options{})
	if body := get(t, serve(t, empty), "/").Body.String(); !strings.Contains(body, "No client has been seen yet") {
		t.Error("an empty ledger")
	}
	at := now
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	sight(l, "a", at, spliced())
	if body := get(t, serve(t, l), "/").Body.String(); !strings.Contains(body, "Nothing seen so far needs tlslift") || strings.Contains(body, "top split migrated") {
		t.Error("a client that was seen once counts as migrated for certain")
	}
	at = now.Add(14 * dayLong)
	sight(l, "a", at, spliced())
	if body := get(t, serve(t, l), "/").Body.String(); !strings.Contains(body, "Every client that was seen is migrated") || !strings.Contains(body, "top split migrated") {
		t.Error("everybody has migrated")
	}
	sight(l, "down", at, call.Observation{Version: call.Version11, Handling: call.Refused, Hello: &call.Offer{Max: call.Version11}, Failure: call.HandshakeClientRejectedCA})
	if body := get(t, serve(t, l), "/").Body.String(); !strings.Contains(body, "1 client cannot call") || strings.Contains(body, "top split migrated") || strings.Contains(body, "top split quiet") {
		t.Error("a client that cannot call does not show")
	}
	at = now.Add(40 * dayLong)
	if body := get(t, serve(t, l), "/").Body.String(); !strings.Contains(body, "1 client is silent or never seen") {
		t.Error("silent is not migrated")
	}
}

func TestFilterAndSort(t *testing.T) {
	t.Parallel()
	l := sample(t)
	h := serve(t, l)
	for query, want := range map[string]string{
		"sort=client":                     "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.9 never-there payments/billing",
		"sort=client&order=desc":          "payments/billing never-there 10.0.0.9 10.0.0.3 10.0.0.2 10.0.0.1",
		"":                                "payments/billing 10.0.0.1 10.0.0.2 10.0.0.9 never-there 10.0.0.3",
		"state=mixed":                     "10.0.0.2",
		"verdict=plaintext":               "payments/billing 10.0.0.1 10.0.0.9",
		"q=OPENSSL":                       "10.0.0.2",
		"q=nobody":                        "",
		"state=silent&verdict=plaintext":  "10.0.0.9",
		"sort=requests&order=desc&q=10.0": "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.9",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseFilter(values)
		if err != nil {
			t.Fatal(err)
		}
		rows := l.Overview(f.selects)
		f.sort(rows)
		var selected []ledger.Row
		for _, r := range rows {
			selected = append(selected, *r)
		}
		if got := names(selected); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
		// The API selects alike, and has clients by name.
		want = strings.Join(slices.Sorted(slices.Values(strings.Fields(want))), " ")
		if got := names(clientsOf(t, h, query).Clients); got != want {
			t.Errorf("the API, %q: %s, want %s", query, got, want)
		}
	}
	for _, bad := range []string{"state=fine", "verdict=x", "sort=password", "page=0", "page=x", "page=99999999999999999999"} {
		if w := get(t, h, "/api/v1/clients?"+bad); w.Code != http.StatusBadRequest {
			t.Errorf("API, %s: %d", bad, w.Code)
		}
		if w := get(t, h, "/?"+bad); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "All clients are shown") {
			t.Errorf("page, %s: %d", bad, w.Code)
		}
	}
}

func names(rows []ledger.Row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Client)
	}
	return strings.Join(all, " ")
}

// The address of a client's page without the client leads to all of them.
func TestClientsWithoutAName(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for _, target := range []string{"/clients", "/clients/"} {
		if w := get(t, h, target); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" {
			t.Errorf("%s: %d to %q", target, w.Code, w.Header().Get("Location"))
		}
	}
}

// Whatever a caller puts into what is shown of it arrives as text.
func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	sight(l, evil, now, call.Observation{Handling: call.Terminated, Hello: &call.Offer{Max: call.Version10, Library: evil, JA4: evil}})
	request(l, evil, now, call.Outcome{Ours: true, Host: evil, UserAgent: evil})
	request(l, "javascript:alert(3)", now, call.Outcome{Ours: true})
	h := serve(t, l)
	for _, target := range []string{"/", "/clients/" + url.PathEscape(evil), "/?q=" + url.QueryEscape(evil), "/?state=" + url.QueryEscape(evil), "/clients/" + url.PathEscape(evil+"2")} {
		w := get(t, h, target)
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`} {
			if strings.Contains(w.Body.String(), bad) {
				t.Errorf("%s: %q got through", target, bad)
			}
		}
	}
	if !strings.Contains(get(t, h, "/").Body.String(), "&lt;script&gt;") {
		t.Error("the hostile name is not shown at all")
	}
}

func TestPagesLoadNothingFromElsewhereAndRunNoInlineCode(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for _, target := range []string{"/", "/clients/10.0.0.1", "/fixes", "/fixes/java", "/nothing/here", "/clients/nobody", "/assets/page.css", "/api/v1/summary"} {
		w := get(t, h, target)
		if w.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: policy %q", target, w.Header().Get("Content-Security-Policy"))
		}
		body := w.Body.String()
		for _, bad := range []string{" style=", "<style", " onclick", "http://cdn", `src="http`, `href="http`, "<script>"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: %q", target, bad)
			}
		}
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	body := get(t, h, "/").Body.String()
	_, rest, _ := strings.Cut(body, `href="/assets/page.css`)
	address, _, _ := strings.Cut(rest, `"`)
	w := get(t, h, "/assets/page.css"+address)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("style sheet: %d %v", w.Code, w.Header())
	}
	if w := get(t, h, "/assets/page.js"); !strings.Contains(w.Header().Get("Content-Type"), "javascript") || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("script: %v", w.Header())
	}
	for _, target := range []string{"/assets/nothing", "/assets/..%2fpage.go", "/assets/%2e%2e", "/assets/."} {
		if w := get(t, h, target); w.Code == http.StatusOK {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestFixPages(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	if w := get(t, h, "/fixes/dotnet"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "SchUseStrongCrypto") {
		t.Errorf("dotnet: %d", w.Code)
	}
	if w := get(t, h, "/fixes/nothing"); w.Code != http.StatusNotFound {
		t.Errorf("nothing: %d", w.Code)
	}
	body := get(t, h, "/clients/10.0.0.2").Body.String()
	for _, want := range []string{"OpenSSL 0.9.8", "curl, Wget and everything on OpenSSL", "TLS 1.0", "legacy-only"} {
		if !strings.Contains(body, want) {
			t.Errorf("the client's page lacks %q", want)
		}
	}
}

// many is a full ledger.
func many(tb testing.TB) *ledger.Ledger {
	tb.Helper()
	at := now.Add(-100 * dayLong)
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	for range 100 {
		at = at.Add(dayLong)
		for i := range 10_000 {
			request(l, fmt.Sprintf("10.1.%d.%d", i>>8, i&255), at,
				call.Outcome{Ours: true, Ingress: call.Forward, Host: "api.smsportal.com", UserAgent: "Java/1.6.0"})
		}
	}
	return l
}

func TestTenThousandClientsComeInPages(t *testing.T) {
	t.Parallel()
	h := serve(t, many(t))
	w := get(t, h, "/?sort=client&page=3")
	body := w.Body.String()
	if !strings.Contains(body, "401 to 600 of 10,000") || !strings.Contains(body, `rel="prev"`) || !strings.Contains(body, `rel="next"`) {
		t.Error("the third page is not as expected")
	}
	if w.Body.Len() > 210<<10 {
		t.Errorf("a page has %d KiB", w.Body.Len()>>10)
	}
	if body := get(t, h, "/?page=1000").Body.String(); !strings.Contains(body, "9,801 to 10,000 of 10,000") {
		t.Error("a page beyond the last is not the last")
	}
}

func BenchmarkIndex10k(b *testing.B) {
	h := serve(b, many(b))
	for b.Loop() {
		b.ReportMetric(float64(get(b, h, "/").Body.Len()), "bytes/page")
	}
}

func TestWhatIsWrongWithTheCAIsSaid(t *testing.T) {
	t.Parallel()
	for _, problem := range []string{"", "soon"} {
		mux := http.NewServeMux()
		err := Register(mux, Options{Ledger: ledger.New(ledger.Options{}), Clock: time.Now, Bound: unbound, Health: func() Health { return Health{CANotAfter: now, CAProblem: problem} }})
		if err != nil {
			t.Fatal(err)
		}
		body := get(t, mux, "/").Body.String()
		if !strings.Contains(body, "valid until 2026-11-23") || strings.Contains(body, ` <strong class="alarm">soon</strong>`) != (problem != "") {
			t.Errorf("%q: %s", problem, body)
		}
	}
}

// Every page of advice is two clicks from any page: the index lists all, and
// what says "the page of your runtime" leads there.
func TestAllAdviceCanBeReached(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	if body := get(t, h, "/").Body.String(); !strings.Contains(body, `<a href="/fixes">What to change</a>`) {
		t.Error("the navigation does not lead to the index")
	}
	for _, target := range []string{"/fixes", "/fixes/"} {
		w := get(t, h, target)
		for _, name := range fixes.Names() {
			if w.Code != http.StatusOK || strings.Count(w.Body.String(), `<a href="/fixes/`+name+`">`) != 1 {
				t.Errorf("%s: %d, it does not list %q once", target, w.Code, name)
			}
		}
	}
	link := `<a href="/fixes/java">`
	for target, want := range map[string]bool{
		"/fixes/http-to-https": true, "/fixes/other": true, "/fixes/java": false, "/fixes/php": false,
		"/clients/10.0.0.1": false, // PHP: its page is there already
	} {
		if got := strings.Contains(get(t, h, target).Body.String(), link); got != want {
			t.Errorf("%s links to the programs: %t, want %t", target, got, want)
		}
	}
}

func TestAVerdictLeadsToItsAdvice(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for _, v := range ledger.Verdicts {
		want := fixes.For(fixes.Client{Obstacle: v.Obstacle()}).Pages[0]
		w := get(t, h, "/fixes/"+v.String())
		if v.String() == want {
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d", v, w.Code)
			}
			continue
		}
		if w.Code != http.StatusFound || w.Header().Get("Location") != "/fixes/"+want {
			t.Errorf("%s: %d, to %q, want /fixes/%s", v, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestWhatIsNotThereIsAPageOrAnAPIsAnswer(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for target, want := range map[string]string{
		"/nothing/here": "text/html", "/clients/nobody": "text/html", "/fixes/nothing": "text/html",
		"/api/v1/nothing": "application/json", "/api/v1/clients/nobody": "application/json",
	} {
		if w := get(t, h, target); w.Code != http.StatusNotFound || !strings.HasPrefix(w.Header().Get("Content-Type"), want) {
			t.Errorf("%s: %d, %s", target, w.Code, w.Header().Get("Content-Type"))
		}
	}
}

// Each link of the table leads to its client, as a browser resolves it.
func TestEveryClientsLinkLeadsToIt(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	names := []string{".", "..", "a//b", "a/../b", "?x=1", "#frag", "%41%2e", "שלום עולם", "<b>", strings.Repeat("n", 128)}
	for _, name := range names {
		sight(l, name, now, call.Observation{})
	}
	h := serve(t, l)
	base, err := url.Parse("http://127.0.0.1/")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		u, err := base.Parse(clientURL(name))
		if err != nil {
			t.Fatal(err)
		}
		w := get(t, h, u.RequestURI())
		if want := "<bdi>" + html.EscapeString(name) + "</bdi></h1>"; w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q at %s: %d", name, u, w.Code)
		}
	}
}

// The band at a page's edge is a warning only where something is insecure.
func TestTheBandSaysHowItStands(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	for target, want := range map[string]string{
		"/": `class="top split"`, "/clients/10.0.0.3": `class="top migrated"`, "/clients/10.0.0.9": `class="top silent"`, "/clients/10.0.0.1": `class="top insecure"`,
	} {
		if !strings.Contains(get(t, h, target).Body.String(), want) {
			t.Errorf("%s lacks %s", target, want)
		}
	}
	if empty := serve(t, ledger.New(ledger.Options{})); !strings.Contains(get(t, empty, "/").Body.String(), `class="top split quiet"`) {
		t.Error("an empty ledger is shown as a warning")
	}
}

// A client that is migrated has nothing left to change: its page says how to take
// tlslift away, and no more.
func TestAMigratedClientsPageSaysHowToLeave(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	body := get(t, h, "/clients/10.0.0.3").Body.String()
	for _, want := range []string{"What is left:</strong> Remove its proxy setting. Then tell the operator of tlslift, who declares it migrated. <a href=\"#advice\">How</a>", "<h2>To remove tlslift</h2>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, unwanted := range []string{"What to change:", "<h2>PHP", "By program", "Message for its owner"} {
		if strings.Contains(body, unwanted) {
			t.Errorf("the page has %q", unwanted)
		}
	}
	if n := strings.Count(body, `<article class="advice">`); n != 1 {
		t.Errorf("%d pages of advice", n)
	}
	if !strings.Contains(body, `<div id="advice">`) || !strings.Contains(get(t, h, "/").Body.String(), `<a href="/clients/10.0.0.3#advice" aria-label="How to change 10.0.0.3">How</a>`) {
		t.Error("the list does not lead to the advice on the client's page")
	}
	if list := get(t, h, "/?q=10.0.0.3").Body.String(); !strings.Contains(list, `class="fix">Remove its proxy setting. Then tell the operator of tlslift, who declares it migrated. <a`) {
		t.Errorf("the list says something else: %s", list)
	}
}

// A client that speaks TLS 1.2 and shares no suite with SMSPortal is secure thanks
// to tlslift alone. Nothing says that it called in clear, or that it may leave.
func TestAClientWithoutASharedSuiteStillNeedsTlslift(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	hello := call.Offer{Max: call.Version12}
	sight(l, "terminated", now, call.Observation{Version: call.Version12, Handling: call.Terminated, Hello: &hello})
	request(l, "terminated", now, call.Outcome{Ours: true, Ingress: call.Connect, Version: call.Version12, Handling: call.Terminated, Upgraded: true})
	sight(l, "refused", now, call.Observation{Version: call.Version12, Handling: call.Spliced, Hello: &hello, Failure: call.HandshakeNoSharedCipher, NoCall: true})
	h := serve(t, l)
	for name, want := range map[string]string{
		"terminated": "called over TLS 1.2 or later in the last 14 days, and tlslift terminated it: as it is set up, it needs tlslift",
		"refused":    "connects, but its TLS handshakes fail, so none of its calls arrives",
	} {
		body := get(t, h, "/clients/"+name).Body.String()
		if !strings.Contains(body, want) || strings.Contains(body, "plain HTTP or old TLS in the last") || strings.Contains(body, "take tlslift away") {
			t.Errorf("%s: %s", name, body)
		}
	}
	if body := get(t, h, "/").Body.String(); !strings.Contains(body, "1 client still needs tlslift") {
		t.Error("the headline")
	}
}

// A declaration without a time is of the day's first instant: calls of that day
// count against it, and the page says what to do if the change was later.
func TestDeclaredOnTheDayOfItsLastCall(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	today := now.Truncate(dayLong)
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "today", Migrated: today}, {Name: "timed", Migrated: today.Add(time.Hour)}, {Name: "again", Migrated: today.Add(-dayLong)}}})
	h := serve(t, l)
	for name, want := range map[string]bool{"today": true, "timed": false, "again": false} {
		request(l, name, now.Add(-time.Minute), call.Outcome{Ours: true, Host: "api.smsportal.com"})
		body := get(t, h, "/clients/"+name).Body.String()
		if !strings.Contains(body, "and insecure since.") || strings.Contains(body, "declare it with the time of the change") != want {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func TestAClientsPageUsesWords(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{
		{Name: "later", Migrated: now.Add(30 * dayLong)},
		{Name: "billing"},
		{Name: "renamed-listener", Migrated: now.Add(-dayLong), Unnamed: true},
		{Name: "renamed-name", Migrated: now.Add(-dayLong), Unnamed: true},
	}})
	plain := call.Outcome{Ours: true, Ingress: call.Forward, Host: "api.smsportal.com", Exposed: 1 << redact.KindQuery}
	request(l, "later", now, plain)
	plain.Kind, plain.End, plain.Client = call.Request, now, call.Identity{Name: "billing", Source: call.SourceListener}
	l.Record(&plain)
	plain.Client.Name = "former"
	l.Record(&plain)
	for _, source := range []call.Source{call.SourceListener, call.SourceName} {
		plain.Client = call.Identity{Name: "renamed-" + source.String(), Source: source}
		l.Record(&plain)
	}
	idle := spliced()
	idle.NoCall, idle.Failure = true, call.HandshakeNoCall
	sight(l, "scanner", now, idle)
	unreachable := spliced() // the upstream could not be reached, so its call was refused
	unreachable.Handling, unreachable.NoCall = call.Refused, true
	sight(l, "unreachable", now, unreachable)
	sight(l, "secure", now, spliced())
	sight(l, "panel", now, call.Observation{
		Version: call.VersionSSL3, Handling: call.Refused, Hello: &call.Offer{Max: call.VersionSSL3, ShutOut: true}, Failure: call.HandshakeVersion,
	})
	h := serve(t, l)
	for name, want := range map[string][]string{
		"panel":            {"<dt>Highest TLS version offered</dt><dd>SSL 3.0</dd>", "<li>refused, SSL 3.0: 1</li>", "<li>SSL 3.0: 1</li>"},
		"later":            {"2026-12-23 12:00 UTC, not yet in effect", "a password in the address (query): 1 time, last", "<dd>its address</dd>", "Calls by host, and connections without one. An encrypted connection counts as one call."},
		"billing":          {"<dd>its own port</dd>"},
		"former":           {"<dd>a name that the configuration no longer has</dd>"},
		"renamed-listener": {"<dd>a name that only policy.clients has</dd>"},
		"renamed-name":     {"<dd>a name that only policy.clients has</dd>"},
		"scanner":          {"Connections without a call, by reason", "connected and never made a call, as a scanner or a health check does; in no share", "Nothing to change if it is a scanner or a health check, which connects and never makes a call."},
		"unreachable": {
			"connected and never made a call, as a scanner or a health check does; in no share",
			"If it is an application, the log lines with its name say why its calls fail.",
		},
		"secure": {"<dt>Requests a day</dt><dd>\u2013</dd>", "<dt>Highest TLS version offered</dt><dd>TLS 1.3</dd>", "<li>spliced, TLS 1.3: 1</li>", "<li>TLS 1.3: 1</li>"},
	} {
		body := get(t, h, "/clients/"+name).Body.String()
		for _, part := range want {
			if !strings.Contains(body, part) {
				t.Errorf("%s: the page lacks %q", name, part)
			}
		}
		if name == "scanner" && strings.Contains(body, "<textarea") {
			t.Error("there is a message about a scanner")
		}
	}
	list := get(t, h, "/").Body.String()
	for _, want := range []string{
		"Set <code>policy.target</code> to see whether you are on track.",
		`title="connected and never made a call, as a scanner, a health check, or a client whose calls fail does; in no share"`,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
}

// With no client yet, the page says how to point one here.
func TestAnEmptyPageSaysHowToBegin(t *testing.T) {
	t.Parallel()
	body := get(t, serve(t, ledger.New(ledger.Options{})), "/").Body.String()
	for _, want := range []string{"http://127.0.0.1:3128/api.smsportal.com/", "http_proxy=http://127.0.0.1:3128 curl"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<svg class=\"chart\"") {
		t.Error("the page has an empty picture")
	}
	if strings.Contains(get(t, serve(t, sample(t)), "/").Body.String(), "http_proxy=") {
		t.Error("the page still says how to begin")
	}
	for _, c := range []struct{ listener, asked, want string }{
		{"127.0.0.1:3128", "tlslift.example:9128", "127.0.0.1:3128"},
		{"0.0.0.0:3128", "tlslift.example:9128", "tlslift.example:3128"},
		{"[::]:3128", "[::1]:9128", "[::1]:3128"},
		{"[::]:80", "tlslift.example", "tlslift.example:80"},
		{"nonsense", "x", ""},
	} {
		if got := admin.SeenFrom(c.listener, c.asked); got != c.want {
			t.Errorf("%s, asked at %s: %q, want %q", c.listener, c.asked, got, c.want)
		}
	}
}

// A share that is not all is not shown as 100%, and thousands are told apart.
func TestLargeFiguresAreTrue(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	for i := range 1500 {
		request(l, fmt.Sprint("client-", i), now, call.Outcome{Ours: true, Ingress: call.Forward})
	}
	sight(l, "last", now, spliced())
	body := get(t, serve(t, l), "/").Body.String()
	for _, want := range []string{"99.9%", "1,500 clients still need tlslift", "1,500 of 1,501 active clients still call insecurely", "1 to 200 of 1,501", "<b>1,500</b> insecure"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The links of alerts, whose templates can escape a name for a query alone.
func TestAlertsLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	h := serve(t, sample(t))
	if w := get(t, h, "/clients/?name="+url.QueryEscape("payments/billing")); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<bdi>payments/billing</bdi>") {
		t.Errorf("the client: %d, %.3000s", w.Code, w.Body)
	}
	for _, v := range ledger.Verdicts {
		if w := get(t, h, "/fixes/"+v.String()); w.Code != http.StatusOK && w.Code != http.StatusFound {
			t.Errorf("the fix for %s: %d", v, w.Code)
		}
	}
}
