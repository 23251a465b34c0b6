package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tlslift/metrics/figures"
	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// Row is what is known of one client at one time. The admin API and every report
// consist of rows. The JSON form is stable: fields may be added, but are never
// renamed. Times are in UTC with whole seconds; an absent one is never.
type Row struct {
	Client     string `json:"client"`
	Source     string `json:"identity_source,omitempty"`
	Configured bool   `json:"configured"`

	State   State   `json:"state"`
	Verdict Verdict `json:"verdict,omitzero"`
	// MigratedBy says why the client counts as migrated: "proof" if it was seen
	// to be secure, "declaration" if only its owner says so.
	MigratedBy string `json:"migrated_by,omitempty"`
	// Misdeclared means that it was declared migrated, but never seen making a
	// call or failing to. Misdeclaration says so in words, with what to do.
	Misdeclared    bool   `json:"misdeclared,omitempty"`
	Misdeclaration string `json:"misdeclaration,omitempty"`
	Unnamed        bool   `json:"unnamed,omitempty"` // only its declaration uses its name; unknown for a fleet
	Failing        bool   `json:"failing,omitempty"` // it cannot call: its TLS handshakes fail, and no call has arrived since

	Regressed bool   `json:"regressed,omitempty"`           // declared migrated and insecure since
	Library   string `json:"library,omitempty"`             // its TLS library, guessed from the hello
	FallsBack bool   `json:"falls_back_to_clear,omitempty"` // its calls go out in cleartext if the setting that leads them to tlslift is lost; unknown for a fleet
	Program   string `json:"program,omitempty"`             // its program, from the User-Agent; "none" = it sends none

	// SeveralPrograms means that more than one program calls by this name. It is
	// unknown for a fleet.
	SeveralPrograms bool `json:"several_programs,omitempty"`

	// Suspected means that its verdict says it may distrust a certificate, but all it
	// did was leave silently after complete TLS handshakes, as a health check does.
	Suspected bool `json:"suspected,omitempty"`

	// AllRefused means that tlslift refuses its calls: none was let through within
	// migratedAfter before the last refused one. It is unknown for a fleet.
	AllRefused bool `json:"all_refused,omitempty"`

	// Settings are the client settings that led its latest calls here: url,
	// proxy, name, redirect. They are unknown for a fleet.
	Settings []string `json:"settings,omitempty"`

	Evidence Evidence `json:"evidence,omitzero"` // what the verdict is chosen from

	Fix      string   `json:"fix,omitempty"`       // what its owner should change
	FixKey   string   `json:"fix_key,omitempty"`   // what Fix is about: obstacle, program, library
	FixPages []string `json:"fix_pages,omitempty"` // pages of docs/fixes, in reading order

	FirstSeen    time.Time `json:"first_seen,omitzero"`
	LastSeen     time.Time `json:"last_seen,omitzero"`
	LastInsecure time.Time `json:"last_insecure,omitzero"`
	LastSecure   time.Time `json:"last_secure,omitzero"`
	LastFailed   time.Time `json:"last_failed,omitzero"`   // last TLS handshake that failed because something is in its way
	LastRefused  time.Time `json:"last_refused,omitzero"`  // last call that tlslift refused; unknown for a fleet
	LastUpgraded time.Time `json:"last_upgraded,omitzero"` // last request that only tlslift made possible
	Declared     time.Time `json:"declared_migrated,omitzero"`

	RequestsPerDay    float64 `json:"requests_per_day"`    // over the last 7 days, or since first seen
	ConnectionsPerDay float64 `json:"connections_per_day"` // the same

	HighestOffered    string `json:"highest_offered,omitempty"`     // TLS version, of any hello
	HighestOldOffered string `json:"highest_old_offered,omitempty"` // highest version of the hellos that do not offer TLS 1.2
	UserAgent         string `json:"user_agent_family,omitempty"`
	JA4               string `json:"ja4,omitempty"`

	Requests    []RequestCount    `json:"requests,omitempty"`
	Connections []ConnectionCount `json:"connections,omitempty"`
	Hellos      map[string]uint64 `json:"hellos,omitempty"`             // by highest version offered
	Failures    map[string]uint64 `json:"handshake_failures,omitempty"` // by reason
	Refused     map[string]uint64 `json:"refused,omitempty"`            // calls that tlslift refused, by reason; unknown for a fleet
	UserAgents  map[string]uint64 `json:"user_agent_families,omitempty"`
	Behind      Behind            `json:"behind,omitzero"`
	Exposed     []ExposedCount    `json:"credentials_exposed,omitempty"`
	Hosts       []HostCount       `json:"hosts,omitempty"`
	History     []Day             `json:"history,omitempty"` // only on one client's own page

	Owner string `json:"owner,omitempty"` // whom to ask, if the report knows; "" = unknown
}

