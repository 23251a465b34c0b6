package ledger

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func TestStateAt(t *testing.T) {
	t.Parallel()
	now := epoch.Add(100 * dayLong)
	ago := func(days float64) time.Time { return now.Add(-time.Duration(days * float64(dayLong))) }
	never := time.Time{}
	for _, c := range []struct {
		name      string
		s         Times
		want      State
		regressed bool
	}{
		{"never seen", Times{}, Unseen, false},
		{"insecure today", Times{LastInsecure: ago(0)}, Insecure, false},
		{"insecure just within", Times{LastInsecure: ago(13.999)}, Insecure, false},
		{"insecure exactly N days ago", Times{LastInsecure: ago(14)}, Silent, false},
		{"secure only", Times{LastSecure: ago(1)}, Migrated, false},
		{"both", Times{LastInsecure: ago(3), LastSecure: ago(1)}, Mixed, false},
		{"secure long ago, insecure now", Times{LastInsecure: ago(1), LastSecure: ago(20)}, Insecure, false},
		{"insecure long ago, secure now", Times{LastInsecure: ago(20), LastSecure: ago(1)}, Migrated, false},
		{"both long ago", Times{LastInsecure: ago(20), LastSecure: ago(15)}, Silent, false},
		{"a clock set back", Times{LastInsecure: ago(-2)}, Insecure, false},
		{"declared after the last insecure", Times{LastInsecure: ago(3), LastSecure: never, Declared: ago(2)}, Migrated, false},
		{"declared, silent since", Times{LastInsecure: ago(50), Declared: ago(40)}, Migrated, false},
		{"declared, insecure since", Times{LastInsecure: ago(1), LastSecure: ago(1), Declared: ago(2)}, Mixed, true},
		{"declared, insecure since, then silent", Times{LastInsecure: ago(20), Declared: ago(30)}, Silent, true},
		{"declared for a day to come", Times{LastInsecure: ago(1), Declared: ago(-1)}, Insecure, false},
		{"declared, never seen", Times{Declared: ago(1)}, Unseen, false},
		{"seen, no call", Times{FirstSeen: ago(3)}, NoCalls, false},
		{"seen long ago, no call", Times{FirstSeen: ago(300)}, NoCalls, false},
		{"declared, seen, no call", Times{FirstSeen: ago(3), Declared: ago(1)}, NoCalls, false},
		{"secure, and fails now", Times{LastSecure: ago(2), LastFailed: ago(1), Verdict: DistrustsUpstream}, Silent, false},
		{"secure, failed before", Times{LastSecure: ago(1), LastFailed: ago(2), Verdict: DistrustsUpstream}, Migrated, false},
		{"declared, and fails now", Times{LastInsecure: ago(4), LastFailed: ago(1), Declared: ago(3), Verdict: DistrustsCA}, Silent, false},
		{"declared after it failed", Times{LastInsecure: ago(4), LastFailed: ago(3), Declared: ago(2), Verdict: DistrustsCA}, Migrated, false},
		{"insecure, and fails now", Times{LastInsecure: ago(2), LastFailed: ago(1), Verdict: LegacyOnly}, Insecure, false},
		{"mixed, and fails now", Times{LastInsecure: ago(3), LastSecure: ago(2), LastFailed: ago(1), Verdict: LegacyOnly}, Mixed, false},
	} {
		if got := c.s.StateAt(now, 14*dayLong); got != c.want {
			t.Errorf("%s: state %s, want %s", c.name, got, c.want)
		}
		if got := c.s.RegressedAt(now); got != c.regressed {
			t.Errorf("%s: regressed %t, want %t", c.name, got, c.regressed)
		}
	}
}

func TestWordsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range States {
		var got State
		if err := got.UnmarshalText([]byte(s.String())); err != nil || got != s {
			t.Errorf("state %s: parsed as %s, %v", s, got, err)
		}
	}
	for _, v := range append([]Verdict{NoVerdict}, Verdicts[:]...) {
		if got, err := ParseVerdict(v.String()); err != nil || got != v {
			t.Errorf("verdict %q: parsed as %q, %v", v, got, err)
		}
	}
	var s State
	if err := json.Unmarshal([]byte(`"fine"`), &s); err == nil {
		t.Error("an unknown state was read")
	}
}

// A client is migrated by proof only if it would be without its declaration.
func TestMigratedBy(t *testing.T) {
	t.Parallel()
	now := epoch.Add(100 * dayLong)
	ago := func(days float64) time.Time { return now.Add(-time.Duration(days * float64(dayLong))) }
	for name, c := range map[string]struct {
		s    Times
		want string
	}{
		"seen to be secure":                               {Times{LastSecure: ago(1)}, "proof"},
		"insecure long ago":                               {Times{LastInsecure: ago(14), LastSecure: ago(1)}, "proof"},
		"declared, and insecure long before":              {Times{LastInsecure: ago(20), LastSecure: ago(1), Declared: ago(10)}, "proof"},
		"declared a moment after it changed":              {Times{LastInsecure: ago(.002), LastSecure: ago(.001), Declared: ago(.001)}, "declaration"},
		"declared and secure since, insecure 13 days ago": {Times{LastInsecure: ago(13), LastSecure: ago(1), Declared: ago(12)}, "declaration"},
		"declared, and silent":                            {Times{LastInsecure: ago(40), LastSecure: ago(20), Declared: ago(20)}, "declaration"},
		"declared for a day to come":                      {Times{LastSecure: ago(1), Declared: ago(-1)}, "proof"},
		"insecure":                                        {Times{LastInsecure: ago(1)}, ""},
	} {
		if got := c.s.MigratedBy(now, 14*dayLong); got != c.want {
			t.Errorf("%s: by %q, want %q", name, got, c.want)
		}
	}
}

// TestAMisspeltNameIsInTheFile: the report of a file says as much of it as the
// instance.
func TestAMisspeltNameIsInTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.json")
	now := time.Unix(1<<31, 0)
	l := New(Options{File: file, Clock: func() time.Time { return now }})
	l.Configure(Settings{Clients: []Configured{{Name: "bilingg", Migrated: now, Unnamed: true}, {Name: "never", Migrated: now}}})
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(file, now, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bilingg", "never"} {
		want, _ := l.Row(name)
		if got, _ := read.Row(name); got.Misdeclaration != want.Misdeclaration || got.Unnamed != (name == "bilingg") {
			t.Errorf("%s: %q, the instance says %q", name, got.Misdeclaration, want.Misdeclaration)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestARefusedClientIsNotMisdeclared: its refused calls show that its name is right.
func TestARefusedClientIsNotMisdeclared(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "refused", Migrated: epoch}, {Name: "misspelled", Migrated: epoch}}})
	denied := foreign()
	denied.Label, denied.Reason = call.LabelDenied, problem.ACL
	g.request("refused", denied)
	for name, want := range map[string]bool{"refused": false, "misspelled": true} {
		if r := g.row(t, name); r.Misdeclared != want || (r.Misdeclaration != "") != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
