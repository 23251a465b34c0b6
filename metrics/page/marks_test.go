package page

import (
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// Each line of the headline that is an alarm leads to the rows that it counts, and
// these have a mark. A client that cannot call has the right name.
func TestAlarmsLeadToTheirRows(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	var declared []ledger.Configured
	for _, name := range []string{"again", "bilingg", "down", "gone"} {
		declared = append(declared, ledger.Configured{Name: name, Migrated: now.Add(-dayLong)})
	}
	l.Configure(ledger.Settings{Clients: declared})
	request(l, "again", now, call.Outcome{Ours: true, Ingress: call.Forward})
	request(l, "gone", now.Add(-2*dayLong), call.Outcome{Ours: true, Ingress: call.Forward})
	sight(l, "down", now, call.Observation{Version: call.Version11, Handling: call.Refused, Failure: call.HandshakeVersion, Hello: &call.Offer{Max: call.Version11}, NoCall: true})
	h := serve(t, l)
	index := get(t, h, "/").Body.String()
	for _, want := range []string{
		`<a href="/?state=regressed#clients"><strong>1</strong> declared migrated, insecure again.</a>`,
		`<a href="/?state=misdeclared#clients"><strong>1</strong> declared migrated, and never seen making a call`,
		`<span class="state failing" title="`, `<span class="state declared" title="declared migrated by its owner">declared</span>`,
	} {
		if !strings.Contains(index, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(index, `class="tile regressed"`) || !strings.Contains(index, "<option>regressed</option>") || !strings.Contains(get(t, h, "/?state=regressed").Body.String(), `class="tile regressed" href="/#clients" aria-current="true"`) {
		t.Error("a tile repeats the headline, or the filter cannot be taken away")
	}
	for word, name := range map[string]string{"regressed": "again", "misdeclared": "bilingg", "failing": "down"} {
		rows := clientsOf(t, h, "state="+word).Clients
		if names(rows) != name {
			t.Errorf("%s selects %s", word, names(rows))
		}
		if body := get(t, h, "/?state="+word).Body.String(); !strings.Contains(body, `<span class="state `+word+`" title="`) || !strings.Contains(body, `href="/clients/`+name+`"`) {
			t.Errorf("the rows that are %s have no mark", word)
		}
	}
	down := get(t, h, "/clients/down").Body.String()
	if !strings.Contains(down, "Declared migrated on 2026-11-22 12:00 UTC, and its TLS handshakes fail: none of its calls arrives.") || strings.Contains(down, "compare its name") {
		t.Errorf("a declared client that cannot call: %.3000s", down)
	}
}

// A client that only ever left after the handshake is nowhere told as a fact that it
// rejects a certificate.
func TestAClientThatOnlyLeftIsHedged(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "left", Migrated: now.Add(-dayLong)}}})
	sight(l, "left", now, call.Observation{
		Version: call.Version11, Handling: call.Terminated, Failure: call.HandshakeNoCall, Hello: &call.Offer{Max: call.Version11}, NoCall: true, NoAlert: true,
	})
	h := serve(t, l)
	body := get(t, h, "/clients/left").Body.String()
	for _, want := range []string{"and it leaves after each TLS handshake: it may be unable to call.", "<h2>If it rejects tlslift", "it may not trust the certificate"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	index := get(t, h, "/").Body.String()
	for page, body := range map[string]string{"its page": body, "the list": index, "the API": get(t, h, "/api/v1/clients").Body.String()} {
		for _, fact := range []string{"It rejects", "cannot call", "none of its calls arrives", "handshakes fail:"} {
			if strings.Contains(body, fact) {
				t.Errorf("%s has %q", page, fact)
			}
		}
	}
}

// A client that its owner declared migrated gets no order to change, anywhere: the
// list, the API and the client's page have one text.
func TestADeclaredClientGetsNoOrders(t *testing.T) {
	t.Parallel()
	l := ledger.New(ledger.Options{Clock: func() time.Time { return now }})
	l.Configure(ledger.Settings{Clients: []ledger.Configured{{Name: "gone", Migrated: now.Add(-dayLong)}}})
	request(l, "gone", now.Add(-2*dayLong), call.Outcome{Ours: true, Ingress: call.Forward, UserAgent: "PHP-SOAP/5.3.3"})
	h := serve(t, l)
	if rows := clientsOf(t, h, "").Clients; len(rows) != 1 || rows[0].State != ledger.Migrated || rows[0].Fix != "" || rows[0].FixPages != nil {
		t.Errorf("the API: %+v", rows)
	}
	for _, target := range []string{"/", "/clients/gone"} {
		if body := get(t, h, target).Body.String(); strings.Contains(body, "Change its URL") || strings.Contains(body, `>How</a>`) {
			t.Errorf("%s: %s", target, body)
		}
	}
}