// Behind is what was seen behind one client's name: of each kind, the 8 seen
// last. Addresses and accounts that are the name itself are left out.
type Behind struct {
	Addresses  []Shown `json:"addresses,omitempty"` // a /64 for IPv6 callers
	Accounts   []Shown `json:"accounts,omitempty"`  // only with clients.account
	UserAgents []Shown `json:"user_agent_families,omitempty"`
	Libraries  []Shown `json:"libraries,omitempty"` // guessed from the hellos
	JA4s       []Shown `json:"ja4,omitempty"`
}

// Shown is one thing that was seen: how often, and when last.
type Shown struct {
	Name  string    `json:"name"`
	Count uint64    `json:"count"` // requests, and connections without requests
	Last  time.Time `json:"last"`
}

// RequestCount counts requests by way in and TLS version.
type RequestCount struct {
	Ingress    string `json:"ingress"`
	TLSVersion string `json:"tls_version"`
	Count      uint64 `json:"count"`
}

// ConnectionCount counts connections by handling and TLS version.
type ConnectionCount struct {
	Handling   string `json:"handling"`
	TLSVersion string `json:"tls_version"`
	Count      uint64 `json:"count"`
}

// ExposedCount counts requests that carried one kind of secret, in cleartext or
// over old TLS.
type ExposedCount struct {
	Kind  string    `json:"kind"`
	Over  string    `json:"over"` // clear, old_tls
	Count uint64    `json:"count"`
	Last  time.Time `json:"last"`
}

// HostCount counts what was meant for one upstream host: requests, connections
// whose requests cannot be seen (spliced and refused ones), and failed handshakes.
type HostCount struct {
	Host  string    `json:"host"`
	Count uint64    `json:"count"`
	Last  time.Time `json:"last"`
}

// Day is one day (UTC) of a client's history.
type Day struct {
	Date string `json:"date"` // 2006-01-02
	DayCounts
}

// Listing is the answer to GET /api/v1/clients, with the clients sorted by name.
// Its form is stable: fields may be added, but are never renamed.
type Listing struct {
	Generated            time.Time `json:"generated"`
	MigratedAfterSeconds int64     `json:"migrated_after_seconds"`
	Clients              []Row     `json:"clients"`
	NextCursor           string    `json:"next_cursor,omitempty"` // absent = there is no next page
}

// Snapshot returns the current view of every client, sorted by name, without
// daily history. It includes the overflow row once that has counted anything.
func (l *Ledger) Snapshot() []Row {
	rows, _ := l.Page("", math.MaxInt, func(*Row) bool { return true })
	return rows
}

// Page returns, in Snapshot's form, the first limit clients whose names sort
// after a given name and that keep selects, and whether there are more. Clients
// that appear or disappear between two pages do not affect the others.
func (l *Ledger) Page(after string, limit int, keep func(*Row) bool) (page []Row, more bool) {
	now, p := l.clock(), l.currentPolicy()
	rows := slices.DeleteFunc(l.all(), func(r *row) bool { return r.name <= after })
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.name, b.name) })
	page = []Row{}
	for r := range l.copies(rows) {
		v := r.view(p, now)
		if !keep(&v) {
			continue
		}
		if len(page) == limit {
			return page, true
		}
		page = append(page, v)
	}
	return page, false
}

