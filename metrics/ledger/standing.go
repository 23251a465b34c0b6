package ledger

import (
	"cmp"
	"time"

	"tlslift/proxy/call"
)

// standing is what follows from a row at one time.
type standing struct {
	Sightings
	state     State
	verdict   Verdict
	regressed bool
	fallsBack bool
	library   string
}

func (r *row) standing(p *policy, now time.Time) standing {
	declared := p.clients[r.name].Migrated
	s := standing{Sightings: Sightings{LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), Declared: declared}}
	s.state = s.StateAt(now, p.MigratedAfter)
	s.regressed = s.RegressedAt(now)
	s.fallsBack = r.lastFallsBack > unixOf(declared) && now.Unix()-r.lastFallsBack < int64(p.MigratedAfter/time.Second)
	if r.first != 0 {
		s.verdict = r.evidence.verdictAt(now, r.last, unixOf(declared), p.MigratedAfter)
		s.library = r.libraryFor(s.verdict)
	}
	return s
}

// libraryFor is the runtime to name beside a verdict: for plain HTTP the
// User-Agent shows it, for TLS the hello that the verdict is about. Each stands
// in for what is not known.
func (r *row) libraryFor(v Verdict) string {
	family := ""
	if r.family != call.FamilyNone && r.family != call.FamilyOther {
		family = r.family.String()
	}
	switch v {
	case Plaintext:
		return cmp.Or(family, r.old, r.library)
	case LegacyOnly, SSLv2Framed, DistrustsCA:
		return cmp.Or(r.old, family, r.library)
	default:
		return cmp.Or(r.library, family, r.old)
	}
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
