package ledger

import (
	"cmp"
	"math"
	"slices"
	"time"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// Row is what is known of one client at one time. It is the element of the
// admin API and of every report, and its JSON form is stable: fields may be
// added, never renamed. Times are UTC with whole seconds; absent ones are never.
type Row struct {
	Client     string `json:"client"`
	Source     string `json:"identity_source,omitempty"`
	Configured bool   `json:"configured"`

	State   State   `json:"state"`
	Verdict Verdict `json:"verdict,omitzero"`
	// MigratedBy says what a migrated client is taken for one by: proof, that it
	// was seen to be secure; or the declaration of its owner.
	MigratedBy string `json:"migrated_by,omitempty"`
	// Misdeclared says that it was declared migrated, and never seen making a call or
	// failing to; Misdeclaration says so in words, with what to do.
	Misdeclared    bool   `json:"misdeclared,omitempty"`
	Misdeclaration string `json:"misdeclaration,omitempty"`
	Unnamed        bool   `json:"unnamed,omitempty"` // only its declaration has its name; not known of a fleet
	Failing        bool   `json:"failing,omitempty"` // it cannot call: its TLS handshakes fail, and no call has arrived since

	Regressed bool   `json:"regressed,omitempty"`           // declared migrated and insecure since
	Library   string `json:"library,omitempty"`             // its TLS library, guessed from the hello
	FallsBack bool   `json:"falls_back_to_clear,omitempty"` // its calls go out in clear if what leads them to tlslift is lost; not known of a fleet
	Program   string `json:"program,omitempty"`             // its program, from the User-Agent; "none" = it sends none

	// SeveralPrograms says that more than one program calls by this name; not known
	// of a fleet.
	SeveralPrograms bool `json:"several_programs,omitempty"`

	// Suspected says that it may distrust a certificate, as its verdict has it, but only
	// ever left without a word after a complete TLS handshake, as a health check
	// does.
	Suspected bool `json:"suspected,omitempty"`

	// AllRefused says that tlslift refuses its calls: none was let through within
	// migratedAfter before the last refused one. Not known of a fleet.
	AllRefused bool `json:"all_refused,omitempty"`

	// Settings are what in the client led its latest calls here: url, proxy, name,
	// redirect; not known of a fleet.
	Settings []string `json:"settings,omitempty"`

	Evidence Evidence `json:"evidence,omitzero"` // what the verdict is chosen from

	Fix      string   `json:"fix,omitempty"`       // what its owner is to change
	FixKey   string   `json:"fix_key,omitempty"`   // what that is about: obstacle, program, library
	FixPages []string `json:"fix_pages,omitempty"` // pages of docs/fixes, first things first

	FirstSeen    time.Time `json:"first_seen,omitzero"`
	LastSeen     time.Time `json:"last_seen,omitzero"`
	LastInsecure time.Time `json:"last_insecure,omitzero"`
	LastSecure   time.Time `json:"last_secure,omitzero"`
	LastFailed   time.Time `json:"last_failed,omitzero"`   // last TLS handshake that failed because something is in its way
	LastRefused  time.Time `json:"last_refused,omitzero"`  // last call that tlslift refused; not known of a fleet
	LastUpgraded time.Time `json:"last_upgraded,omitzero"` // last request that only tlslift made possible
	Declared     time.Time `json:"declared_migrated,omitzero"`

	RequestsPerDay    float64 `json:"requests_per_day"`    // over the last 7 days, or since first seen
	ConnectionsPerDay float64 `json:"connections_per_day"` // the same

	HighestOffered    string `json:"highest_offered,omitempty"`     // TLS version, of any hello
	HighestOldOffered string `json:"highest_old_offered,omitempty"` // of the hellos that do not offer TLS 1.2
	UserAgent         string `json:"user_agent_family,omitempty"`
	JA4               string `json:"ja4,omitempty"`

	Requests    []RequestCount    `json:"requests,omitempty"`
	Connections []ConnectionCount `json:"connections,omitempty"`
	Hellos      map[string]uint64 `json:"hellos,omitempty"`             // by highest version offered
	Failures    map[string]uint64 `json:"handshake_failures,omitempty"` // by reason
	Refused     map[string]uint64 `json:"refused,omitempty"`            // calls that tlslift refused, by reason; not known of a fleet
	UserAgents  map[string]uint64 `json:"user_agent_families,omitempty"`
	Behind      Behind            `json:"behind,omitzero"`
	Exposed     []ExposedCount    `json:"credentials_exposed,omitempty"`
	Hosts       []HostCount       `json:"hosts,omitempty"`
	History     []Day             `json:"history,omitempty"` // of one client's own page only

	Owner string `json:"owner,omitempty"` // whom to ask, in a report that knows; "" = not known
}

// Behind is what showed itself behind one client's name: at most 8 of each,
// those seen last. Addresses and accounts are left out where they are the name.
type Behind struct {
	Addresses  []Shown `json:"addresses,omitempty"` // of IPv6 callers the /64
	Accounts   []Shown `json:"accounts,omitempty"`  // with clients.account
	UserAgents []Shown `json:"user_agent_families,omitempty"`
	Libraries  []Shown `json:"libraries,omitempty"` // guessed from the hellos
	JA4s       []Shown `json:"ja4,omitempty"`
}

// Shown is one thing that showed itself: how often, and when last.
type Shown struct {
	Name  string    `json:"name"`
	Count uint64    `json:"count"` // requests, and connections without any
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

// ExposedCount counts requests that carried one kind of secret, in clear or over
// old TLS.
type ExposedCount struct {
	Kind  string    `json:"kind"`
	Over  string    `json:"over"` // clear, old_tls
	Count uint64    `json:"count"`
	Last  time.Time `json:"last"`
}

// HostCount counts what was for one upstream host: requests, connections whose
// requests cannot be seen (spliced and refused ones), and failed handshakes.
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

// Listing is the answer of GET /api/v1/clients: clients by name. Its form is
// stable: fields may be added, never renamed.
type Listing struct {
	Generated            time.Time `json:"generated"`
	MigratedAfterSeconds int64     `json:"migrated_after_seconds"`
	Clients              []Row     `json:"clients"`
	NextCursor           string    `json:"next_cursor,omitempty"` // absent = there are no more
}

// Snapshot returns every client as it stands now, by name, without its daily
// history. The overflow row is among them once it has counted anything.
func (l *Ledger) Snapshot() []Row {
	rows, _ := l.Page("", math.MaxInt, func(*Row) bool { return true })
	return rows
}

// Page returns, as Snapshot has them, the first limit clients whose names come
// after a name and that keep selects, and whether there are more. Clients that
// come and go between two pages change nothing about the others.
func (l *Ledger) Page(after string, limit int, keep func(*Row) bool) (page []Row, more bool) {
	now, p := l.clock(), l.currentPolicy()
	rows := slices.DeleteFunc(l.all(), func(r *row) bool { return r.name <= after })
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.name, b.name) })
	page = []Row{}
	l.visit(rows, func(r *row) bool {
		v := r.view(p, now)
		switch {
		case !keep(&v):
		case len(page) == limit:
			more = true
		default:
			page = append(page, v)
		}
		return !more
	})
	return page, more
}

