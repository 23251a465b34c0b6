package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// record is a client as stored in the file. Closed sets are stored as words, so
// versions that number them differently can read the file. Unknown words are dropped.
type record struct {
	Client     string    `json:"client"`
	Configured bool      `json:"configured,omitempty"`
	Declared   time.Time `json:"declared_migrated,omitzero"`
	Unnamed    bool      `json:"unnamed,omitempty"` // only the declaration uses its name
	Source     string    `json:"identity_source,omitempty"`
	Home       string    `json:"address,omitempty"` // that an unchecked name was first seen from

	First        time.Time `json:"first_seen,omitzero"`
	Last         time.Time `json:"last_seen,omitzero"`
	LastInsecure time.Time `json:"last_insecure,omitzero"`
	LastSecure   time.Time `json:"last_secure,omitzero"`
	LastFailed   time.Time `json:"last_failed,omitzero"`
	LastServed   time.Time `json:"last_served,omitzero"`
	LastRefused  time.Time `json:"last_refused,omitzero"`
	LastLifted   time.Time `json:"last_upgraded,omitzero"`
	FallsBack    time.Time `json:"last_falls_back,omitzero"`

	Offered    string `json:"highest_offered,omitempty"`
	Library    string `json:"library,omitempty"`
	OldLibrary string `json:"old_library,omitempty"`
	Framed     string `json:"sslv2_library,omitempty"`
	JA4        string `json:"ja4,omitempty"`
	Family     string `json:"user_agent_family,omitempty"`

	Settings []storedTime  `json:"settings,omitempty"`
	Evidence []storedTime  `json:"evidence,omitempty"`
	Refuted  []storedTime  `json:"refuted,omitempty"`
	Counts   []storedCount `json:"counts,omitempty"`
	Exposed  []storedTime  `json:"credentials_exposed,omitempty"` // in cleartext
	Weakly   []storedTime  `json:"credentials_over_old_tls,omitempty"`
	Marks    []storedMark  `json:"marks,omitempty"`
	Days     [][5]uint32   `json:"days,omitempty"` // the date as 20260301, then the fields of DayCounts in order
}

type storedCount struct {
	Of string `json:"of"`
	A  string `json:"a"`
	B  string `json:"b,omitempty"`
	N  uint64 `json:"n"`
}

type storedTime struct {
	Name string    `json:"name"`
	N    uint64    `json:"n,omitempty"`
	Last time.Time `json:"last"`
}

type storedMark struct {
	Of   string    `json:"of"`
	Name string    `json:"name"`
	N    uint64    `json:"n"`
	Last time.Time `json:"last"`
	Back time.Time `json:"back,omitzero"`
}

// times returns the times of a record, in the order of row.times.
func (rec *record) times() [9]*time.Time {
	return [...]*time.Time{&rec.First, &rec.Last, &rec.LastInsecure, &rec.LastSecure, &rec.LastFailed, &rec.LastServed, &rec.LastRefused, &rec.LastLifted, &rec.FallsBack}
}

// encode returns the stored form of a row.
func encode(r *row, p *policy) record {
	rec := record{
		Client: r.name, Configured: r.configured, Declared: p.clients[r.name].Migrated, Unnamed: p.clients[r.name].Unnamed, Source: r.source, Home: r.address,
		Offered: r.offered.String(), Library: r.library, OldLibrary: r.old, Framed: r.framed, JA4: r.ja4, Family: r.family.String(),
		Settings: store(call.Settings[:], func(s call.Setting) sight { return sight{last: r.settings[s]} }),
		Evidence: store(Verdicts[:], func(v Verdict) sight { return sight{last: r.evidence.Held(v)} }),
		Refuted:  store(Verdicts[:], func(v Verdict) sight { return sight{last: r.evidence.Refuted(v)} }),
		Exposed:  store(redact.AllKinds[:], func(k redact.Kind) sight { return r.exposed[0][k] }),
		Weakly:   store(redact.AllKinds[:], func(k redact.Kind) sight { return r.exposed[1][k] }),
	}
	times := rec.times()
	for i, t := range r.times() {
		*times[i] = at(*t)
	}
	for _, t := range r.totals {
		a, b := t.words()
		rec.Counts = append(rec.Counts, storedCount{subjectWords[t.subject], a, b, t.n})
	}
	for _, m := range r.marks {
		rec.Marks = append(rec.Marks, storedMark{markWords[m.kind], m.text, m.count, at(m.last), at(m.back)})
	}
	for _, d := range r.days {
		rec.Days = append(rec.Days, [5]uint32{
			dateNumber(d.number), d.InsecureRequests, d.SecureRequests, d.InsecureConnections, d.SecureConnections,
		})
	}
	return rec
}

