package ledger

import (
	"cmp"
	"strings"
	"time"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
)

// Advise fills in what the client's owner should change, from everything known
// about the client. If it may be misdeclared, its name comes first. If its calls
// are refused, that comes before everything else.
func (v *Row) Advise(now time.Time, migratedAfter time.Duration) {
	program, library := v.runtime()
	fix := fixes.For(fixes.Client{
		Obstacle: v.obstacle(now, migratedAfter), Library: library, Program: program,
		Offered: v.HighestOffered, OldOffered: v.HighestOldOffered, FallsBack: v.FallsBack, Settings: v.Settings,
		Silent: v.Suspected, Migrated: v.done(now, migratedAfter), Declared: !v.Declared.IsZero(),
	})
	v.Fix, v.FixKey, v.FixPages = cmp.Or(v.Misdeclaration, fix.Sentence), fix.Key, fix.Pages
	if v.AllRefused {
		v.Fix = strings.TrimSpace(refusedFix + " " + v.Fix)
	}
}

// refusedFix is the advice about a client whose calls are all refused.
const refusedFix = `tlslift refuses its calls: "error" in the log lines with its name says why.`

// Change returns Fix without the advice about refused calls, for text that has
// said so already.
func (v *Row) Change() string { return strings.TrimSpace(strings.TrimPrefix(v.Fix, refusedFix)) }

// obstacle returns what is in the client's way, judging by its verdict, standing
// and evidence.
func (v *Row) obstacle(now time.Time, migratedAfter time.Duration) fixes.Obstacle {
	switch {
	case v.Verdict == SSLv2Framed && v.Evidence.Held(LegacyOnly)+v.Evidence.Refuted(LegacyOnly) < v.Evidence.Held(SSLv2Framed):
		return fixes.SSLv2Upstream // its SSLv2-framed hello offers TLS 1.2
	case v.Verdict != Capable:
		return v.Verdict.Obstacle()
	case v.times().fellBack() && (v.Failing || v.State == NoCalls):
		return fixes.FellBack
	case v.State == NoCalls && v.AllRefused:
		return "" // nothing is known but that
	case v.State == NoCalls:
		return fixes.NeverCalls
	case v.Upgraded(now, migratedAfter) && !v.LastSecure.After(v.LastUpgraded):
		return fixes.Terminated
	default:
		return fixes.Capable
	}
}

// done reports whether nothing is known to be left to change in the client.
// Either it is migrated without tlslift's help, or its last calls were, or it
// never called and its owner declared it migrated.
func (v *Row) done(now time.Time, migratedAfter time.Duration) bool {
	switch v.State {
	case Migrated:
		return !v.Upgraded(now, migratedAfter)
	case Silent:
		return !v.Failing && v.LastInsecure.IsZero() && v.LastUpgraded.IsZero()
	case NoCalls:
		return !v.Failing && v.times().declaredAt(now)
	default:
		return false
	}
}

// FixPage returns the page to read first, or "" if there is none.
func (v *Row) FixPage() string {
	if len(v.FixPages) == 0 {
		return ""
	}
	return v.FixPages[0]
}

// Runtime names the client's program and TLS library, if they are known and the
// verdict is about them.
func (v *Row) Runtime() string {
	program, library := v.Named()
	if program == library || program == "" || library == "" {
		return cmp.Or(program, library)
	}
	return program + ", " + library
}

// Named returns what Runtime names; "" is unknown.
func (v *Row) Named() (program, library string) {
	program, library = v.runtime()
	if program == call.FamilyNone.String() {
		program = ""
	}
	return program, library
}

// runtime returns what the verdict is about: the program of the newest request
// and the library of a hello. With several programs, these may differ, and only
// one is meant.
func (v *Row) runtime() (program, library string) {
	switch {
	case !v.SeveralPrograms || v.Library == "":
		return v.Program, v.Library
	case v.Verdict == Plaintext && v.Program != "":
		return v.Program, ""
	default:
		return "", v.Library
	}
}