// Overview returns the clients that keep selects, sorted by name, without counts
// and history. It takes a tenth of the memory of Snapshot.
func (l *Ledger) Overview(keep func(*Row) bool) []*Row {
	now, p := l.clock(), l.currentPolicy()
	rows := []*Row{} // pointers, because sorting and growing would copy each value many times
	for r := range l.copies(l.all()) {
		if v := r.brief(p, now); keep(&v) {
			rows = append(rows, &v)
		}
	}
	slices.SortFunc(rows, func(a, b *Row) int { return cmp.Compare(a.Client, b.Client) })
	return rows
}

// Row returns one client with its daily history.
func (l *Ledger) Row(name string) (Row, bool) {
	now := l.clock()
	l.mu.Lock()
	r, p := l.rows[name], l.policy
	if name == call.LabelOverflow {
		r = &l.overflow
	}
	if r == nil || !r.known() {
		l.mu.Unlock()
		return Row{}, false
	}
	c := r.copy()
	l.mu.Unlock()
	v := c.view(p, now)
	for _, d := range c.days {
		v.History = append(v.History, Day{Date: dateOf(d.number), DayCounts: d.DayCounts})
	}
	return v, true
}

// MigratedAfter returns how long a client must not have been insecure to
// count as migrated.
func (l *Ledger) MigratedAfter() time.Duration { return l.currentPolicy().MigratedAfter }

// Target returns the end of the day by which no client should need tlslift, or
// zero if none is set.
func (l *Ledger) Target() time.Time { return l.currentPolicy().Target }

func (l *Ledger) currentPolicy() *policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.policy
}

// view returns the row's view at a time.
func (r *row) view(p *policy, now time.Time) Row {
	v := r.brief(p, now)
	r.viewCounts(&v)
	return v
}

// brief returns a view without counts.
func (r *row) brief(p *policy, now time.Time) Row {
	v := r.stand(p, now)
	v.Source, v.Configured, v.JA4 = r.source, r.configured || r.name == call.LabelOverflow, r.ja4
	v.LastSeen = at(r.last)
	v.AllRefused = r.lastRefused != 0 && (r.lastServed == 0 || r.lastRefused-r.lastServed >= int64(p.MigratedAfter/time.Second))
	v.Settings, v.SeveralPrograms = r.ledLately(p.MigratedAfter), r.severalPrograms(p.MigratedAfter)
	v.Offers(r.offered.String())
	for _, t := range r.totals {
		if t.subject == ofHellos {
			v.Offers(call.Version(t.a).String())
		}
	}
	v.RequestsPerDay, v.ConnectionsPerDay = r.perDay(now)
	v.Advise(now, p.MigratedAfter)
	return v
}

// OnlySilence is the single definition of a suspected client, for one instance
// and for a fleet; deploy/prometheus/rules.yml repeats it in PromQL. Only silence
// supports its verdict: it left after the handshake without a call, but was never
// seen to reject a certificate or hang up on seeing one. seen reports whether a
// handshake of the client ever ended for a reason.
func OnlySilence(v Verdict, seen func(call.HandshakeFailure) bool) bool {
	var rejected call.HandshakeFailure
	switch v {
	case DistrustsCA:
		rejected = call.HandshakeClientRejectedCA
	case DistrustsUpstream:
		rejected = call.HandshakeClientRejectedUpstream
	default:
		return false
	}
	return seen(call.HandshakeNoCall) && !seen(rejected) && !seen(call.HandshakeEOF)
}

// ledLately returns the settings that led a call here within migratedAfter of the
// latest one that did. A setting that was removed soon drops out.
func (r *row) ledLately(migratedAfter time.Duration) (words []string) {
	latest := slices.Max(r.settings[:])
	for _, s := range call.Settings {
		if t := r.settings[s]; t != 0 && latest-t < int64(migratedAfter/time.Second) {
			words = append(words, s.String())
		}
	}
	return words
}

