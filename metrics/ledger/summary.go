package ledger

import (
	"maps"
	"slices"
	"time"
)

// Summary is the migration in figures.
type Summary struct {
	Generated            time.Time      `json:"generated"`
	Instance             string         `json:"instance,omitempty"` // a random word that identifies the process; absent in a report
	MigratedAfterSeconds int64          `json:"migrated_after_seconds"`
	Clients              int            `json:"clients"` // excluding those that never made a call
	States               map[string]int `json:"states"`  // every state is present
	Verdicts             map[string]int `json:"verdicts"`
	Regressed            int            `json:"regressed"`
	Misdeclared          int            `json:"misdeclared"` // declared migrated, but never seen making a call or failing to
	Failing              int            `json:"failing"`     // in any state but migrated, with or without calls: their TLS handshakes fail
	Suspected            int            `json:"suspected"`   // those of Failing that may be health checks: they only left after the handshake
	FirstSeen            time.Time      `json:"first_seen,omitzero"`

	// Insecure counts clients with an insecure call within the last N days (N is
	// MigratedAfterSeconds). Active adds those that are migrated. Their quotient
	// is the insecure share.
	Insecure int `json:"insecure_clients"`
	Active   int `json:"active_clients"`

	// The same a week ago, from the daily history; absent without a week of history.
	InsecureWeekAgo *int `json:"insecure_clients_week_ago,omitempty"`
	ActiveWeekAgo   *int `json:"active_clients_week_ago,omitempty"`

	// NeedsTlslift counts clients that would lose their way to the upstream if
	// tlslift were removed now: insecure ones, and those that it upgraded within
	// the last N days for another reason.
	NeedsTlslift int `json:"needs_tlslift"`

	// FallsBack counts clients whose calls go out in cleartext if tlslift is not
	// there. It is unknown for a fleet.
	FallsBack int `json:"falls_back_to_clear"`

	Forecast Forecast `json:"forecast"`

	Tracked    int        `json:"tracked"`
	Limit      int        `json:"track_limit"` // 0 = unknown
	Overflowed uint64     `json:"overflowed"`  // observations of clients that had no room
	History    []DayTotal `json:"history,omitempty"`

	// BurnDown is how the clients stood at the end of each day since the first
	// was seen, oldest day first. It is unknown for a fleet.
	BurnDown []DayStates `json:"burn_down,omitempty"`
}

// DayTotal adds up one day (UTC) over all clients.
type DayTotal struct {
	Date            string `json:"date"`
	InsecureClients int    `json:"insecure_clients"`
	ActiveClients   int    `json:"active_clients"`
	InsecureConns   uint64 `json:"insecure_connections"`
	SecureConns     uint64 `json:"secure_connections"`
	InsecureReqs    uint64 `json:"insecure_requests"`
	SecureReqs      uint64 `json:"secure_requests"`
}

// Summary returns the figures as of now, with the daily history over all
// clients, oldest day first.
func (l *Ledger) Summary() Summary {
	now, p := l.clock(), l.currentPolicy()
	s := NewSummary(now, p.MigratedAfter)
	s.Instance = l.instance
	totals := make(map[int32]*DayTotal)
	past := closes{today: dayOf(now.Unix()), migratedAfter: p.MigratedAfter}
	for r := range l.copies(l.all()) {
		v := r.stand(p, now)
		s.Add(&v)
		for i := range r.days {
			addDay(totals, &r.days[i])
		}
		past.add(r, v.Declared)
	}
	if ago := past.weekAgo(); ago != nil {
		insecure, active := ago.insecure(), ago.active()
		s.InsecureWeekAgo, s.ActiveWeekAgo = &insecure, &active
	}
	s.BurnDown = past.burnDown(s.States)
	s.Predict(past.slope(), p.Target)
	stats := l.Stats()
	s.Tracked, s.Limit, s.Overflowed = stats.Tracked, stats.Limit, stats.Overflowed
	for _, n := range slices.Sorted(maps.Keys(totals)) {
		s.History = append(s.History, *totals[n])
	}
	return s
}

func addDay(totals map[int32]*DayTotal, d *day) {
	t := totals[d.number]
	if t == nil {
		t = &DayTotal{Date: dateOf(d.number)}
		totals[d.number] = t
	}
	if d.active() {
		t.ActiveClients++
	}
	if d.insecure() {
		t.InsecureClients++
	}
	t.InsecureConns += uint64(d.InsecureConnections)
	t.SecureConns += uint64(d.SecureConnections)
	t.InsecureReqs += uint64(d.InsecureRequests)
	t.SecureReqs += uint64(d.SecureRequests)
}

// NewSummary returns a Summary without clients.
func NewSummary(now time.Time, migratedAfter time.Duration) Summary {
	s := Summary{
		Generated:            now.UTC().Truncate(time.Second),
		MigratedAfterSeconds: int64(migratedAfter / time.Second),
		States:               make(map[string]int, len(States)),
		Verdicts:             make(map[string]int, len(Verdicts)),
	}
	for _, state := range States {
		s.States[state.String()] = 0
	}
	for _, v := range Verdicts {
		s.Verdicts[v.String()] = 0
	}
	return s
}

// Add counts a client.
func (s *Summary) Add(r *Row) {
	count := func(n *int, holds bool) {
		if holds {
			*n++
		}
	}
	s.States[r.State.String()]++
	count(&s.Misdeclared, r.Misdeclared)
	count(&s.Failing, r.Failing)
	count(&s.Suspected, r.Failing && r.Suspected)
	if !r.FirstSeen.IsZero() && (s.FirstSeen.IsZero() || r.FirstSeen.Before(s.FirstSeen)) {
		s.FirstSeen = r.FirstSeen
	}
	if r.State == NoCalls {
		return // not a client to migrate
	}
	s.Clients++
	if r.Verdict != NoVerdict {
		s.Verdicts[r.Verdict.String()]++
	}
	insecure := r.State == Insecure || r.State == Mixed
	count(&s.Regressed, r.Regressed)
	count(&s.FallsBack, r.FallsBack)
	count(&s.Insecure, insecure)
	count(&s.Active, insecure || r.State == Migrated)
	count(&s.NeedsTlslift, insecure || r.Upgraded(s.Generated, s.migratedAfter()))
}

func (s *Summary) migratedAfter() time.Duration {
	return time.Duration(s.MigratedAfterSeconds) * time.Second
}

// Upgraded reports whether a client that is not insecure needs tlslift anyway:
// tlslift made calls possible after the client was last insecure. It was terminated
// at TLS 1.2 or later, because it cannot agree with the upstream by itself.
func (r *Row) Upgraded(now time.Time, migratedAfter time.Duration) bool {
	return r.LastUpgraded.After(r.LastInsecure) && now.Sub(r.LastUpgraded) < migratedAfter
}
