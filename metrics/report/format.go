package report

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// Formats are the formats that Write supports.
var Formats = [...]string{"table", "markdown", "csv", "json", "html"}

// Write writes the report in one of Formats. If the format has groups, byOwner
// groups the clients by owner.
func (r *Report) Write(w io.Writer, format string, byOwner bool) error {
	var err error
	switch format {
	case "table":
		line := func(b *strings.Builder, text string) { b.WriteString(terminal(text) + "\n") }
		err = r.writeText(w, byOwner, layout{line: line, owner: line, table: r.table})
	case "markdown":
		err = r.writeText(w, byOwner, layout{
			title: "# TLS migration\n\n", between: "\n",
			line:  func(b *strings.Builder, text string) { b.WriteString(markdown(text) + "\n") },
			owner: func(b *strings.Builder, title string) { b.WriteString("## " + markdown(title) + "\n\n") },
			table: r.markdownTable,
		})
	case "csv":
		err = r.writeCSV(w)
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	case "html":
		err = r.writeHTML(w, byOwner)
	default:
		return fmt.Errorf("format %q: there are %s", format, strings.Join(Formats[:], ", "))
	}
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// headline sums up the report in a few sentences.
func (r *Report) headline() string {
	return strings.TrimSpace(r.figures() + " " + r.Summary.Outlook())
}

// figures returns the report's counts in words.
func (r *Report) figures() string {
	s := &r.Summary
	states := make([]string, 0, len(ledger.States))
	for _, state := range ledger.States {
		if state == ledger.NoCalls {
			continue // not clients to migrate
		}
		states = append(states, figures.Count(s.States[state.String()])+" "+state.String())
	}
	share := "No client is active"
	if s.Active > 0 {
		share = fmt.Sprintf("%s (%s)", s.Share(), figures.Percent(s.Insecure, s.Active))
	}
	text := fmt.Sprintf("%s: %s. %s. Needing tlslift: %s.",
		figures.Plural(s.Clients, "client", "clients"), strings.Join(states, ", "), share, figures.Count(s.NeedsTlslift))
	for _, f := range [...]struct {
		n    int
		what string
	}{
		{s.Regressed, "Declared migrated and insecure again"},
		{s.Misdeclared, "Declared migrated and never seen making a call"},
		{s.FallsBack, "Calling in clear if a proxy setting, hosts-file entry, or redirect gets lost"},
		{s.States[ledger.NoCalls.String()], "Not counted, because they never made a call"},
		{s.Failing - s.Suspected, "Unable to call, because their TLS handshakes fail"},
		{s.Suspected, "Perhaps unable to call, because they leave after each TLS handshake"},
	} {
		if f.n > 0 {
			text += fmt.Sprintf(" %s: %d.", f.what, f.n)
		}
	}
	if s.Overflowed > 0 {
		text += fmt.Sprintf(" The ledger had no room for %d observations of other clients: they are counted under %s.", s.Overflowed, call.LabelOverflow)
	}
	return text
}

// asOf says when and from what the report was made.
func (r *Report) asOf() string {
	return fmt.Sprintf("As of %s, from %s; migrated means secure calls and none insecure in %s.",
		figures.Clock(r.Summary.Generated), r.Source, figures.Last(time.Duration(r.Summary.MigratedAfterSeconds)*time.Second))
}

// columnTitles are the column headings of every format with columns except CSV.
var columnTitles = []string{"Client", "State", "Verdict", "Program or library", "Requests a day", "Last insecure", "Owner", "What to change"}

// cells returns a client's columns.
func (r *Report) cells(c *ledger.Row) []string {
	state := c.State.String()
	if notes := c.Notes(r.Summary.Generated); len(notes) > 0 {
		state += " (" + strings.Join(notes, ", ") + ")"
	}
	return []string{c.Client, state, c.Verdict.String(), c.Runtime(), c.RequestsADay(), figures.Date(c.LastInsecure), c.Owner, c.Fix}
}

// layout is how a format for people writes the parts of a report.
type layout struct {
	title   string                                         // what comes first
	line    func(b *strings.Builder, text string)          // the headline, and what the report is made from
	between string                                         // those two
	owner   func(b *strings.Builder, title string)         // the heading of a group
	table   func(b *strings.Builder, clients []ledger.Row) // of a group
}

func (r *Report) writeText(w io.Writer, byOwner bool, l layout) error {
	var b strings.Builder
	b.WriteString(l.title)
	l.line(&b, r.headline())
	b.WriteString(l.between)
	l.line(&b, r.asOf())
	if len(r.Clients) == 0 {
		b.WriteString("\n" + r.nobody() + "\n")
	}
	for _, g := range r.groups(byOwner) {
		if len(g.Clients) == 0 {
			continue
		}
		b.WriteByte('\n')
		if byOwner {
			l.owner(&b, ownerTitle(g))
		}
		l.table(&b, g.Clients)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// nobody says why no clients are listed.
func (r *Report) nobody() string {
	if r.Summary.Clients+r.Summary.States[ledger.NoCalls.String()] == 0 {
		return "No clients."
	}
	return "No client matches."
}

func (r *Report) table(b *strings.Builder, clients []ledger.Row) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.ToUpper(strings.Join(columnTitles, "\t")))
	for i := range clients {
		line := r.cells(&clients[i])
		for j := range line {
			line[j] = cmp.Or(terminal(line[j]), "-")
		}
		fmt.Fprintln(t, strings.Join(line, "\t"))
	}
	_ = t.Flush() // a strings.Builder does not fail
}

func ownerTitle(g group) string {
	var insecure, mixed, failing, uncalled int
	for i := range g.Clients {
		c := &g.Clients[i]
		switch c.State {
		case ledger.Insecure:
			insecure++
		case ledger.Mixed:
			mixed++
		case ledger.NoCalls:
			uncalled++
		}
		if c.Failing {
			failing++
		}
	}
	title := fmt.Sprintf("%s (%s, %s insecure, %s mixed, %s failing", cmp.Or(g.Owner, "No owner known"),
		figures.Plural(len(g.Clients)-uncalled, "client", "clients"), figures.Count(insecure), figures.Count(mixed), figures.Count(failing))
	if uncalled > 0 {
		title += "; " + figures.Count(uncalled) + " never called"
	}
	return title + ")"
}

// terminal replaces characters that could control a terminal or break a line.
func terminal(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

func (r *Report) markdownTable(b *strings.Builder, clients []ledger.Row) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(columnTitles, " | "), strings.Repeat("---|", len(columnTitles)))
	for i := range clients {
		line := r.cells(&clients[i])
		for j := range line {
			line[j] = markdown(line[j])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(line, " | "))
	}
}

