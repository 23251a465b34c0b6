package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/metrics/page"
	"tlslift/proxy/call"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const dayLong = 24 * time.Hour

// filled is a ledger with clients in several states, kept in a file if one is
// given.
func filled(t testing.TB, file string) *ledger.Ledger {
	t.Helper()
	at := now.Add(-20 * dayLong)
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }, File: file})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "billing", Migrated: now.Add(-2 * dayLong)}, {Name: "unseen"}}})
	plain := func(client string, source call.Source) {
		l.Record(&call.Outcome{
			Client: call.Identity{Name: client, Source: source}, End: at, Ours: true, Ingress: call.Forward,
			UserAgent: "Java/1.6.0_45", Host: "api.smsportal.com",
		})
	}
	plain("10.0.0.9", call.SourceAddress)
	at = now
	plain("billing", call.SourceName)
	plain("payments/mailer", call.SourceWorkload)
	l.Record(&call.Outcome{Kind: call.Observed, Client: call.Identity{Name: "10.0.0.3", Source: call.SourceAddress}, End: at, Observation: &call.Observation{
		Ours: true, Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13},
	}})
	return l
}

func fromLedger(l *ledger.Ledger) *Report {
	return newReport("test", now, 14*dayLong, l.Snapshot())
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := fromLedger(filled(t, ""))
	r.Assign(Owners{{"billing", "jane"}})
	var b bytes.Buffer
	if err := r.Write(&b, "table", true); err != nil {
		t.Fatal(err)
	}
	const want = `5 clients: 2 insecure, 0 mixed, 1 silent, 1 unseen, 1 migrated. 2 of 3 active clients still call insecurely (67%). Needing tlslift: 2. Declared migrated and insecure again: 1.
As of 2026-11-23 12:00 UTC, from test; migrated means secure calls and none insecure in the last 14 days.

jane (1 client, 1 insecure, 0 mixed, 0 failing)
CLIENT   STATE                 VERDICT    PROGRAM OR LIBRARY  REQUESTS A DAY  LAST INSECURE  OWNER  WHAT TO CHANGE
billing  insecure (regressed)  plaintext  Java 6 or older     1               2026-11-23     jane   Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later.

payments (1 client, 1 insecure, 0 mixed, 0 failing)
CLIENT           STATE     VERDICT    PROGRAM OR LIBRARY  REQUESTS A DAY  LAST INSECURE  OWNER     WHAT TO CHANGE
payments/mailer  insecure  plaintext  Java 6 or older     1               2026-11-23     payments  Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later.

No owner known (3 clients, 0 insecure, 0 mixed, 0 failing)
CLIENT    STATE     VERDICT    PROGRAM OR LIBRARY  REQUESTS A DAY  LAST INSECURE  OWNER  WHAT TO CHANGE
10.0.0.9  silent    plaintext  Java 6 or older     0               2026-11-03     -      Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later.
unseen    unseen    -          -                   0               -              -      -
10.0.0.3  migrated  capable    -                   –               -              -      Let it use the API's https addresses without tlslift. Then tell the operator of tlslift, who declares it migrated.
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Every form takes whatever a caller or a foreign store put into a row as text.
func TestHostileTextIsOnlyText(t *testing.T) {
	t.Parallel()
	const evil = "=cmd|' /C calc'!A0\x1b[31m\n| `x` <script>alert(1)</script> [a](javascript:b) \u202e"
	rows := []ledger.Row{{Client: evil, Library: evil, Fix: evil, State: ledger.Insecure}}
	r := newReport(evil, now, 14*dayLong, rows)
	r.Clients[0].Owner = evil
	r.Summary.BurnDown = []ledger.DayStates{{Date: evil, Insecure: 1}}
	for _, format := range Formats {
		var b bytes.Buffer
		if err := r.Write(&b, format, true); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		if format != "json" && strings.ContainsAny(text, "\x1b\u202e") && format != "html" {
			t.Errorf("%s: control characters get through", format)
		}
		if (format == "html" || format == "markdown") && strings.Contains(text, "<script>") {
			t.Errorf("%s: a script gets through", format)
		}
		if format == "markdown" && (strings.Contains(text, "[a](") || strings.Contains(text, "\n| `")) {
			t.Errorf("markdown: a link or a row gets through:\n%s", text)
		}
		if format == "json" && !json.Valid(b.Bytes()) {
			t.Error("json: not valid")
		}
		if format == "csv" {
			lines, err := csv.NewReader(&b).ReadAll()
			if err != nil || len(lines) != 2 || !strings.HasPrefix(lines[1][0], "'=cmd") || len(lines[0]) != len(lines[1]) {
				t.Errorf("csv: %v, %q", err, lines)
			}
		}
	}
}