// Overview returns the clients that keep selects, by name, without their counts
// and history: a tenth of the memory that Snapshot takes.
func (l *Ledger) Overview(keep func(*Row) bool) []*Row {
	now, p := l.clock(), l.currentPolicy()
	rows := []*Row{} // not values: sorting and growing would copy each many times
	l.each(func(r *row) {
		if v := r.brief(p, now); keep(&v) {
			rows = append(rows, &v)
		}
	})
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

// MigratedAfter is how long a client must not have been insecure to count as
// migrated.
func (l *Ledger) MigratedAfter() time.Duration { return l.currentPolicy().MigratedAfter }

// Target is the end of the day by which no client is to need tlslift; zero = none
// is set.
func (l *Ledger) Target() time.Time { return l.currentPolicy().Target }

func (l *Ledger) currentPolicy() *policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.policy
}

// view is what a row looks like at a time.
func (r *row) view(p *policy, now time.Time) Row {
	v := r.brief(p, now)
	r.viewCounts(&v)
	return v
}

// brief is a view without counts.
func (r *row) brief(p *policy, now time.Time) Row {
	v := r.stand(p, now)
	v.Source, v.Configured, v.JA4 = r.source, r.configured || r.name == call.LabelOverflow, r.ja4
	v.LastSeen, v.LastRefused = at(r.last), at(r.lastRefused)
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

// OnlySilence is the one definition of a client that is suspected, of one instance
// and of a fleet; deploy/prometheus/rules.yml has it in PromQL. Nothing but silence
// speaks for its verdict: it was seen to leave after the handshake without a call,
// and never to reject a certificate, or to hang up at the sight of one. seen reports
// whether a handshake of it ever ended for a reason.
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

// ledLately are the settings that led a call here within migratedAfter of the
// latest that did. One that was taken out is not among them for long.
func (r *row) ledLately(migratedAfter time.Duration) (words []string) {
	latest := slices.Max(r.settings[:])
	for _, s := range call.Settings {
		if t := r.settings[s]; t != 0 && latest-t < int64(migratedAfter/time.Second) {
			words = append(words, s.String())
		}
	}
	return words
}

// Offers takes the highest version that a hello of the client offered. A word that
// is no TLS version changes nothing.
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

// Advise fills in what the client's owner is to change, from its verdict and all
// else that is known of it. Of one that may be misdeclared, the name comes first.
func (v *Row) Advise(now time.Time, migratedAfter time.Duration) {
	program, library := v.runtime()
	fix := fixes.For(fixes.Client{
		Obstacle: v.obstacle(now, migratedAfter), Library: library, Program: program,
		Offered: v.HighestOffered, OldOffered: v.HighestOldOffered, FallsBack: v.FallsBack, Settings: v.Settings,
		Silent: v.Suspected, Migrated: v.done(now, migratedAfter), Declared: !v.Declared.IsZero(),
	})
	v.Fix, v.FixKey, v.FixPages = cmp.Or(v.Misdeclaration, fix.Sentence), fix.Key, fix.Pages
}

// obstacle is what stands in a client's way, as far as its verdict, how it stands
// and its evidence say.
func (v *Row) obstacle(now time.Time, migratedAfter time.Duration) fixes.Obstacle {
	switch {
	case v.Verdict == SSLv2Framed && v.Evidence.Held(LegacyOnly)+v.Evidence.Refuted(LegacyOnly) < v.Evidence.Held(SSLv2Framed):
		return fixes.SSLv2Upstream // the hello in that format offers TLS 1.2
	case v.Verdict != Capable:
		return v.Verdict.Obstacle()
	case v.times().fellBack() && (v.Failing || v.State == NoCalls):
		return fixes.FellBack
	case v.State == NoCalls:
		return fixes.NeverCalls
	case v.Upgraded(now, migratedAfter) && !v.LastSecure.After(v.LastUpgraded):
		return fixes.Terminated
	default:
		return fixes.Capable
	}
}

// done reports whether nothing is left to change in a client, as far as is known: it
// is migrated without tlslift's help, or made its last calls so, or its owner says
// so of one that was never seen making a call.
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

// RequestsADay writes RequestsPerDay. Requests inside a client's own TLS cannot
// be counted.
func (v *Row) RequestsADay() string {
	if v.RequestsPerDay == 0 && v.ConnectionsPerDay > 0 {
		return "\u2013"
	}
	return figures.Short(v.RequestsPerDay)
}

// FixPage is the page to read first; "" = none.
func (v *Row) FixPage() string {
	if len(v.FixPages) == 0 {
		return ""
	}
	return v.FixPages[0]
}

// Runtime names the client's program and TLS library, as far as they are known and
// the verdict is about them.
func (v *Row) Runtime() string {
	program, library := v.Named()
	if program == library || program == "" || library == "" {
		return cmp.Or(program, library)
	}
	return program + ", " + library
}

// Named are what Runtime names; "" is not known.
func (v *Row) Named() (program, library string) {
	program, library = v.runtime()
	if program == call.FamilyNone.String() {
		program = ""
	}
	return program, library
}

// runtime is what the verdict is about: the program of the newest request and the
// library of a hello. Of several programs, these may be two, and only one is meant.
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

// viewMarks adds what showed itself behind the name, newest first. The row is a
// copy.
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

// perDay are the requests and connections per day, over the last 7 days or,
// of a younger client, over the days since it was first seen.
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
