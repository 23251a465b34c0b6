package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tlslift/metrics/ledger"
)

// The narrowest terminal supported, in columns, and the indentation of what goes
// below a row.
const (
	narrowest = 40
	indent    = "    "
)

// Columns by their index in columnTitles.
const (
	columnClient = iota
	columnState
	columnVerdict
	columnLibrary
	columnRequests
	columnInsecure
	columnOwner
	columnFix
)

// givenUp are the columns that move below the row if it is too wide, in order.
var givenUp = [...]int{columnFix, columnOwner, columnLibrary, columnRequests, columnInsecure, columnVerdict}

// WriteTerminal writes the table for people at a terminal of the given width. No
// line is wider, and columns that do not fit go below their row. Programs read
// the formats of Write, which do not change.
func (r *Report) WriteTerminal(w io.Writer, byOwner bool, columns int) error {
	columns = max(columns, narrowest)
	line := func(b *strings.Builder, text string) { fold(b, terminal(text), "", columns) }
	table := func(b *strings.Builder, clients []ledger.Row) { r.newSheet(clients, byOwner, columns).write(b) }
	if err := r.writeText(w, byOwner, layout{line: line, owner: line, table: table}); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// sheet is a table that fits a width.
type sheet struct {
	columns       int
	lines         [][]string // all cells; "" = empty
	beside, below []int      // which columns go where
	widths        []int      // of all columns
}

func (r *Report) newSheet(clients []ledger.Row, byOwner bool, columns int) *sheet {
	s := &sheet{columns: columns, widths: make([]int, len(columnTitles))}
	longest := max(narrowest/2, columns*2/5) // a longer name gets a line of its own
	used := make([]bool, len(columnTitles))
	for i := range clients {
		line := r.cells(&clients[i])
		for j := range line {
			line[j] = terminal(line[j])
			used[j] = used[j] || line[j] != ""
			if n := displayed(line[j]); j != columnClient || n <= longest {
				s.widths[j] = max(s.widths[j], n)
			}
		}
		s.lines = append(s.lines, line)
	}
	for j, title := range columnTitles {
		if used[j] && (j != columnOwner || !byOwner) {
			s.beside = append(s.beside, j)
			s.widths[j] = max(s.widths[j], len(title))
		}
	}
	for _, j := range givenUp {
		if at := slices.Index(s.beside, j); at >= 0 && s.width() > columns {
			s.beside = slices.Delete(s.beside, at, at+1)
			s.below = append(s.below, j)
		}
	}
	slices.Sort(s.below)
	return s
}

// width returns the width of a row, with two spaces between columns.
func (s *sheet) width() int {
	n := -2
	for _, j := range s.beside {
		n += s.widths[j] + 2
	}
	return n
}

func (s *sheet) write(b *strings.Builder) {
	titles := make([]string, len(columnTitles))
	for j, title := range columnTitles {
		titles[j] = strings.ToUpper(title)
	}
	s.row(b, titles)
	for _, line := range s.lines {
		if displayed(line[columnClient]) > s.widths[columnClient] {
			fold(b, line[columnClient], "", s.columns)
			line[columnClient] = " "
		}
		s.row(b, line)
		var facts []string
		for _, j := range s.below {
			if j != columnFix && line[j] != "" {
				facts = append(facts, columnTitles[j]+": "+line[j])
			}
		}
		fold(b, strings.Join(facts, ", "), indent, s.columns)
		if slices.Contains(s.below, columnFix) {
			fold(b, line[columnFix], indent, s.columns)
		}
	}
}

func (s *sheet) row(b *strings.Builder, line []string) {
	var text strings.Builder
	for _, j := range s.beside {
		cell := cmp.Or(line[j], "-")
		text.WriteString(cell)
		text.WriteString(strings.Repeat(" ", s.widths[j]+2-displayed(cell)))
	}
	b.WriteString(strings.TrimRight(text.String(), " "))
	b.WriteByte('\n')
}

// fold writes text in lines of at most the given width, broken between words if
// possible. It writes nothing for an empty text.
func fold(b *strings.Builder, text, indent string, columns int) {
	room := columns - len(indent)
	line, used := indent, 0
	flush := func() {
		b.WriteString(line)
		b.WriteByte('\n')
		line, used = indent, 0
	}
	for _, word := range strings.Fields(text) {
		if used > 0 && used+1+displayed(word) > room {
			flush()
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		for displayed(word) > room-used {
			part := fitting(word, room-used)
			line, word = line+part, word[len(part):]
			flush()
		}
		line, used = line+word, used+displayed(word)
	}
	if used > 0 {
		flush()
	}
}

// fitting returns as much of the start of a word as fits, but at least one character.
func fitting(word string, room int) string {
	n := 0
	for i, r := range word {
		if n += columnsOf(r); n > room && i > 0 {
			return word[:i]
		}
	}
	return word
}

// displayed returns the number of columns that a text takes.
func displayed(s string) (n int) {
	for _, r := range s {
		n += columnsOf(r)
	}
	return n
}

// columnsOf returns the number of columns that a terminal gives a character: 0
// for combining marks, 2 for East Asian scripts and emoji (Unicode TR 11).
func columnsOf(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff01 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
