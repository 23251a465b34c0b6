package ledger

import (
	"cmp"
	"slices"
	"time"

	"tlslift/metrics/figures"
	"tlslift/proxy/call"
)

// standing is what follows from a row at one time.
type standing struct {
	Times
	state       State
	verdict     Verdict
	regressed   bool
	misdeclared bool
	fallsBack   bool
	failing     bool
	library     string // of the hello that the verdict is about; "" = unknown
	program     string // of the newest request's User-Agent; "" = unknown
}

func (r *row) standing(p *policy, now time.Time) standing {
	declared := p.clients[r.name].Migrated
	s := standing{Times: Times{FirstSeen: at(r.first), LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), Declared: declared}}
	s.state = s.StateAt(now, p.MigratedAfter)
	s.regressed = s.RegressedAt(now)
	s.fallsBack = now.Unix()-r.lastFallsBack < int64(p.MigratedAfter/time.Second) && (!s.declaredAt(now) || r.lastFallsBack > declared.Unix())
	if r.first != 0 {
		s.verdict = r.evidence.VerdictAt(now, declared, p.MigratedAfter)
		s.failing = failing(s.state, s.verdict, &r.evidence, now, p.MigratedAfter, r.handshakeFailed())
		s.library, s.program = r.libraryFor(s.verdict), r.program()
	}
	s.misdeclared = s.MisdeclaredAt(now, s.failing)
	return s
}

// libraryFor is the TLS library to name beside a verdict: that of the hello that
// the verdict is about. Another hello's library does not stand in for it.
func (r *row) libraryFor(v Verdict) string {
	switch v.about() {
	case anyHello:
		return cmp.Or(r.old, r.library)
	case oldHello:
		if r.old == "" && r.evidence[LegacyOnly] == 0 {
			return r.library // a client that offers TLS 1.2 and is terminated
		}
		return r.old
	default:
		return r.library
	}
}

// program is what the newest request's User-Agent shows. To send none is a sign
// too, but only once there was a request.
func (r *row) program() string {
	if r.family == call.FamilyOther || r.family == call.FamilyNone && !slices.ContainsFunc(r.marks, func(m mark) bool { return m.kind == ofFamily }) {
		return ""
	}
	return r.family.String()
}

// at is the time of Unix seconds; 0 is the zero time.
func at(unix int64) time.Time {
	if unix == 0 {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// unixOf is the inverse of at.
func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// Unnamed is what is wrong with the declaration of a client that no caller can be
// named, and what to do about it.
const Unnamed = "nothing else in the configuration names it: compare it with clients.names and the client of each listener"

// misdeclaration is what to say of a client that was declared migrated and never
// seen making a call.
func misdeclaration(declared time.Time, unnamed bool) string {
	since := figures.Moment(declared)
	if unnamed {
		return "Declared migrated on " + since + ", never seen making a call, and " + Unnamed + "."
	}
	return "Declared migrated on " + since + ", and never seen making a call: compare its name with those of the clients that tlslift sees."
}

// Misdeclare fills in Misdeclared and Misdeclaration of a client whose times are
// known, and whether it fails, and whose configuration is not.
func (v *Row) Misdeclare(now time.Time) {
	t := Times{LastInsecure: v.LastInsecure, LastSecure: v.LastSecure, Declared: v.Declared}
	if v.Misdeclared = t.MisdeclaredAt(now, v.Failing); v.Misdeclared {
		v.Misdeclaration = misdeclaration(v.Declared, false)
	}
}
