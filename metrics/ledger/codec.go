package ledger

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// record is a client as the file has it. Closed sets are stored as their words,
// so a version with other numbers for them reads the same; unknown words are
// dropped.
type record struct {
	Client     string    `json:"client"`
	Configured bool      `json:"configured,omitempty"`
	Declared   time.Time `json:"declared_migrated,omitzero"`
	Unnamed    bool      `json:"unnamed,omitempty"` // only the declaration has its name
	Source     string    `json:"identity_source,omitempty"`
	Home       string    `json:"address,omitempty"` // of a name that nobody checks

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
	JA4        string `json:"ja4,omitempty"`
	Family     string `json:"user_agent_family,omitempty"`

	Settings []storedTime  `json:"settings,omitempty"`
	Evidence []storedTime  `json:"evidence,omitempty"`
	Refuted  []storedTime  `json:"refuted,omitempty"`
	Counts   []storedCount `json:"counts,omitempty"`
	Exposed  []storedTime  `json:"credentials_exposed,omitempty"` // in clear
	Weakly   []storedTime  `json:"credentials_over_old_tls,omitempty"`
	Marks    []storedMark  `json:"marks,omitempty"`
	Days     [][5]uint32   `json:"days,omitempty"` // the date as 20260301, then DayCounts in its order
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

// encode is the stored form of a row.
func encode(r *row, p *policy) record {
	rec := record{
		Client: r.name, Configured: r.configured, Declared: p.clients[r.name].Migrated, Unnamed: p.clients[r.name].Unnamed, Source: r.source, Home: r.address,
		First: at(r.first), Last: at(r.last),
		LastInsecure: at(r.lastInsecure), LastSecure: at(r.lastSecure), LastFailed: at(r.lastFailed), LastServed: at(r.lastServed), LastRefused: at(r.lastRefused), LastLifted: at(r.lastLifted), FallsBack: at(r.lastFallsBack),
		Offered: r.offered.String(), Library: r.library, OldLibrary: r.old, JA4: r.ja4, Family: r.family.String(),
	}
	for _, s := range call.Settings {
		if t := r.settings[s]; t != 0 {
			rec.Settings = append(rec.Settings, storedTime{Name: s.String(), Last: at(t)})
		}
	}
	for _, verdict := range Verdicts {
		if t := r.evidence.Held(verdict); t != 0 {
			rec.Evidence = append(rec.Evidence, storedTime{Name: verdict.String(), Last: at(t)})
		}
		if t := r.evidence.Refuted(verdict); t != 0 {
			rec.Refuted = append(rec.Refuted, storedTime{Name: verdict.String(), Last: at(t)})
		}
	}
	for _, t := range r.totals {
		a, b := t.words()
		rec.Counts = append(rec.Counts, storedCount{subjectWords[t.subject], a, b, t.n})
	}
	for over, to := range []*[]storedTime{&rec.Exposed, &rec.Weakly} {
		for i, e := range r.exposed[over] {
			if e.count > 0 {
				*to = append(*to, storedTime{redact.AllKinds[i].String(), e.count, at(e.last)})
			}
		}
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

// decode is the row of a record. It bounds whatever it is given: no field of a
// row becomes larger, later than latest (Unix seconds) or stranger than what
// was observed could make it.
func decode(rec *record, latest int64) (*row, error) {
	if rec.Client == "" || rec.Client == call.LabelOverflow || len(rec.Client) > maxName || !printable(rec.Client) {
		return nil, errors.New("the client's name is not one")
	}
	when := func(t time.Time) int64 { return min(max(t.Unix(), 0), latest) }
	r := &row{
		name: rec.Client, source: text(rec.Source), address: text(rec.Home), configured: rec.Configured,
		first: when(rec.First), last: when(rec.Last),
		lastInsecure: when(rec.LastInsecure), lastSecure: when(rec.LastSecure), lastFailed: when(rec.LastFailed), lastServed: when(rec.LastServed), lastRefused: when(rec.LastRefused), lastLifted: when(rec.LastLifted), lastFallsBack: when(rec.FallsBack),
		library: text(rec.Library), old: text(rec.OldLibrary), ja4: text(rec.JA4), family: call.ParseFamily(rec.Family),
	}
	r.offered, _ = parseVersion(rec.Offered)
	if r.first == 0 && !r.configured || r.last < r.first {
		return nil, errors.New("it was never seen")
	}
	for _, e := range rec.Settings {
		if i := slices.IndexFunc(call.Settings[:], func(s call.Setting) bool { return s.String() == e.Name }); i >= 0 {
			r.settings[call.Settings[i]] = when(e.Last)
		}
	}
	for _, e := range rec.Evidence {
		if v, err := ParseVerdict(e.Name); err == nil && v != NoVerdict {
			r.evidence[v] = when(e.Last)
		}
	}
	for _, e := range rec.Refuted {
		if v, err := ParseVerdict(e.Name); err == nil && v != NoVerdict {
			r.evidence[v] = -when(e.Last)
		}
	}
	for _, c := range rec.Counts {
		if k, ok := parseTotal(c.Of, c.A, c.B); ok {
			*r.totals.at(k) = c.N
		}
	}
	for over, from := range [][]storedTime{rec.Exposed, rec.Weakly} {
		for _, e := range from {
			i := slices.IndexFunc(redact.AllKinds[:], func(k redact.Kind) bool { return k.String() == e.Name })
			if i >= 0 {
				r.exposed[over][i] = exposed{e.N, when(e.Last)}
			}
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

func (r *row) decodeDays(days [][5]uint32, latest int32) {
	for _, n := range days {
		number := numberOfDate(n[0])
		inOrder := len(r.days) == 0 || number > r.days[len(r.days)-1].number
		if inOrder && number <= latest && number > latest-1-historyDays {
			r.days = append(r.days, day{number, DayCounts{n[1], n[2], n[3], n[4]}})
		}
	}
}

// dateNumber is a day as a readable number: 20260301.
func dateNumber(day int32) uint32 {
	year, month, d := time.Unix(int64(day)*86400, 0).UTC().Date()
	return uint32(year*10000 + int(month)*100 + d)
}

// numberOfDate is the inverse of dateNumber.
func numberOfDate(date uint32) int32 {
	n := int(date)
	return dayOf(time.Date(n/10000, time.Month(n/100%100), n%100, 0, 0, 0, 0, time.UTC).Unix())
}

// text bounds a stored text and empties one that is not printable.
func text(s string) string {
	if !printable(s) {
		return ""
	}
	return clip(s, maxText)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}
