package page

import (
	"fmt"
	"html/template"
	"net/http"
	"time"

	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/metrics/page/chart"
)

// chartDays is how many days the status page's picture shows.
const chartDays = 90

type indexView struct {
	base
	Summary  ledger.Summary
	Headline string
	Detail   string
	Done     bool // nothing seen needs tlslift
	Percent  string
	WeekAgo  string // "" = not known
	States   []stateTile
	Chart    template.HTML
	History  []ledger.DayTotal // newest first, what the picture shows
	Days     int
	Health   *Health
	CAEnds   string // soon, expired or ""

	Filter   filter
	Problem  string
	Columns  []columnView
	Verdicts []ledger.Verdict
	Rows     []ledger.Row
	From, To int
	Matching int
	Previous string
	Next     string
}

type stateTile struct {
	State ledger.State
	Count int
	Link  string
	Here  bool // the table shows this state alone
}

type columnView struct {
	Key, Title string
	Link       string
	Sorted     string // ascending, descending or ""
}

func (s *server) serveIndex(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	f, err := parseFilter(r.URL.Query())
	v := indexView{base: base{Title: "Migration"}, Summary: s.Ledger.Summary(), Verdicts: ledger.Verdicts[:], Days: chartDays}
	if err != nil {
		v.Problem, status = "The address asks for something that is not there: "+err.Error()+". All clients are shown.", http.StatusBadRequest
		f, _ = parseFilter(nil)
	}
	v.headline()
	v.picture(s.Clock())
	if s.Health != nil {
		h := s.Health()
		v.Health = &h
		v.CAEnds = h.caEnds(s.Clock())
	}
	v.table(f, s.Ledger.Overview(f.selects))
	s.render(w, status, s.index, v)
}

// headline says in words where the migration stands.
func (v *indexView) headline() {
	s := &v.Summary
	quiet := s.States[ledger.Silent.String()] + s.States[ledger.Unseen.String()]
	v.Percent = figures.Percent(s.Insecure, s.Active)
	if s.ActiveWeekAgo > 0 {
		v.WeekAgo = figures.Percent(s.InsecureWeekAgo, s.ActiveWeekAgo)
	}
	switch {
	case s.Clients == 0:
		v.Headline, v.Detail = "No client has been seen yet", "Point an application at tlslift and it shows up here."
	case s.NeedsTlslift > 0:
		v.Headline = figures.Plural(s.NeedsTlslift, "client still needs tlslift", "clients still need tlslift")
		v.Detail = figures.Count(s.Insecure) + " of " + figures.Plural(s.Active, "active client is", "active clients are") + " insecure."
	case quiet > 0:
		v.Headline = "Nothing that was seen lately needs tlslift"
		v.Detail = "But " + figures.Plural(quiet, "client is", "clients are") + " silent or never seen: that is not the same as migrated. Ask the owners, then declare them."
	default:
		v.Done = true
		v.Headline, v.Detail = "Nobody needs tlslift any more", "Every client is migrated. It can be taken away."
	}
}

// picture draws the burn-down and prepares the same figures as a table.
func (v *indexView) picture(now time.Time) {
	c := chart.Chart{
		ID: "burndown", Title: fmt.Sprintf("Clients seen on each of the last %d days, insecure and secure", chartDays),
		Unit: "clients", Last: now, Days: chartDays,
	}
	oldest := now.UTC().AddDate(0, 0, 1-chartDays).Format(time.DateOnly)
	for _, d := range v.Summary.History {
		if d.Date < oldest {
			continue
		}
		c.Points = append(c.Points, chart.Point{
			Date: d.Date, Insecure: uint64(d.InsecureClients), Secure: uint64(d.ActiveClients - d.InsecureClients),
		})
		v.History = append([]ledger.DayTotal{d}, v.History...)
	}
	v.Chart = c.SVG()
}

// table is the page of the table that f asks for, of the rows that f selects.
func (v *indexView) table(f filter, rows []ledger.Row) {
	v.Filter = f
	for _, state := range ledger.States {
		word := state.String()
		if state == ledger.NoCalls && v.Summary.States[word] == 0 && f.State != word {
			continue
		}
		v.States = append(v.States, stateTile{
			State: state, Count: v.Summary.States[word], Here: f.State == word,
			Link: f.link(func(f *filter) {
				f.Page = 1
				if f.State == word {
					f.State = ""
				} else {
					f.State = word
				}
			}),
		})
	}
	for _, c := range columns {
		down, sorted := c.number, ""
		if f.Sort == c.Key {
			down, sorted = !f.Down, map[bool]string{false: "ascending", true: "descending"}[f.Down]
		}
		link := f.link(func(f *filter) { f.Sort, f.Down, f.Page = c.Key, down, 1 })
		v.Columns = append(v.Columns, columnView{c.Key, c.Title, link, sorted})
	}
	f.sort(rows)
	v.Matching = len(rows)
	last := max(1, (len(rows)+pageSize-1)/pageSize)
	page := min(f.Page, last)
	v.From, v.To = (page-1)*pageSize, min(page*pageSize, len(rows))
	v.Rows = rows[v.From:v.To]
	v.From = min(v.From+1, v.To)
	if page > 1 {
		v.Previous = f.link(func(f *filter) { f.Page = page - 1 })
	}
	if page < last {
		v.Next = f.link(func(f *filter) { f.Page = page + 1 })
	}
}
