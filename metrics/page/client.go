package page

import (
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/metrics/page/chart"
)

type clientView struct {
	base
	Row      ledger.Row
	Standing string // what its state means
	SameDay  bool   // declared with only a date, and insecure since then only on that day
	Upgraded bool   // only tlslift makes its secure calls possible
	For      string // which of several programs the advice is about; "" = there is only one
	Leaves   bool   // all that remains is to take tlslift away
	Message  string // to send to its owner; "" = nothing
	Chart    template.HTML
	History  []ledger.Day // newest first
	Fixes    []fixes.Page
	Programs []fixes.Page          // if the client's own program is unknown
	Clear    []ledger.ExposedCount // secrets sent in cleartext
	Weak     []ledger.ExposedCount // secrets sent over old TLS
}

func (s *server) serveClient(w http.ResponseWriter, r *http.Request) {
	name := clientName(r)
	if name == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther) // the page at / lists the clients
		return
	}
	row, ok := s.Ledger.Row(name)
	if !ok {
		s.notFound(w, "No client of that name is in the ledger.")
		return
	}
	now := s.Clock()
	v := clientView{base: base{Title: row.Client}, Row: row, Upgraded: row.Upgraded(now, s.Ledger.MigratedAfter())}
	v.Leaves = row.State == ledger.Migrated && row.Verdict == ledger.Capable && !v.Upgraded
	const day = 24 * time.Hour
	v.SameDay = row.Declared.Equal(row.Declared.Truncate(day)) && row.LastInsecure.Sub(row.Declared) < day
	v.Standing, v.For = v.standing(now, s.Ledger.MigratedAfter()), forWhich(&row)
	v.Message = message(&row, terms{s.Ledger.Target(), s.Ledger.MigratedAfter(), s.To}, now, siteOf(r))
	c := chart.Chart{
		ID: "history", Title: "Requests and passed-on connections of each day, insecure and secure",
		Unit: "requests and connections", Parts: []string{"insecure", "secure"}, Last: now, Days: ledger.BurnDownDays,
	}
	for _, d := range row.History {
		// Requests inside a spliced connection cannot be seen, so the connection
		// counts in their place.
		c.Points = append(c.Points, chart.Point{
			Date:   d.Date,
			Values: []uint64{uint64(max(d.InsecureRequests, d.InsecureConnections)), uint64(d.SecureRequests) + uint64(d.SecureConnections)},
		})
	}
	v.Chart = c.SVG()
	v.History = slices.Clone(row.History)
	slices.Reverse(v.History)
	for _, name := range row.FixPages {
		if p, ok := fixes.Lookup(name); ok {
			if rest, found := strings.CutPrefix(p.Title, "It rejects "); found && row.Suspected {
				p.Title = "If it rejects " + rest
			}
			v.Fixes = append(v.Fixes, p)
		}
	}
	if len(v.Fixes) > 0 && !v.Leaves && !slices.ContainsFunc(v.Fixes, func(p fixes.Page) bool { return s.advice.isProgram(p.Name) }) {
		v.Programs = s.advice.Programs
	}
	for _, e := range row.Exposed {
		if e.Over == "clear" {
			v.Clear = append(v.Clear, e)
		} else {
			v.Weak = append(v.Weak, e)
		}
	}
	s.render(w, http.StatusOK, "client", &v)
}

// standing says what the client's state means. A client may be secure only thanks
// to tlslift.
func (v *clientView) standing(now time.Time, migratedAfter time.Duration) string {
	switch {
	case v.Row.Failing && v.Row.Suspected:
		return "leaves after its TLS handshakes without a call: it may not trust the certificate, or be a health check"
	case v.Row.Failing:
		return "connects, but its TLS handshakes fail, so none of its calls arrives"
	case v.Row.AllRefused:
		return "tlslift refused its last call, and saw none succeed before it"
	case v.Row.State == ledger.Migrated && v.Upgraded:
		return "called over TLS 1.2 or later in " + figures.Last(migratedAfter) + ", and tlslift terminated it: as it is set up, it needs tlslift"
	case v.Row.State == ledger.NoCalls && !v.Row.LastFailed.IsZero():
		how := "one of its TLS handshakes failed"
		if v.Row.Suspected {
			how = "it left after a TLS handshake"
		}
		return "connected and never made a call: " + how + ", the last time at " + figures.Clock(v.Row.LastFailed) + "; in no share"
	case v.Row.State == ledger.NoCalls:
		return "connected and never made a call, as a scanner or a health check does; in no share"
	case v.Row.MigratedBy == "declaration":
		return "declared so by its owner, and not insecure since"
	case v.Row.State == ledger.Silent:
		return silence(&v.Row, now, migratedAfter)
	}
	return stateText(v.Row.State.String(), migratedAfter)
}