// A mark stands beside the state, can be selected, and a
// share of nobody is not 0%.
func TestNotes(t *testing.T) {
	t.Parallel()
	r := newReport("test", now, 14*dayLong, []ledger.Row{
		{Client: "down", State: ledger.NoCalls, Failing: true},
		{Client: "scanner", State: ledger.NoCalls},
		{Client: "quiet", State: ledger.Silent},
		{Client: "two", State: ledger.Silent, SeveralPrograms: true},
	})
	if r.Clients[0].Client != "down" {
		t.Errorf("first comes %s", r.Clients[0].Client)
	}
	failing, err := ParseSelection([]string{"failing"})
	if err != nil || r.Count(failing) != 1 || len(failing) == 0 {
		t.Errorf("failing selects %d, %v", r.Count(failing), err)
	}
	if got, want := r.figures(), "No client is active. Needing tlslift: 0. Not counted, because they never made a call: 2. Unable to call, because their TLS handshakes fail: 1."; !strings.Contains(got, want) {
		t.Errorf("%s lacks %s", got, want)
	}
	for format, want := range map[string][]string{
		"table":    {"no-calls (failing)", "silent (several programs)"},
		"markdown": {"no-calls (failing)", "silent (several programs)"},
		"html":     {`>no-calls</span> <span class="failing">(failing)</span>`, `>silent</span> <span>(several programs)</span>`},
	} {
		var b bytes.Buffer
		if err := r.Write(&b, format, false); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s lacks %s", format, part)
			}
		}
	}
}

