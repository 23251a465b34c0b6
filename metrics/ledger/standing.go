package ledger

import (
	"cmp"
	"time"
)

// Standing is the part of a client that is exported as metrics.
type Standing struct {
	Client     string
	Source     string
	Configured bool
	Sightings
	FirstSeen time.Time
	LastSeen  time.Time
	State     State
	Verdict   Verdict
	Regressed bool
	Library   string
}

// Standings calls f with every client that has been seen or is configured, in
// no order, as it stands now. No lock is held meanwhile.
func (l *Ledger) Standings(f func(Standing)) {
	now, p := l.clock(), l.policy.Load()
	l.each(func(r *row) { f(r.standing(p, now)) })
}

// Standing returns one client as it stands now. It is cheap enough for every
// request.
func (l *Ledger) Standing(name string) (Standing, bool) {
	now, p := l.clock(), l.policy.Load()
	s := l.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rows[name]
	if r == nil {
		return Standing{}, false
	}
	return r.standing(p, now), true
}

func (r *row) standing(p *policy, now time.Time) Standing {
	declared := p.clients[r.name].Migrated
	s := Standing{
		Client: r.name, Source: r.source, Configured: r.configured,
		Sightings: Sightings{LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), Declared: declared},
		FirstSeen: at(r.first),
	}
	s.State = s.StateAt(now, p.migratedAfter)
	s.Regressed = s.RegressedAt(now)
	if r.first != 0 {
		s.LastSeen = at(r.last)
		var cut int64
		if !declared.IsZero() {
			cut = declared.Unix()
		}
		s.Verdict = r.evidence.verdictAt(now, r.last, cut, p.migratedAfter)
		s.Library = r.libraryFor(s.Verdict)
	}
	return s
}

// libraryFor is the runtime to name beside a verdict: for plain HTTP the
// User-Agent tells it, for TLS the hello that the verdict is about. Each stands
// in for what is not known.
func (r *row) libraryFor(v Verdict) string {
	family := ""
	if r.family != FamilyNone && r.family != FamilyOther {
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
