package report

import (
	"embed"
	"html/template"
	"io"
	"regexp"
	"slices"

	"tlslift/docs/fixes"
	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/metrics/page/chart"
)

//go:embed report.html
var files embed.FS

// htmlDays is how many days the picture shows.
const htmlDays = 90

// ownLink is a link of one page of advice to another. A file that was mailed has
// nowhere to lead to.
var ownLink = regexp.MustCompile(`<a href="/fixes/[^"]*">([^<]*)</a>`)

type htmlView struct {
	Headline string
	AsOf     string
	Summary  *ledger.Summary
	States   []ledger.State
	Chart    template.HTML
	Titles   []string
	Groups   []htmlGroup
	Nobody   string // why no clients are listed; "" = some are
	Fixes    []fixes.Page
}

type htmlGroup struct {
	Title   string
	Clients []Client
}

// writeHTML writes one file that needs nothing else: style, picture and the
// pages of advice that its clients need are inside.
func (r *Report) writeHTML(w io.Writer, byOwner bool) error {
	t, err := template.New("report.html").Funcs(template.FuncMap{"date": date, "short": figures.Short}).ParseFS(files, "report.html")
	if err != nil {
		return err
	}
	v := htmlView{Headline: r.headline(), AsOf: r.asOf(), Summary: &r.Summary, States: ledger.States[:], Titles: columnTitles}
	if len(r.Summary.History) > 0 {
		v.Chart = r.chart()
	}
	if len(r.Clients) == 0 {
		v.Nobody = r.nobody()
	}
	for _, g := range r.groups(byOwner) {
		h := htmlGroup{Clients: g.Clients}
		if byOwner {
			h.Title = ownerTitle(g)
		}
		v.Groups = append(v.Groups, h)
	}
	for _, name := range r.fixPages() {
		if p, ok := fixes.Lookup(name); ok {
			p.HTML = template.HTML(ownLink.ReplaceAllString(string(p.HTML), "$1")) //nolint:gosec // our own page, less some tags
			v.Fixes = append(v.Fixes, p)
		}
	}
	return t.Execute(w, v)
}

func (r *Report) chart() template.HTML {
	c := chart.Chart{ID: "burndown", Title: "Clients seen on each day, insecure and secure", Unit: "clients", Last: r.Summary.Generated, Days: htmlDays}
	for _, d := range r.Summary.History {
		c.Points = append(c.Points, chart.Point{Date: d.Date, Insecure: uint64(d.InsecureClients), Secure: uint64(max(0, d.ActiveClients-d.InsecureClients))})
	}
	return c.SVG()
}

// fixPages are the pages that the report's clients need, each once.
func (r *Report) fixPages() []string {
	var names []string
	for i := range r.Clients {
		for _, name := range r.Clients[i].FixPages {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
