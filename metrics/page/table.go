package page

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tlslift/metrics/ledger"
	"tlslift/proxy/suggest"
)

// pageSize is the number of clients on one page of the table.
const pageSize = 200

// filter is what the query asks of the table.
type filter struct {
	Text    string // part of the client's name or library
	State   string // a word of ledger.Selections; "" = all
	Verdict string // "" = all
	Sort    string // a column's key
	Down    bool   // descending
	Page    int    // from 1

	state ledger.Selection // of State
}

// columns are the table's columns, in order; the key is the "sort" parameter.
var columns = []struct {
	Key, Title string
	number     bool // sorts descending at first
	compare    func(a, b *ledger.Row) int
}{
	{"client", "Client", false, func(a, b *ledger.Row) int { return cmp.Compare(a.Client, b.Client) }},
	{"state", "State", false, ledger.CompareUrgency},
	{"verdict", "Verdict", false, func(a, b *ledger.Row) int { return rank(a) - rank(b) }},
	{"fix", "What to change", false, func(a, b *ledger.Row) int { return cmp.Compare(a.FixPage()+a.Fix, b.FixPage()+b.Fix) }},
	{"library", "Program or library", false, func(a, b *ledger.Row) int { return cmp.Compare(a.Runtime(), b.Runtime()) }},
	{"requests", "Requests a day", true, func(a, b *ledger.Row) int { return cmp.Compare(a.RequestsPerDay, b.RequestsPerDay) }},
	{"insecure", "Last insecure", true, func(a, b *ledger.Row) int { return a.LastInsecure.Compare(b.LastInsecure) }},
}

// rank orders verdicts by precedence; clients without one come last.
func rank(r *ledger.Row) int {
	if r.Verdict == ledger.NoVerdict {
		return len(ledger.Verdicts)
	}
	return int(r.Verdict)
}

func parseFilter(q url.Values) (filter, error) {
	f := filter{
		Text: cut(q.Get("q"), 200), State: q.Get("state"), Verdict: q.Get("verdict"),
		Sort: cmp.Or(q.Get("sort"), "state"), Down: q.Get("order") == "desc", Page: 1,
	}
	if f.State != "" {
		var err error
		if f.state, err = ledger.ParseSelection(f.State); err != nil {
			return f, err
		}
	}
	if v, err := ledger.ParseVerdict(f.Verdict); err != nil || f.Verdict != "" && v == ledger.NoVerdict {
		return f, errors.New(suggest.Unknown("verdict", f.Verdict, verdictWords()))
	}
	if columnOf(f.Sort) < 0 {
		return f, fmt.Errorf("sort %q is not a column", cut(f.Sort, 40))
	}
	if p := q.Get("page"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 1<<20 {
			return f, fmt.Errorf("page %q is not a page number", cut(p, 40))
		}
		f.Page = n
	}
	return f, nil
}

func verdictWords() []string {
	var words []string
	for _, v := range ledger.Verdicts {
		words = append(words, v.String())
	}
	return words
}

func columnOf(key string) int {
	for i := range columns {
		if columns[i].Key == key {
			return i
		}
	}
	return -1
}

// selects reports whether the row matches the filter.
func (f *filter) selects(r *ledger.Row) bool {
	return f.state.Selects(r) &&
		(f.Verdict == "" || r.Verdict.String() == f.Verdict) &&
		(f.Text == "" || strings.Contains(strings.ToLower(r.Client+"\n"+r.Runtime()), strings.ToLower(f.Text)))
}

// sort sorts rows, which are already sorted by name.
func (f *filter) sort(rows []*ledger.Row) {
	compare := columns[columnOf(f.Sort)].compare
	slices.SortStableFunc(rows, func(a, b *ledger.Row) int {
		if f.Down {
			return compare(b, a)
		}
		return compare(a, b)
	})
}

// link returns the address of the table with a change applied to the filter.
func (f filter) link(change func(*filter)) string {
	change(&f)
	q := url.Values{}
	set := func(key, value string, skip bool) {
		if !skip {
			q.Set(key, value)
		}
	}
	set("q", f.Text, f.Text == "")
	set("state", f.State, f.State == "")
	set("verdict", f.Verdict, f.Verdict == "")
	set("sort", f.Sort, f.Sort == "state")
	set("order", "desc", !f.Down)
	set("page", strconv.Itoa(f.Page), f.Page == 1)
	if len(q) == 0 {
		return "/#clients"
	}
	return "/?" + q.Encode() + "#clients"
}

func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
