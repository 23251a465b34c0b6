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
	regressed   bool
	misdeclared bool
	fallsBack   bool
	failing     bool
	library     string // of the hello that the verdict is about; "" = unknown
	program     string // of the newest request's User-Agent; "" = unknown
}

func (r *row) standing(p *policy, now time.Time) standing {
	declared := p.clients[r.name].Migrated.UTC()
	s := standing{Times: Times{
		FirstSeen: at(r.first), LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), LastFailed: at(r.lastFailed),
		LastCapable: at(r.evidence.Held(Capable)), Declared: declared,
	}}
	if r.first != 0 {
		s.Verdict = r.evidence.VerdictAt(now, declared, p.MigratedAfter)
		s.library, s.program = r.libraryFor(s.Verdict), r.program()
	}
	s.state = s.StateAt(now, p.MigratedAfter)
	s.failing = s.FailingAt(now, p.MigratedAfter)
	s.regressed = s.RegressedAt(now)
	s.misdeclared = s.MisdeclaredAt(now)
	s.fallsBack = now.Unix()-r.lastFallsBack < int64(p.MigratedAfter/time.Second) && (!s.declaredAt(now) || r.lastFallsBack > declared.Unix())
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

// explain says what is wrong with a client that was declared migrated and never
// seen making a call.
func (v *Row) explain() {
	since := figures.Moment(v.Declared)
	switch {
	case !v.Misdeclared:
	case v.Unnamed:
		v.Misdeclaration = "Declared migrated on " + since + ", never seen making a call, and " + Unnamed + "."
	default:
		v.Misdeclaration = "Declared migrated on " + since + ", and never seen making a call: compare its name with those of the clients that tlslift sees."
	}
}

// Stand fills in how a client stands, from its times, its verdict and its
// declaration.
func (v *Row) Stand(now time.Time, migratedAfter time.Duration) {
	s := Times{v.FirstSeen, v.LastInsecure, v.LastSecure, v.LastFailed, at(v.Evidence.Held(Capable)), v.Declared, v.Verdict}
	v.State, v.MigratedBy = s.StateAt(now, migratedAfter), s.MigratedBy(now, migratedAfter)
	v.Regressed, v.Failing = s.RegressedAt(now), s.FailingAt(now, migratedAfter)
	v.Misdeclared = s.MisdeclaredAt(now)
	v.explain()
}