func TestCell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "10.0.0.1": "10.0.0.1", "=1+1": "'=1+1", "+27": "'+27", "-x": "'-x", "@a": "'@a",
		"\t=1": "?=1", "'quoted": "''quoted", "a=b": "a=b", "\uff1d1": "'\uff1d1",
	} {
		if got := cell(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHTMLIsOneFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	r := fromLedger(filled(t, ""))
	r.Clients[0].FixPages = append(r.Clients[0].FixPages, "windows") // it leads to other pages
	if err := r.Write(&b, "html", false); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, bad := range []string{"<link", "<script", "src=", "url(", "@import"} {
		if strings.Contains(text, bad) {
			t.Errorf("it loads something: %q", bad)
		}
	}
	if !strings.Contains(text, `See <a href="#fix-http-to-https">Change http to https</a>.`) {
		t.Error("a page of advice does not lead to another in the file")
	}
	if strings.Contains(text, `href="/`) {
		t.Error("it links to a server that it has left")
	}
	for _, want := range []string{`How: <a href="#fix-http-to-https">Change http to https</a>, <a href="#fix-java">Java</a>`, `id="fix-http-to-https"`, `id="fix-java"`, `id="fix-drop-the-proxy"`} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
}

func TestSelections(t *testing.T) {
	t.Parallel()
	r := fromLedger(filled(t, ""))
	for list, want := range map[string]int{"insecure": 2, "insecure,mixed": 2, "regressed": 1, "silent, unseen": 2, "migrated,regressed": 2} {
		s, err := ParseSelection(strings.Split(list, ","))
		if err != nil || r.Count(s) != want {
			t.Errorf("%s: %d, %v, want %d", list, r.Count(s), err, want)
		}
	}
	if _, err := ParseSelection([]string{"fine"}); err == nil {
		t.Error("an unknown state was taken")
	}
	s, _ := ParseSelection([]string{"silent"})
	r.Only(s)
	if len(r.Clients) != 1 || r.Summary.Clients != 5 {
		t.Errorf("only silent: %d clients, the summary counts %d", len(r.Clients), r.Summary.Clients)
	}
	r.Only(nil)
	if len(r.Clients) != 1 {
		t.Error("an empty selection selects nothing")
	}
	if err := r.Write(&bytes.Buffer{}, "pdf", false); err == nil {
		t.Error("an unknown format was written")
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	owners, err := ParseOwners(strings.NewReader("payments/*: finance\n'10.0.*': network\nbilling: joe\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := fromLedger(filled(t, ""))
	r.Clients = append(r.Clients, ledger.Row{Client: "shop/web"}, ledger.Row{Client: "2001:db8:2:2::/64"}, ledger.Row{Client: "north/sales", Source: "account"})
	r.Assign(owners)
	for _, c := range r.Clients {
		want := map[string]string{"payments/mailer": "finance", "10.0.0.3": "network", "10.0.0.9": "network", "billing": "joe", "shop/web": "shop", "unseen": ""}[c.Client]
		if c.Owner != want {
			t.Errorf("%s: %q, want %q", c.Client, c.Owner, want)
		}
	}
	for text, want := range map[string]string{"- a": "line 1", "a: [b]": "line 1", "'[': x": "line 1", "a: 'b": "not YAML: line"} {
		if _, err := ParseOwners(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if owners, err := ParseOwners(strings.NewReader("")); err != nil || owners != nil {
		t.Errorf("an empty file: %v, %v", owners, err)
	}
}

func TestAnOwnersHeadingCountsWhatIsLeft(t *testing.T) {
	t.Parallel()
	row := func(s ledger.State, failing bool) ledger.Row {
		return ledger.Row{State: s, Failing: failing}
	}
	for want, g := range map[string]group{
		"jane (2 clients, 1 insecure, 1 mixed, 1 failing; 1 never called)": {"jane", []ledger.Row{row(ledger.Insecure, false), row(ledger.Mixed, false), row(ledger.NoCalls, true)}},
		"joe (2 clients, 2 insecure, 0 mixed, 1 failing)":                  {"joe", []ledger.Row{row(ledger.Insecure, true), row(ledger.Insecure, false)}},
		"No owner known (1 client, 0 insecure, 0 mixed, 0 failing)":        {"", []ledger.Row{row(ledger.Migrated, false)}},
	} {
		if got := ownerTitle(g); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// admin serves a ledger's admin API and wants a token.
func admin(t *testing.T, l *ledger.Ledger) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	if err := page.Register(mux, page.Options{Ledger: l, Clock: func() time.Time { return now }, Bound: func(h http.Handler) http.Handler { return h }}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func TestTheSourcesOfOneInstanceAgree(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.json")
	l := filled(t, file)
	s := admin(t, l)
	viaAdmin, err := FromAdmin(t.Context(), s.URL, Access{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	l.Reclaim() // it goes on
	t.Cleanup(func() { _ = l.Close() })
	viaState, err := FromState(file, now, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := fmt.Sprintf("%+v", viaAdmin.Clients), fmt.Sprintf("%+v", viaState.Clients)
	if a != b || viaAdmin.headline() != viaState.headline() || len(viaAdmin.Summary.History) != 2 ||
		!slices.Equal(viaAdmin.Summary.BurnDown, viaState.Summary.BurnDown) || len(viaAdmin.Summary.BurnDown) < 2 {
		t.Errorf("they differ:\n%s\n%s", a, b)
	}
	if was := viaAdmin.Summary.ActiveWeekAgo; was == nil || *was != *viaState.Summary.ActiveWeekAgo || *viaAdmin.Summary.InsecureWeekAgo != *viaState.Summary.InsecureWeekAgo {
		t.Errorf("a week ago: %+v, %+v", viaAdmin.Summary, viaState.Summary)
	}
	if viaAdmin.Summary.Limit == 0 || viaState.Summary.Limit != 0 {
		t.Errorf("%d clients at most, and in the file %d, which has no limit", viaAdmin.Summary.Limit, viaState.Summary.Limit)
	}
	both, err := merge([]*Report{viaAdmin, viaState}, 0)
	if err != nil || both.Summary.Limit != 0 || both.Summary.Tracked != 2*viaAdmin.Summary.Tracked {
		t.Errorf("both: %d at most, %v", both.Summary.Limit, err)
	}
}

func TestAdminIsReadPageByPage(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	var all ledger.Settings
	for i := range 2345 {
		all.Clients = append(all.Clients, ledger.Configured{Name: fmt.Sprint("client-", i)})
	}
	l.Configure(all)
	r, err := FromAdmin(t.Context(), admin(t, l).URL, Access{Token: "secret"})
	if err != nil || len(r.Clients) != 2345 || r.Summary.Clients != 2345 {
		t.Errorf("%v, %d clients", err, len(r.Clients))
	}
}

// busy answers 503 some times, and then what next does.
type busy struct {
	times int
	next  http.Handler
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if b.times > 0 {
		b.times--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		b.next.ServeHTTP(w, r)
	}
	return w.Result(), nil
}

func TestABusyAdminIsAskedAgain(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	if err := page.Register(mux, page.Options{Ledger: filled(t, ""), Clock: func() time.Time { return now }, Bound: func(h http.Handler) http.Handler { return h }}); err != nil {
		t.Fatal(err)
	}
	for times, want := range map[int]string{3: "", 1000: "it is busy (503"} {
		synctest.Test(t, func(t *testing.T) {
			_, err := FromAdmin(t.Context(), "http://127.0.0.1:1", Access{Transport: &busy{times, mux}})
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("busy %d times: %v, want %q", times, err, want)
			}
		})
	}
}

// TestEndlessPagesEnd: some other program's cursors are not followed for ever.
func TestEndlessPagesEnd(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"generated":"2026-11-23T12:00:00Z","clients":[],"next_cursor":"eA"}`)
	}))
	defer s.Close()
	if _, err := FromAdmin(t.Context(), s.URL, Access{}); !errors.Is(err, errNotAdmin) {
		t.Errorf("%v", err)
	}
}

func TestAdminErrors(t *testing.T) {
	t.Parallel()
	s := admin(t, filled(t, ""))
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	answers := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }))
		t.Cleanup(s.Close)
		return s.URL
	}
	redirect := httptest.NewServer(http.RedirectHandler(s.URL, http.StatusFound))
	defer redirect.Close()
	for name, c := range map[string]struct{ url, want string }{
		"no token":         {s.URL, "--token-file"},
		"another server":   {elsewhere.URL, "is this tlslift's admin address?"},
		"a redirect":       {redirect.URL, "it redirects to"},
		"another's JSON":   {answers(`{"status":"ok"}`), "does not answer as tlslift's admin address does"},
		"another's page":   {answers("<html>"), "does not answer as tlslift's admin address does"},
		"not a URL":        {"tlslift", "http://host:port"},
		"no server":        {"http://127.0.0.1:1", "connect"},
		"a secret in it":   {"http://me:hunter2@127.0.0.1:1", "connect"},
		"a broken address": {"http://me:hunter2@[", "http://host:port"},
	} {
		_, err := FromAdmin(t.Context(), c.url, Access{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromState(filepath.Join(t.TempDir(), "none.db"), now, 0); err == nil || !strings.Contains(err.Error(), "there is no state file") {
		t.Errorf("a missing state file: %v", err)
	}
}

// On a phone each client is a card of labelled lines, and names keep their
// direction to themselves.
func TestHTMLCanBeReadOnAPhone(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	r := fromLedger(filled(t, ""))
	r.Clients[0].Owner = "jane"
	if err := r.Write(&b, "html", false); err != nil {
		t.Fatal(err)
	}
	for _, title := range columnTitles[1:] {
		if n := strings.Count(b.String(), `data-label="`+title+`"`); n != 5 {
			t.Errorf("%d of 5 clients have a cell labelled %q", n, title)
		}
	}
	if !strings.Contains(b.String(), "<bdi>payments/mailer</bdi>") {
		t.Error("a name is not kept to itself")
	}
}

// The file begins with where the migration stands, and leads to each owner's
// clients, without a column that says the same in every row.
func TestHTMLBeginsWithTheAnswer(t *testing.T) {
	t.Parallel()
	r := fromLedger(filled(t, ""))
	r.Assign(nil)
	r.Summary.BurnDown = []ledger.DayStates{{Date: now.Format(time.DateOnly), Insecure: 2, Migrated: 1}}
	r.Summary.Forecast.Target, r.Summary.Forecast.Course = now.Add(30*dayLong), ledger.OffTrack
	var b bytes.Buffer
	if err := r.Write(&b, "html", true); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{
		"<h1>2 clients still need tlslift</h1>", "2 of 3 active clients still call insecurely.", "Off track.", `<svg class="chart"`,
		`<a href="#owner-1">payments (1 client, 1 insecure, 0 mixed, 0 failing)</a>`, `<h2 id="owner-1">payments (1 client, 1 insecure, 0 mixed, 0 failing)</h2>`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %q", want)
		}
	}
	if strings.Contains(text, `data-label="Owner"`) {
		t.Error("owners are a column of a table that has one owner")
	}
}

func TestHTMLSaysThatNobodyIsListed(t *testing.T) {
	t.Parallel()
	for _, byOwner := range []bool{false, true} {
		var b bytes.Buffer
		if err := newReport("test", now, 14*dayLong, nil).Write(&b, "html", byOwner); err != nil {
			t.Fatal(err)
		}
		if text := b.String(); !strings.Contains(text, "<p>No clients.</p>") || strings.Contains(text, "<table") {
			t.Errorf("by owner %t: %s", byOwner, text[strings.Index(text, "<main>"):])
		}
	}
}
