package page

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"tlslift/docs/fixes"
	"tlslift/metrics/ledger"
)

// anyProgram is the page for a program without a page of its own.
const anyProgram = "other"

// fixIndex lists the pages of advice by obstacle, in the order of the verdicts,
// and by program.
type fixIndex struct {
	Obstacles []obstacle
	Programs  []fixes.Page // by title; the page for any other program is last
}

type obstacle struct {
	fixes.Page
	Verdict ledger.Verdict
}

// newFixIndex sorts all pages. A page that a verdict alone leads to belongs to an
// obstacle, and the rest belong to programs.
func newFixIndex() fixIndex {
	var x fixIndex
	taken := make(map[string]bool)
	for _, v := range ledger.Verdicts {
		pages := fixes.For(fixes.Client{Obstacle: v.Obstacle()}).Pages
		if len(pages) == 0 {
			continue
		}
		name := pages[0]
		if p, ok := fixes.Lookup(name); ok && name != anyProgram && !taken[name] {
			taken[name] = true
			x.Obstacles = append(x.Obstacles, obstacle{p, v})
		}
	}
	for _, name := range fixes.Names() {
		if p, ok := fixes.Lookup(name); ok && !taken[name] {
			x.Programs = append(x.Programs, p)
		}
	}
	slices.SortFunc(x.Programs, func(a, b fixes.Page) int {
		if (a.Name == anyProgram) != (b.Name == anyProgram) {
			return map[bool]int{true: 1, false: -1}[a.Name == anyProgram]
		}
		return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
	})
	return x
}

// isProgram reports whether a page is about one program. A reader of any other
// page has yet to find the program.
func (x fixIndex) isProgram(name string) bool {
	return name != anyProgram && slices.ContainsFunc(x.Programs, func(p fixes.Page) bool { return p.Name == name })
}

type fixView struct {
	base
	Page     fixes.Page
	Programs []fixes.Page // where to continue; nil on a program's own page
}

// serveFix answers with a page of advice. The name of a verdict redirects to its
// page, because the metrics, and so the dashboards, know nothing else about a client.
func (s *server) serveFix(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p, ok := fixes.Lookup(name)
	if pages := fixes.For(fixes.Client{Obstacle: fixes.Obstacle(name)}).Pages; !ok && len(pages) > 0 {
		http.Redirect(w, r, "/fixes/"+pages[0], http.StatusFound)
		return
	}
	if !ok {
		s.notFound(w, "There is no such page of advice.")
		return
	}
	v := fixView{base: base{Title: p.Title}, Page: p}
	if !s.advice.isProgram(p.Name) {
		v.Programs = s.advice.Programs
	}
	s.render(w, http.StatusOK, "fix", v)
}

type fixesView struct {
	base
	fixIndex
}

func (s *server) serveFixes(w http.ResponseWriter, _ *http.Request) {
	s.render(w, http.StatusOK, "fixes", fixesView{base{Title: "What to change"}, s.advice})
}
