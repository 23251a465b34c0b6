package page

import (
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// What the owner of a client is sent has the name, the evidence, what to change
// and where to read on, and needs no script to be copied.
func TestTheMessageForAnOwner(t *testing.T) {
	t.Parallel()
	l := sample(t)
	l.Configure(ledger.Settings{
		Target:  time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC),
		Clients: []ledger.Configured{{Name: "payments/billing", Migrated: now.Add(-10 * dayLong)}, {Name: "never-there"}},
	})
	h := serve(t, l)
	for name, want := range map[string][]string{
		"10.0.0.1": {
			"10.0.0.1 calls SMSPortal over plain HTTP or old TLS.", "- Last insecure call: 2026-11-23 12:00 UTC", "- First seen: 2026-10-24 12:00 UTC",
			"- Requests a day: 28", "- Hosts: www.mymobileapi.com", "- Program: PHP SOAP", "- State: called over plain HTTP or old TLS in the last 14 days, and not securely (insecure)", "- Verdict: it uses plain HTTP (plaintext)", "- Known by: its address", "- Secret sent in clear: a password in the address (query), 496 times",
			"What to change: Change its URL to the API's https address.", "How: http://example.com/fixes/http-to-https", "After this change, it calls https://api.smsportal.com over TLS 1.2 or later.", "Please finish by 2027-03-31.",
			"More: http://example.com/clients/10.0.0.1",
		},
		"10.0.0.2":         {"10.0.0.2 calls SMSPortal over TLS 1.2 or later, and also over plain HTTP or old TLS, the last time at 20", "If it has been changed since, please say when."},
		"10.0.0.9":         {"10.0.0.9 has made no call through tlslift since 2026-11-02 12:00 UTC (21 days ago)."},
		"payments/billing": {"payments/billing was declared migrated on 2026-11-13 12:00 UTC, and has called SMSPortal insecurely since."},
	} {
		text, found := ownersMessage(get(t, h, clientURL(name)).Body.String())
		for _, part := range want {
			if !found || !strings.Contains(text, part) {
				t.Errorf("%s: the message lacks %q:\n%s", name, part, text)
			}
		}
	}
	if strings.Contains(get(t, h, "/clients/never-there").Body.String(), "<textarea") {
		t.Error("there is a message about a client that was never seen")
	}
}

