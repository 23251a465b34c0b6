package ledger

import (
	"cmp"
	"slices"
	"time"

	"tlslift/metrics/figures"
	"tlslift/proxy/call"
)

// stand is a view with what the client's standing is made from, and that.
func (r *row) stand(p *policy, now time.Time) Row {
	v := Row{
		Client: r.name, Evidence: r.evidence, Declared: p.clients[r.name].Migrated.UTC(), Unnamed: p.clients[r.name].Unnamed,
		FirstSeen: at(r.first), LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), LastFailed: at(r.lastFailed), LastUpgraded: at(r.lastLifted),
	}
	v.Verdict, v.Library, v.Program = r.judge(p, now)
	v.Suspected = OnlySilence(v.Verdict, func(f call.HandshakeFailure) bool { return r.totals.total(ofFailures, uint8(f)) > 0 })
	v.Stand(now, p.MigratedAfter)
	v.FallsBack = now.Unix()-r.lastFallsBack < int64(p.MigratedAfter/time.Second) && (!v.times().declaredAt(now) || r.lastFallsBack > v.Declared.Unix())
	return v
}

// judge is the client's verdict, and the TLS library and the program to name
// beside it; "" is not known.
func (r *row) judge(p *policy, now time.Time) (v Verdict, library, program string) {
	if r.first == 0 {
		return NoVerdict, "", ""
	}
	v = r.evidence.VerdictAt(now, p.clients[r.name].Migrated, p.MigratedAfter)
	return v, r.libraryFor(v), r.program()
}

// libraryFor is the TLS library to name beside a verdict: that of the hello that
// the verdict is about. Another hello's library does not stand in for it.
func (r *row) libraryFor(v Verdict) string {
	switch v.about() {
	case anyHello:
		return cmp.Or(r.old, r.framed, r.library)
	case framedHello:
		return r.framed
	case oldHello:
		if old := cmp.Or(r.old, r.framed); old != "" || r.evidence[LegacyOnly] != 0 {
			return old
		}
		return r.library // a client that offers TLS 1.2 and is terminated
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
	s := v.times()
	v.State, v.MigratedBy = s.StateAt(now, migratedAfter), s.MigratedBy(now, migratedAfter)
	v.Regressed, v.Failing = s.RegressedAt(now), s.FailingAt(now, migratedAfter)
	v.Misdeclared = s.MisdeclaredAt(now)
	v.explain()
}

func (v *Row) times() Times {
	return Times{v.FirstSeen, v.LastInsecure, v.LastSecure, v.LastFailed, at(v.Evidence.Held(Capable)), v.Declared, v.Verdict}
}