// markdown escapes what Markdown, or HTML in it, would not treat as text.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range terminal(s) {
		switch {
		case strings.ContainsRune(`\`+"`*_[]|~#", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// csvTitles are the column headings of the CSV. It has more columns than a person
// would read, for programs and spreadsheets. Columns may be added at the end, but
// are never renamed.
var csvTitles = []string{
	"client", "identity_source", "owner", "state", "regressed", "verdict", "library", "program", "requests_per_day", "connections_per_day",
	"first_seen", "last_seen", "last_insecure", "last_secure", "declared_migrated", "fix", "fix_page", "falls_back_to_clear",
	"failing", "misdeclared", "several_programs", "migrated_by", "last_failed",
}

func (r *Report) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvTitles); err != nil {
		return err
	}
	for i := range r.Clients {
		c := &r.Clients[i]
		line := []string{
			c.Client, c.Source, c.Owner, c.State.String(), strconv.FormatBool(c.Regressed), c.Verdict.String(), c.Library, c.Program,
			strconv.FormatFloat(c.RequestsPerDay, 'f', 2, 64), strconv.FormatFloat(c.ConnectionsPerDay, 'f', 2, 64),
			figures.Stamp(c.FirstSeen), figures.Stamp(c.LastSeen), figures.Stamp(c.LastInsecure), figures.Stamp(c.LastSecure),
			figures.Stamp(c.Declared), c.Fix, c.FixPage(), r.unlessFleet(c.FallsBack),
			strconv.FormatBool(c.Failing), strconv.FormatBool(c.Misdeclared), r.unlessFleet(c.SeveralPrograms), c.MigratedBy, figures.Stamp(c.LastFailed),
		}
		for j := range line {
			line[j] = cell(line[j])
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// unlessFleet formats a mark that no metric has, so it is unknown for a fleet.
func (r *Report) unlessFleet(mark bool) string {
	if r.fleet {
		return ""
	}
	return strconv.FormatBool(mark)
}

// cell keeps a spreadsheet from taking a client's text for a formula: text that
// begins like one gets an apostrophe (OWASP, CSV injection).
func cell(s string) string {
	s = terminal(s)
	if s != "" && strings.ContainsRune("=+-@'|%\uFF1D\uFF0B\uFF0D\uFF20", []rune(s)[0]) {
		return "'" + s
	}
	return s
}