// What an owner reads fits the client, the date, and the address that the page
// was opened at.
func TestTheMessageFitsItsClient(t *testing.T) {
	t.Parallel()
	const site = "http://tlslift.example:9128"
	failing := ledger.Row{Client: "erp", State: ledger.NoCalls, Verdict: ledger.DistrustsCA, Failing: true, Fix: "Trust the CA.", FixPages: []string{"trust-the-ca"}}
	for _, target := range []time.Time{{}, now.Add(90 * dayLong), now.Add(-dayLong)} {
		text := message(&failing, terms{target: target, migratedAfter: 14 * dayLong}, now, site)
		if !strings.HasPrefix(text, "erp cannot call SMSPortal: its TLS handshakes fail, so none of its messages is sent.\n") ||
			!strings.Contains(text, "\nIt is down now: please change it today.\n") || strings.Contains(text, "be done by") || strings.Contains(text, "The date for this") {
			t.Errorf("a client that cannot call:\n%s", text)
		}
	}
	silent := failing
	silent.Suspected, silent.Failures, silent.LastFailed = true, map[string]uint64{"no_call": 3, "not_tls": 1}, now
	if text := message(&silent, terms{target: now.Add(90 * dayLong), migratedAfter: 14 * dayLong}, now, site); !strings.HasPrefix(text, "erp leaves after each TLS handshake without a call: it may not trust the certificate that it is shown,") ||
		!strings.Contains(text, "\n- TLS handshakes without a call: it left without a call, 3 times (no_call); last at 2026-11-23 12:00 UTC\n") ||
		!strings.Contains(text, "\nIf it is a health check, it needs no change. Otherwise it is down now: please change it today.\n") {
		t.Errorf("a client that says nothing:\n%s", text)
	}
	scanner := ledger.Row{Client: "scanner", State: ledger.NoCalls, Verdict: ledger.Capable}
	if text := message(&scanner, terms{migratedAfter: 14 * dayLong}, now, site); text != "" {
		t.Errorf("a scanner:\n%s", text)
	}
	old := ledger.Row{Client: "erp", State: ledger.Insecure, SeveralPrograms: true, FixPages: []string{"curl"}, Fix: "Change it."}
	old.Behind.UserAgents = []ledger.Shown{{Name: "Python urllib"}, {Name: "curl"}}
	old.Exposed = []ledger.ExposedCount{{Kind: "soap", Over: "old_tls", Count: 1, Last: now}}
	text := message(&old, terms{target: now.Add(-dayLong / 2), migratedAfter: 14 * dayLong}, now, site)
	for _, want := range []string{
		"\nMore than one program uses this name (Python urllib, curl). Each needs its own change; for those that are not named below, see " + site + "/fixes.\n",
		"\nThe date for this was 2026-11-22. Please reply with a new one.\n",
		"- Secret sent over old TLS: a password in the SOAP body, 1 time, last",
		"How: " + site + "/fixes/curl\nAfter this change, it calls the API's https address over TLS 1.2 or later.\n", "More: " + site + "/clients/erp\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the message lacks %q:\n%s", want, text)
		}
	}
	for day, want := range map[[2]float64]string{{7, 2}: "\n- Requests a day: 7\n", {0, 2}: "\n- Connections a day: 2\n"} { // as on its page
		old.RequestsPerDay, old.ConnectionsPerDay = day[0], day[1]
		if text := message(&old, terms{target: now, migratedAfter: 14 * dayLong}, now, site); !strings.Contains(text, want) || strings.Count(text, " a day: ") != 1 {
			t.Errorf("the message lacks %q:\n%s", want, text)
		}
	}
	if old.Program, old.Library = "curl", "OpenSSL 1.1.0 or later"; !strings.Contains(message(&old, terms{target: now, migratedAfter: 14 * dayLong}, now, site), "\nWhat to change for OpenSSL 1.1.0 or later: Change it.\n") {
		t.Errorf("the message does not say which program the advice is about:\n%s", message(&old, terms{target: now, migratedAfter: 14 * dayLong}, now, site))
	}
	old.Hosts = []ledger.HostCount{{Host: "www.mymobileapi.com"}, {Host: "api.smsportal.com"}, {Host: "rest.mymobileapi.com"}}
	for version, want := range map[string]string{ // who has https already keeps the address
		"none": "it calls https://api.smsportal.com, https://rest.smsportal.com over TLS 1.2 or later.\n",
		"1.0":  "it calls https://www.mymobileapi.com, https://api.smsportal.com, https://rest.mymobileapi.com over TLS 1.2 or later.\n",
	} {
		old.Requests = []ledger.RequestCount{{Ingress: "connect", TLSVersion: version, Count: 1}}
		if text := message(&old, terms{migratedAfter: 14 * dayLong}, now, site); !strings.Contains(text, want) {
			t.Errorf("the message lacks %q:\n%s", want, text)
		}
	}
	to := func(host string) string { return map[string]string{"www.mymobileapi.com": "rest.smsportal.com"}[host] }
	for version, want := range map[string]string{ // what to does not apply to is what it will call over TLS 1.2
		"none": "it calls https://rest.smsportal.com, https://api.smsportal.com over TLS 1.2 or later.\n",
		"1.0":  "it calls https://rest.smsportal.com, https://api.smsportal.com, https://rest.mymobileapi.com over TLS 1.2 or later.\n",
	} {
		old.Requests = []ledger.RequestCount{{Ingress: "connect", TLSVersion: version, Count: 1}}
		if text := message(&old, terms{migratedAfter: 14 * dayLong, to: to}, now, site); !strings.Contains(text, want) || !strings.Contains(text, "- Hosts: www.mymobileapi.com, ") {
			t.Errorf("the message lacks %q:\n%s", want, text)
		}
	}
	for host, links := range map[string]bool{
		"127.0.0.1:9128": false, "localhost:9128": false, "LOCALHOST": false, "[::1]:9128": false, "127.0.0.53": false,
		"10.0.0.1:9128": true, "tlslift.example": true, "[2001:db8::1]:9128": true,
	} {
		r := httptest.NewRequest(http.MethodGet, "/clients/erp", nil)
		r.Host = host
		if text := message(&old, terms{migratedAfter: 14 * dayLong}, now, siteOf(r)); strings.Contains(text, "http://") != links {
			t.Errorf("opened at %s:\n%s", host, text)
		}
	}
}