// Offers records the highest version that a hello of the client offered. A word
// that is not a TLS version changes nothing.
func (v *Row) Offers(version string) {
	offered, ok := find(call.Versions[1:], version)
	if !ok {
		return
	}
	raise := func(highest *string) {
		if before, _ := find(call.Versions[:], *highest); offered > before {
			*highest = version
		}
	}
	raise(&v.HighestOffered)
	if offered.Insecure() {
		raise(&v.HighestOldOffered)
	}
}

// RequestsADay formats RequestsPerDay. Requests inside a client's own TLS cannot
// be counted, so they give a dash.
func (v *Row) RequestsADay() string {
	if v.RequestsPerDay == 0 && v.ConnectionsPerDay > 0 {
		return "\u2013"
	}
	return figures.Short(v.RequestsPerDay)
}

func (r *row) viewCounts(v *Row) {
	for _, t := range r.totals.sorted() {
		switch a, b := t.words(); t.subject {
		case ofRequests:
			v.Requests = append(v.Requests, RequestCount{a, b, t.n})
		case ofConnections:
			v.Connections = append(v.Connections, ConnectionCount{a, b, t.n})
		case ofHellos:
			put(&v.Hellos, a, t.n)
		case ofFailures:
			put(&v.Failures, a, t.n)
		case ofRefusals:
			put(&v.Refused, a, t.n)
		}
	}
	for over, kinds := range r.exposed {
		for i, e := range kinds {
			if e.count > 0 {
				v.Exposed = append(v.Exposed, ExposedCount{redact.AllKinds[i].String(), overWords[over], e.count, at(e.last)})
			}
		}
	}
	r.viewMarks(v)
}

// viewMarks adds what was seen behind the name, newest first. It sorts the marks
// in place, so the row must be a copy.
func (r *row) viewMarks(v *Row) {
	slices.SortStableFunc(r.marks, func(a, b mark) int { return cmp.Compare(b.last, a.last) })
	for _, m := range r.marks {
		shown := Shown{m.text, m.count, at(m.last)}
		switch m.kind {
		case ofAddress:
			v.Behind.Addresses = append(v.Behind.Addresses, shown)
		case ofAccount:
			v.Behind.Accounts = append(v.Behind.Accounts, shown)
		case ofJA4:
			v.Behind.JA4s = append(v.Behind.JA4s, shown)
		case ofLibrary:
			v.Behind.Libraries = append(v.Behind.Libraries, shown)
		case ofFamily:
			put(&v.UserAgents, m.text, m.count)
			v.UserAgent = r.family.String()
			v.Behind.UserAgents = append(v.Behind.UserAgents, shown)
		case ofHost:
			v.Hosts = append(v.Hosts, HostCount{m.text, m.count, at(m.last)})
		}
	}
}

func put(m *map[string]uint64, key string, n uint64) {
	if *m == nil {
		*m = make(map[string]uint64)
	}
	(*m)[key] = n
}

// perDay returns the requests and connections per day over the last 7 days, or
// since the client was first seen if that is shorter ago.
func (r *row) perDay(now time.Time) (requests, connections float64) {
	const week = 7
	today := dayOf(now.Unix())
	span := min(week, today-dayOf(r.first)+1)
	if r.first == 0 || span < 1 {
		return 0, 0
	}
	for i := len(r.days) - 1; i >= 0 && r.days[i].number > today-week; i-- {
		d := &r.days[i]
		requests += float64(d.InsecureRequests) + float64(d.SecureRequests)
		connections += float64(d.InsecureConnections) + float64(d.SecureConnections)
	}
	return requests / float64(span), connections / float64(span)
}

func dateOf(number int32) string {
	return time.Unix(int64(number)*86400, 0).UTC().Format(time.DateOnly)
}
