package report

import (
	"embed"
	"fmt"
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

// ownLink matches a link from one page of advice to another.
var ownLink = regexp.MustCompile(`<a href="/fixes/([^"]*)">([^<]*)</a>`)

// within redirects a page's links to the pages in the same file, and removes the
// others, because a mailed file has nowhere to lead to.
func within(html template.HTML, names []string) template.HTML {
	return template.HTML(ownLink.ReplaceAllStringFunc(string(html), func(link string) string { //nolint:gosec // our own page, with other links
		parts := ownLink.FindStringSubmatch(link)
		if slices.Contains(names, parts[1]) {
			return `<a href="#fix-` + parts[1] + `">` + parts[2] + `</a>`
		}
		return parts[2]
	}))
}

type htmlView struct {
	*ledger.Summary
	Figures string
	AsOf    string
	Chart   *chart.Chart // nil = the history is unknown
	Owners  bool         // show owners as a column: they are known, and the clients are not grouped by them
	Groups  []group
	ByOwner bool   // one group for each owner; otherwise a single group
	Nobody  string // why no clients are listed; "" = some are
	Fixes   []fixes.Page
}

// writeHTML writes one self-contained file with style, chart and the pages of
// advice that its clients need.
func (r *Report) writeHTML(w io.Writer, byOwner bool) error {
	titles := make(map[string]string) // of the pages of advice, by name
	t, err := template.New("report.html").Funcs(template.FuncMap{
		"date":   figures.Date,
		"title":  func(page string) string { return titles[page] },
		"owner":  ownerTitle,
		"anchor": func(i int) string { return fmt.Sprint("owner-", i+1) },
		"notes":  func(c ledger.Row) []string { return c.Notes(r.Summary.Generated) },
	}).ParseFS(files, "report.html")
	if err != nil {
		return err
	}
	v := htmlView{Summary: &r.Summary, Figures: r.figures(), AsOf: r.asOf(), Chart: chart.BurnDown(&r.Summary), Groups: r.groups(byOwner), ByOwner: byOwner}
	if len(r.Clients) == 0 {
		v.Nobody = r.nobody()
	}
	v.Owners = !byOwner && slices.ContainsFunc(r.Clients, func(c ledger.Row) bool { return c.Owner != "" })
	names := r.fixPages()
	for _, name := range names {
		if p, ok := fixes.Lookup(name); ok {
			p.HTML = within(p.HTML, names)
			v.Fixes, titles[name] = append(v.Fixes, p), p.Title
		}
	}
	return t.Execute(w, v)
}

// fixPages returns the pages that the report's clients need, each once.
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