// The links of a message have the scheme that the reader's browser has.
func TestTheSchemeOfAMessagesLinks(t *testing.T) {
	t.Parallel()
	for forwarded, want := range map[string]string{"": "http", "http": "http", "https": "https", "https, http": "http", "ftp": "http", `https"><b>`: "http"} {
		r := httptest.NewRequest(http.MethodGet, "/clients/erp", nil)
		r.Host = "tlslift.example"
		if forwarded != "" {
			r.Header.Set("X-Forwarded-Proto", forwarded)
		}
		if site := siteOf(r); site != want+"://tlslift.example" {
			t.Errorf("%q: %s", forwarded, site)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://tlslift.example/clients/erp", nil)
	if site := siteOf(r); site != "https://tlslift.example" {
		t.Errorf("over TLS: %s", site)
	}
}

// Advice with a step for today does not say that TLS 1.2 is the result, and names
// where the root certificate is if that is the step.
func TestAMessageWithAStepForToday(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	refused := call.Observation{Version: call.Version10, Handling: call.Refused, Host: "api.smsportal.com", Hello: &call.Offer{Max: call.Version10}, Failure: call.HandshakeVersion}
	sight(l, "old", now, refused)
	refused.Failure = call.HandshakeClientRejectedCA
	sight(l, "erp", now, refused)
	refused.Failure, refused.Hello = call.HandshakeVersion, &call.Offer{Max: call.VersionSSL3, ShutOut: true}
	sight(l, "panel", now, refused)
	h := serve(t, l)
	const done, root = "After this change, it calls", "Root certificate"
	refused.Failure, refused.Hello = call.HandshakeNoServerName, &call.Offer{Max: call.Version12}
	sight(l, "nameless", now, refused)
	for name, want := range map[string]struct{ done, root bool }{"old": {done: true}, "erp": {root: true}, "panel": {}, "nameless": {}} {
		body := get(t, h, "/clients/"+name).Body.String()
		text, _ := ownersMessage(body)
		if failed := map[string]string{"old": "its TLS version was not accepted, 1 time (version)", "erp": "it rejected tlslift's certificate, 1 time (client_rejected_ca)", "panel": "its TLS version was not accepted, 1 time (version)", "nameless": "it named no server (SNI), 1 time (no_server_name)"}[name]; !strings.Contains(text, "\n- TLS handshakes that failed: "+failed+"; last at 2026-11-23 12:00 UTC\n") {
			t.Errorf("%s: the message does not say when and why it failed:\n%s", name, text)
		}
		if strings.Contains(text, done) != want.done || strings.Contains(text, root+": http://example.com/ca.pem\n") != want.root {
			t.Errorf("%s:\n%s", name, text)
		}
		if strings.Contains(body, `<a href="/ca.pem" download>`+root+`</a>`) != want.root {
			t.Errorf("%s: the page has the root certificate, or lacks it", name)
		}
	}
	row, _ := l.Row("erp")
	if text := message(&row, terms{migratedAfter: 14 * dayLong}, now, ""); !strings.Contains(text, "\n"+root+": ask the operator of tlslift for root.pem.\n") {
		t.Errorf("without an address:\n%s", text)
	}
}

// A client whose calls are all refused is not one that tlslift keeps working, and
// not one that never called.
func TestAClientWhoseCallsAreRefused(t *testing.T) {
	t.Parallel()
	at := now
	l := ledger.New(ledger.Options{Clock: func() time.Time { return at }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "barred"}}})
	denied := call.Outcome{Ingress: call.Forward, Host: "api.smsportal.com", Label: call.LabelDenied, Reason: problem.ACL}
	request(l, "barred", now, denied)
	denied.Ours = true
	request(l, "erp", now, denied)
	request(l, "partly", now, denied)
	request(l, "partly", now, call.Outcome{Ours: true, Host: "api.smsportal.com"})
	h := serve(t, l)
	for _, at = range []time.Time{now, now.Add(20 * dayLong)} {
		for _, name := range []string{"barred", "erp"} {
			body := get(t, h, "/clients/"+name).Body.String()
			for _, want := range []string{
				"tlslift refused its last call, and saw none succeed before it", "<dt>Calls refused by tlslift</dt><dd>acl: 1, last",
				`<code>"client":"` + name + `"</code>, <code>"error"</code> says why`,
			} {
				if !strings.Contains(body, want) {
					t.Errorf("%s: the page lacks %q", name, want)
				}
			}
			text, _ := ownersMessage(body)
			for _, want := range []string{"tlslift refused the last call of " + name + ", at 2026-11-23 12:00 UTC, and saw none of its calls succeed in the 14 days before it.", "\n- Calls refused by tlslift: the caller may not use this way in, 1 time (acl); last at 2026", "Ask the operator of tlslift today why its calls are refused"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the message lacks %q:\n%s", name, want, text)
				}
			}
			if n := strings.Count(body, `<code>"error"</code>`); n != 1 || strings.Contains(text, `"error"`) {
				t.Errorf("%s: the page says %d times where to look", name, n)
			}
			if strings.Contains(body, "Change its URL") != (name == "erp") || strings.Contains(text, "What to change: Change its URL") != (name == "erp") {
				t.Errorf("%s: what to change besides: %s", name, text)
			}
			for _, wrong := range []string{"only tlslift keeps it working", "Was it migrated"} {
				if strings.Contains(text, wrong) {
					t.Errorf("%s: the message has %q:\n%s", name, wrong, text)
				}
			}
		}
	}
	at = now
	text, _ := ownersMessage(get(t, h, "/clients/partly").Body.String())
	if !strings.Contains(text, "only tlslift keeps it working") || !strings.Contains(text, "- Calls refused by tlslift: the caller may not use this way in, 1 time (acl)") {
		t.Errorf("one of which some calls are refused:\n%s", text)
	}
}

