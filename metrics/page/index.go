package page

import (
	"maps"
	"net/http"
	"slices"

	"tlslift/metrics/admin"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/metrics/page/chart"
)

type indexView struct {
	base
	Summary  ledger.Summary
	Headline ledger.Headline
	Percent  string // insecure share of the active clients; "" = none is insecure
	WeekAgo  string // the same a week ago; "" = unknown
	States   []stateTile
	Chart    *chart.Chart       // nil = no client was seen
	History  []ledger.DayStates // the figures of the chart, newest first
	Start    string             // host and port to point an application at; "" = there is none, or a client was seen
	Health   *Health

	Filter   filter
	Problem  string
	Columns  []columnView
	Verdicts []ledger.Verdict
	Rows     []*ledger.Row
	From, To int
	Matching int
	Previous string
	Next     string
}

// rare are the words that get no tile if they select no client.
var rare = [...]string{ledger.NoCalls.String(), ledger.SelectRegressed, ledger.SelectMisdeclared, ledger.SelectFailing}

// stateTile selects clients by a state, or by a note next to it.
type stateTile struct {
	State string
	Count int
	Link  string
	Here  bool // the table shows only this state
	Told  bool // a line of the headline already links there
}

type columnView struct {
	Key, Title string
	Link       string
	Sorted     string // ascending, descending or ""
}

func (s *server) serveIndex(w http.ResponseWriter, r *http.Request) {
	status := http.StatusOK
	f, err := parseFilter(r.URL.Query())
	v := indexView{base: base{Title: "Migration"}, Summary: s.Ledger.Summary(), Verdicts: ledger.Verdicts[:]}
	if err != nil {
		v.Problem, status = "The address asks for something that does not exist: "+err.Error()+". All clients are shown.", http.StatusBadRequest
		f, _ = parseFilter(nil)
	}
	v.Headline = v.Summary.Headline()
	if v.Summary.Insecure > 0 {
		v.Percent = figures.Percent(v.Summary.Insecure, v.Summary.Active)
		if active := v.Summary.ActiveWeekAgo; active != nil && *active > 0 {
			v.WeekAgo = figures.Percent(*v.Summary.InsecureWeekAgo, *active)
		}
	}
	v.Chart, v.History = chart.BurnDown(&v.Summary), slices.Clone(v.Summary.BurnDown)
	slices.Reverse(v.History)
	if s.Health != nil {
		h := s.Health()
		v.Health = &h
		if v.Summary.Clients == 0 && len(h.Listeners) > 0 {
			v.Start = admin.SeenFrom(h.Listeners[0], r.Host)
		}
	}
	v.table(f, s.Ledger.Overview(f.selects))
	s.render(w, status, "index", &v)
}

// table fills in the page of the table that f asks for, from the rows that f selects.
func (v *indexView) table(f filter, rows []*ledger.Row) {
	v.Filter = f
	counts := maps.Clone(v.Summary.States)
	counts[ledger.SelectRegressed], counts[ledger.SelectMisdeclared], counts[ledger.SelectFailing] = v.Summary.Regressed, v.Summary.Misdeclared, v.Summary.Failing
	for _, word := range ledger.Selections() {
		if slices.Contains(rare[:], word) && counts[word] == 0 && f.State != word {
			continue
		}
		v.States = append(v.States, stateTile{
			State: word, Count: counts[word], Here: f.State == word,
			Told: f.State != word && (word == ledger.SelectRegressed || word == ledger.SelectMisdeclared),
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
