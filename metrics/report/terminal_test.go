package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"tlslift/metrics/ledger"
)

func onTerminal(t *testing.T, r *Report, byOwner bool, columns int) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteTerminal(&b, byOwner, columns); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheTableFitsATerminal(t *testing.T) {
	t.Parallel()
	r := fromLedger(filled(t, ""))
	r.Assign(Owners{{"billing", "jane"}})
	const want = `5 clients: 2 insecure, 0 mixed, 1 silent, 1 unseen, 1 migrated. 2 of 3 active
clients still call insecurely (67%). Needing tlslift: 2. Declared migrated and
insecure again: 1.
As of 2026-11-23 12:00 UTC, from test; migrated means secure calls and none
insecure in the last 14 days.

CLIENT           STATE                 VERDICT    REQUESTS A DAY  LAST INSECURE
billing          insecure (regressed)  plaintext  1               2026-11-23
    Program or library: Java 6 or older, Owner: jane
    Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid
    updates: move to Java 8 or later.
payments/mailer  insecure              plaintext  1               2026-11-23
    Program or library: Java 6 or older, Owner: payments
    Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid
    updates: move to Java 8 or later.
10.0.0.9         silent                plaintext  0               2026-11-03
    Program or library: Java 6 or older
    Change its URL to the API's https address. Java 6 has TLS 1.2 only with paid
    updates: move to Java 8 or later.
unseen           unseen                -          0               -
10.0.0.3         migrated              capable    –               -
    Let it use the API's https addresses without tlslift. Then tell the operator
    of tlslift, who declares it migrated.
`
	if got := onTerminal(t, r, false, 80); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	var table bytes.Buffer
	if err := r.Write(&table, "table", false); err != nil {
		t.Fatal(err)
	}
	if got := onTerminal(t, r, false, 300); got != table.String() {
		t.Errorf("where all fits it is not the table:\n%s", got)
	}
}

// No line is wider than the terminal, whatever callers call themselves, and
// nothing is lost.
func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	var rows []ledger.Row
	for i, name := range []string{
		"10.0.0.1", strings.Repeat("long-", 25), strings.Repeat("名前", 21), strings.Repeat("e\u0301", 60), "שלום", "two words", "\x1b[31m\nred",
	} {
		rows = append(rows, ledger.Row{
			Client: name, State: ledger.Insecure, Regressed: i%2 == 0, Verdict: ledger.DistrustsUpstream, RequestsPerDay: 12_345, LastInsecure: now,
			Library: strings.Repeat("Library ", i), Fix: fmt.Sprintf("Fix %d: %s", i, strings.Repeat("x", 50*i)),
		})
	}
	r := newReport("http://"+strings.Repeat("p", 120), now, 14*dayLong, rows)
	for i := range r.Clients {
		r.Clients[i].Owner = strings.Repeat("o", 20*i)
	}
	for columns := 1; columns <= 260; columns++ {
		for _, byOwner := range []bool{false, true} {
			text := onTerminal(t, r, byOwner, columns)
			for _, line := range strings.Split(text, "\n") {
				if n := displayed(line); n > max(columns, narrowest) {
					t.Fatalf("%d columns: a line of %d: %q", columns, n, line)
				}
			}
			packed := strings.Join(strings.Fields(text), "")
			for i := range r.Clients {
				for _, part := range []string{r.Clients[i].Client, r.Clients[i].Fix, r.Clients[i].Owner} {
					if want := strings.Join(strings.Fields(terminal(part)), ""); !strings.Contains(packed, want) {
						t.Fatalf("%d columns: %q is lost in\n%s", columns, want, text)
					}
				}
			}
			if strings.Contains(text, "\x1b") {
				t.Fatal("a control character gets through")
			}
		}
	}
}

func TestATerminalIsToldOfNoClients(t *testing.T) {
	t.Parallel()
	if got := onTerminal(t, newReport("test", now, 14*dayLong, nil), false, 80); !strings.HasSuffix(got, "\n\nNo clients.\n") {
		t.Errorf("got %q", got)
	}
	r := fromLedger(filled(t, ""))
	mixed, err := ParseSelection([]string{"mixed"})
	if err != nil {
		t.Fatal(err)
	}
	r.Only(mixed)
	for _, byOwner := range []bool{false, true} {
		if got := onTerminal(t, r, byOwner, 80); !strings.HasSuffix(got, "\n\nNo client matches.\n") {
			t.Errorf("got %q", got)
		}
		for _, format := range []string{"table", "markdown"} {
			var b bytes.Buffer
			if err := r.Write(&b, format, byOwner); err != nil || !strings.HasSuffix(b.String(), "\n\nNo client matches.\n") || strings.Contains(strings.ToUpper(b.String()), "VERDICT") {
				t.Errorf("%s: %v, %s", format, err, b.String())
			}
		}
	}
	scanned := newReport("test", now, 14*dayLong, []ledger.Row{{Client: "scanner", State: ledger.NoCalls}})
	scanned.Only(mixed)
	if got := onTerminal(t, scanned, false, 80); !strings.HasSuffix(got, "\n\nNo client matches.\n") {
		t.Errorf("a scanner alone: got %q", got)
	}
}

func TestDisplayed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"": 0, "10.0.0.1": 8, "e\u0301\u0301": 1, "名前": 4, "שלום": 4, "한글 a": 6, "😀": 2} {
		if got := displayed(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