// A client that was declared after it failed has a name that is right: nothing is
// left to change in it, as far as its owner says.
func TestADeclarationAfterAFailure(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	sight(l, "panel", now.Add(-time.Hour), call.Observation{
		Version: call.VersionSSL3, Handling: call.Refused, Hello: &call.Offer{Max: call.VersionSSL3, ShutOut: true}, Failure: call.HandshakeVersion,
	})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "panel", Migrated: now.Add(-time.Minute)}}})
	h := serve(t, l)
	row, _ := l.Row("panel")
	if row.Misdeclared || row.Failing || row.State != ledger.NoCalls || row.Fix != "" {
		t.Errorf("%+v", row)
	}
	body := get(t, h, "/clients/panel").Body.String()
	if _, told := ownersMessage(body); told || !strings.Contains(body, ">declared</span>") || strings.Contains(body, "What to change:") || strings.Contains(body, "compare its name") {
		t.Errorf("its page: %s", body)
	}
	if summary := l.Summary(); summary.Misdeclared != 0 {
		t.Errorf("%+v", summary)
	}
}

// ownersMessage is the message for its owner on a client's page, if there is one.
func ownersMessage(body string) (text string, ok bool) {
	_, text, _ = strings.Cut(body, "<textarea")
	_, text, _ = strings.Cut(text, ">")
	text, _, ok = strings.Cut(text, "</textarea>")
	return html.UnescapeString(text), ok
}

func TestAMessageHasNoLinesThatACallerInvented(t *testing.T) {
	t.Parallel()
	row := ledger.Row{Client: "a\n- Verdict: fine\u2028\u202ex", State: ledger.Insecure}
	text := message(&row, terms{migratedAfter: 14 * dayLong}, now, "http://x")
	if strings.Contains(text, "\n- Verdict: fine") || strings.ContainsAny(text, "\u2028\u202e") || !strings.HasPrefix(text, "a - Verdict: fine  x calls") {
		t.Errorf("%q", text)
	}
}

// A message has words for each code, and the code with them.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	for _, v := range ledger.Verdicts {
		if text := verdictOf(&ledger.Row{Verdict: v}); text == "" {
			t.Errorf("%s has no words", v)
		}
	}
	for _, f := range call.HandshakeFailures {
		if failureTexts[f.String()] == "" {
			t.Errorf("%s has no words", f)
		}
	}
	for _, r := range problem.DeniedReasons {
		if refusalTexts[r.String()] == "" {
			t.Errorf("%s has no words", r)
		}
	}
	for _, state := range ledger.States {
		if text := stateOf(&ledger.Row{State: state}, now, 10*dayLong); text == "" || strings.Contains(text, periodMark) {
			t.Errorf("%s: %q", state, text)
		}
	}
	if text := stateOf(&ledger.Row{State: ledger.Silent}, now, 10*dayLong); text != "no call in the last 10 days, which is not the same as migrated" {
		t.Errorf("silent: %q", text)
	}
	v := clientView{Row: ledger.Row{State: ledger.Silent}}
	if text, want := v.standing(now, 10*dayLong), stateOf(&v.Row, now, 10*dayLong); text != want {
		t.Errorf("silent: the page says %q, the message %q", text, want)
	}
	if text := verdictOf(&ledger.Row{Verdict: ledger.DistrustsUpstream, Suspected: true}); text != "it may reject SMSPortal's certificate" {
		t.Errorf("a guess: %q", text)
	}
	if text := inWords(map[string]uint64{"eof": 2, "new": 1}, failureTexts); text != "it closed the connection, 2 times (eof); 1 time (new)" {
		t.Errorf("reasons: %q", text)
	}
	for want, r := range map[string]ledger.Row{
		"Program": {Program: "curl"}, "TLS library": {Program: "none", Library: "Java 7"}, "Program and TLS library": {Program: "curl", Library: "OpenSSL 1.0.x"},
	} {
		if got := runtimeLabel(&r); got != want {
			t.Errorf("%+v: %s", r, got)
		}
	}
}
