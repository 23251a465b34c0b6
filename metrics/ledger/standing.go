package ledger

import (
	"cmp"
	"slices"
	"time"

	"tlslift/metrics/figures"
	"tlslift/proxy/call"
)

// stand returns a view with the client's standing and what that is derived from.
func (r *row) stand(p *policy, now time.Time) Row {
	v := Row{
		Client: r.name, Evidence: r.evidence, Declared: p.clients[r.name].Migrated.UTC(), Unnamed: p.clients[r.name].Unnamed,
		FirstSeen: at(r.first), LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), LastFailed: at(r.lastFailed), LastUpgraded: at(r.lastLifted), LastRefused: at(r.lastRefused),
	}
	v.Verdict, v.Library, v.Program = r.judge(p, now)
	v.Suspected = OnlySilence(v.Verdict, func(f call.HandshakeFailure) bool { return r.totals.total(ofFailures, uint8(f)) > 0 })
	v.Stand(now, p.MigratedAfter)
	v.FallsBack = now.Unix()-r.lastFallsBack < int64(p.MigratedAfter/time.Second) && (!v.times().declaredAt(now) || r.lastFallsBack > v.Declared.Unix())
	return v
}

// judge returns the client's verdict, and the TLS library and program to name
// with it; "" is unknown.
func (r *row) judge(p *policy, now time.Time) (v Verdict, library, program string) {
	if r.first == 0 {
		return NoVerdict, "", ""
	}
	v = r.evidence.VerdictAt(now, p.clients[r.name].Migrated, p.MigratedAfter)
	return v, r.libraryFor(v), r.program()
}

// libraryFor returns the TLS library to name with a verdict: that of the hello
// that the verdict is about. It never substitutes another hello's library.
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

// program returns what the newest request's User-Agent shows. Sending none is a
// sign too, but only once there was a request.
func (r *row) program() string {
	if r.family == call.FamilyOther || r.family == call.FamilyNone && !slices.ContainsFunc(r.marks, func(m mark) bool { return m.kind == ofFamily }) {
		return ""
	}
	return r.family.String()
}

// at converts Unix seconds to a time; 0 becomes the zero time.
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

// Unnamed says what is wrong with the declaration of a client whose name no
// caller can get, and what to do about it.
const Unnamed = "nothing else in the configuration names it: compare it with clients.names and the client of each listener"

// explain says what is wrong with a client that was declared migrated but never
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

// Stand fills in how a client stands, from its times, verdict and declaration.
func (v *Row) Stand(now time.Time, migratedAfter time.Duration) {
	s := v.times()
	v.State, v.MigratedBy = s.StateAt(now, migratedAfter), s.MigratedBy(now, migratedAfter)
	v.Regressed, v.Failing = s.RegressedAt(now), s.FailingAt(now, migratedAfter)
	v.Misdeclared = s.MisdeclaredAt(now) && v.LastRefused.IsZero() // refused calls show that its name is right
	v.explain()
}

func (v *Row) times() Times {
	return Times{v.FirstSeen, v.LastInsecure, v.LastSecure, v.LastFailed, at(v.Evidence.Held(Capable)), v.Declared, v.Verdict}
}