// decode returns the row of a record. It bounds its input: no field of the row
// becomes larger, later than latest (Unix seconds) or stranger than observed
// traffic could make it.
func decode(rec *record, latest int64) (*row, error) {
	if rec.Client == "" || len(rec.Client) > maxName || !printable(rec.Client) {
		return nil, errors.New("the client's name is not one")
	}
	when := func(t time.Time) int64 { return min(max(t.Unix(), 0), latest) }
	r := &row{
		name: rec.Client, source: text(rec.Source), address: text(rec.Home), configured: rec.Configured,
		library: text(rec.Library), old: text(rec.OldLibrary), framed: text(rec.Framed), ja4: text(rec.JA4), family: call.ParseFamily(rec.Family),
	}
	times := r.times()
	for i, t := range rec.times() {
		*times[i] = when(*t)
	}
	r.offered, _ = find(call.Versions[:], rec.Offered)
	if r.first == 0 && !r.configured || r.last < r.first {
		return nil, errors.New("it was never seen")
	}
	restore(rec.Settings, call.Settings[:], func(s call.Setting, e storedTime) { r.settings[s] = when(e.Last) })
	restore(rec.Evidence, Verdicts[:], func(v Verdict, e storedTime) { r.evidence[v] = when(e.Last) })
	restore(rec.Refuted, Verdicts[:], func(v Verdict, e storedTime) { r.evidence[v] = -when(e.Last) })
	for over, from := range [...][]storedTime{rec.Exposed, rec.Weakly} {
		restore(from, redact.AllKinds[:], func(k redact.Kind, e storedTime) { r.exposed[over][k] = sight{e.N, when(e.Last)} })
	}
	for _, c := range rec.Counts {
		if k, ok := parseTotal(c.Of, c.A, c.B); ok {
			*r.totals.at(k) = c.N
		}
	}
	for _, m := range rec.Marks {
		if kind := slices.Index(markWords[:], m.Of); kind >= 0 {
			if known := r.mark(markKind(kind), text(m.Name), when(m.Last)); known != nil {
				known.count, known.back = m.N, when(m.Back)
			}
		}
	}
	r.decodeDays(rec.Days, dayOf(latest))
	return r, nil
}

// store lists what is known about each value of a closed set, by its word.
func store[T fmt.Stringer](set []T, of func(T) sight) (list []storedTime) {
	for _, v := range set {
		if e := of(v); e != (sight{}) {
			list = append(list, storedTime{v.String(), e.count, at(e.last)})
		}
	}
	return list
}

// restore is the inverse of store.
func restore[T fmt.Stringer](list []storedTime, set []T, keep func(T, storedTime)) {
	for _, e := range list {
		if v, ok := find(set, e.Name); ok {
			keep(v, e)
		}
	}
}

func (r *row) decodeDays(days [][5]uint32, latest int32) {
	for _, n := range days {
		number := numberOfDate(n[0])
		inOrder := len(r.days) == 0 || number > r.days[len(r.days)-1].number
		if inOrder && number <= latest && number > latest-1-historyDays {
			r.days = append(r.days, day{number, DayCounts{n[1], n[2], n[3], n[4]}})
		}
	}
}

// dateNumber returns a day as a readable number such as 20260301.
func dateNumber(day int32) uint32 {
	year, month, d := time.Unix(int64(day)*86400, 0).UTC().Date()
	return uint32(year*10000 + int(month)*100 + d)
}

// numberOfDate is the inverse of dateNumber.
func numberOfDate(date uint32) int32 {
	n := int(date)
	return dayOf(time.Date(n/10000, time.Month(n/100%100), n%100, 0, 0, 0, 0, time.UTC).Unix())
}

// text clips a stored string, and returns "" if it is not printable.
func text(s string) string {
	if !printable(s) {
		return ""
	}
	return clip(s, maxText)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}
