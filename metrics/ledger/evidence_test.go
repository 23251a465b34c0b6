package ledger

import (
	"encoding/json"
	"testing"
	"time"

	"tlslift/proxy/call"
)

func TestVerdictAt(t *testing.T) {
	t.Parallel()
	now, never := epoch.Add(100*dayLong), time.Time{}
	day := func(n float64) int64 { return epoch.Add(time.Duration(n * float64(dayLong))).Unix() }
	for _, c := range []struct {
		name     string
		e        Evidence
		declared time.Time
		want     Verdict
	}{
		{"nothing", Evidence{}, never, NoVerdict},
		{"nothing, declared", Evidence{}, epoch, NoVerdict},
		{"one", Evidence{Plaintext: day(50)}, never, Plaintext},
		{"of what counts the highest", Evidence{Plaintext: day(60), Capable: day(55), LegacyOnly: day(47)}, never, LegacyOnly},
		{"what is exactly N days older does not count", Evidence{Plaintext: day(60), LegacyOnly: day(46)}, never, Plaintext},
		{"refuted", Evidence{Plaintext: day(50), DistrustsCA: -day(55)}, never, Plaintext},
		{"only refuted", Evidence{DistrustsCA: -day(55)}, never, NoVerdict},
		{"long silent", Evidence{Plaintext: day(2), LegacyOnly: day(1)}, never, LegacyOnly},
		{"before the declaration", Evidence{Plaintext: day(60), LegacyOnly: day(59)}, epoch.Add(59 * dayLong), Plaintext},
		{"all before the declaration: the newest", Evidence{Plaintext: day(60), LegacyOnly: day(59)}, epoch.Add(70 * dayLong), Plaintext},
		{"equally old: the highest", Evidence{Plaintext: day(60), LegacyOnly: day(60)}, epoch.Add(70 * dayLong), LegacyOnly},
		{"declared for a day to come", Evidence{Plaintext: day(60), LegacyOnly: day(59)}, epoch.Add(101 * dayLong), LegacyOnly},
	} {
		if got := c.e.VerdictAt(now, c.declared, 14*dayLong); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMergeKeepsTheNewestOfEach(t *testing.T) {
	t.Parallel()
	e := Evidence{Capable: 3, LegacyOnly: 5, DistrustsCA: 7, ShutOut: -7, NoServerName: 6}
	e.Merge(Evidence{Capable: 4, LegacyOnly: 2, Plaintext: 1, DistrustsCA: -8, ShutOut: 8, NoServerName: -6})
	if want := (Evidence{Capable: 4, LegacyOnly: 5, Plaintext: 1, DistrustsCA: -8, ShutOut: 8, NoServerName: -6}); e != want {
		t.Errorf("%v, want %v", e, want)
	}
}

func TestOnlyWhatHeldIsRefuted(t *testing.T) {
	t.Parallel()
	var e Evidence
	e.refute(1, ShutOut)
	e.note(DistrustsCA, 2)
	e.refute(3, DistrustsCA, NoServerName)
	if want := (Evidence{DistrustsCA: -3}); e != want || e.Held(DistrustsCA) != 0 || e.Refuted(DistrustsCA) != 3 {
		t.Errorf("%v, want %v", e, want)
	}
	e.refute(5, DistrustsCA)
	e.note(DistrustsCA, 4) // a clock set back
	if want := (Evidence{DistrustsCA: 5}); e != want || e.Held(DistrustsCA) != 5 {
		t.Errorf("%v, want %v", e, want)
	}
}

func TestEvidenceInJSON(t *testing.T) {
	t.Parallel()
	in := Evidence{Capable: epoch.Unix(), Plaintext: epoch.Unix() + 1, DistrustsCA: -epoch.Unix()}
	text, err := json.Marshal(Row{Evidence: in})
	if err != nil {
		t.Fatal(err)
	}
	var out Row
	if err := json.Unmarshal(text, &out); err != nil || out.Evidence != in {
		t.Errorf("%v, %v from %s", out.Evidence, err, text)
	}
	for _, text := range []string{
		`{"fine":{"at":"2026-01-01T00:00:00Z"}}`, `{"":{"at":"2026-01-01T00:00:00Z"}}`, `{"capable":{"at":"1801-01-01T00:00:00Z","refuted":true}}`, `{"capable":{}}`,
	} {
		if err := json.Unmarshal([]byte(text), &out.Evidence); err != nil || out.Evidence != (Evidence{}) {
			t.Errorf("%s: %v, %v", text, out.Evidence, err)
		}
	}
}

// An account on another's connection has shown an old hello without counting it:
// the library of its modern hello does not stand in for one that is not known.
func TestTheLibraryIsThatOfTheVerdictsHello(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	o := terminated(call.Version10)
	o.Offer = offers(call.Version10)
	g.request("acme", o)
	s := spliced()
	s.Hello.Library = "OpenSSL 1.1.0 or later"
	g.sight("acme", s)
	if r := g.row(t, "acme"); r.Verdict != LegacyOnly || r.Library != "" {
		t.Errorf("%s, %q", r.Verdict, r.Library)
	}
}
