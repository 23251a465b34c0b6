package fixes

import (
	"html"
	"html/template"
	"strings"
)

// render turns the little of Markdown that the pages of this package use into
// HTML: headings, paragraphs, lists, tables, code blocks, and within a line
// code, emphasis, bold and links. Everything else is escaped text. It is for our own
// pages, not for anything that comes from outside.
func render(text string) (title string, out template.HTML) {
	r := renderer{lines: strings.Split(strings.TrimSpace(text), "\n")}
	for r.more() {
		line := r.lines[r.at]
		switch {
		case line == "" || strings.HasPrefix(line, "<!--"):
			r.at++
		case strings.HasPrefix(line, "# "):
			title = line[2:]
			r.at++
		case strings.HasPrefix(line, "## "):
			r.put("<h2>", inline(line[3:]), "</h2>\n")
			r.at++
		case strings.HasPrefix(line, "```"):
			r.code()
		case strings.HasPrefix(line, "|"):
			r.table()
		case listItem(line) != "":
			r.list()
		default:
			r.paragraph()
		}
	}
	return title, template.HTML(r.out.String()) //nolint:gosec // our own text, escaped by inline and code
}

type renderer struct {
	lines []string
	at    int
	out   strings.Builder
}

func (r *renderer) more() bool { return r.at < len(r.lines) }

func (r *renderer) put(parts ...string) {
	for _, p := range parts {
		r.out.WriteString(p)
	}
}

func (r *renderer) code() {
	r.at++
	r.put(`<pre tabindex="0"><code>`)
	for r.more() && !strings.HasPrefix(r.lines[r.at], "```") {
		r.put(html.EscapeString(r.lines[r.at]), "\n")
		r.at++
	}
	r.at++
	r.put("</code></pre>\n")
}

func (r *renderer) table() {
	r.put(`<div class="scroll" tabindex="0"><table><thead>`)
	for row := 0; r.more() && strings.HasPrefix(r.lines[r.at], "|"); row++ {
		cells := strings.Split(strings.Trim(r.lines[r.at], "|"), "|")
		r.at++
		if row == 1 { // the line of dashes
			continue
		}
		tag := "td"
		if row == 0 {
			tag = `th scope="col"`
		}
		r.put("<tr>")
		for _, c := range cells {
			r.put("<", tag, ">", inline(strings.TrimSpace(c)), "</", tag[:2], ">")
		}
		r.put("</tr>")
		if row == 0 {
			r.put("</thead><tbody>")
		}
	}
	r.put("</tbody></table></div>\n")
}

func (r *renderer) list() {
	tag := listItem(r.lines[r.at])
	r.put("<", tag, ">")
	for r.more() && listItem(r.lines[r.at]) == tag {
		_, item, _ := strings.Cut(r.lines[r.at], " ")
		r.put("<li>", inline(item), "</li>")
		r.at++
	}
	r.put("</", tag, ">\n")
}

// listItem is the tag of the list that a line belongs to; "" = none.
func listItem(line string) string {
	switch {
	case strings.HasPrefix(line, "- "):
		return "ul"
	case len(line) > 3 && line[0] >= '1' && line[0] <= '9' && line[1] == '.' && line[2] == ' ':
		return "ol"
	}
	return ""
}

func (r *renderer) paragraph() {
	r.put("<p>")
	for r.more() && r.lines[r.at] != "" && !strings.HasPrefix(r.lines[r.at], "```") {
		r.put(inline(r.lines[r.at]), "\n")
		r.at++
	}
	r.put("</p>\n")
}

// inline renders code, bold, emphasis and links within a line.
func inline(s string) string {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "`*[")
		if i < 0 {
			break
		}
		if s[i] == '[' {
			b.WriteString(html.EscapeString(s[:i]))
			s = link(&b, s[i:])
			continue
		}
		b.WriteString(html.EscapeString(s[:i]))
		mark, tag := s[i:i+1], "code"
		if s[i] == '*' {
			mark, tag = "*", "em"
			if strings.HasPrefix(s[i:], "**") {
				mark, tag = "**", "strong"
			}
		}
		text, rest, closed := strings.Cut(s[i+len(mark):], mark)
		if !closed {
			s = s[i:]
			break
		}
		b.WriteString("<" + tag + ">" + html.EscapeString(text) + "</" + tag + ">")
		s = rest
	}
	b.WriteString(html.EscapeString(s))
	return b.String()
}

// link renders the link that s begins with, or its bracket if it is none, and
// returns what follows. A link to another page is one of the page's own server;
// of one to elsewhere only the host is shown: the admin side links to nobody.
func link(b *strings.Builder, s string) string {
	text, rest, found := strings.Cut(s[1:], "](")
	target, after, closed := strings.Cut(rest, ")")
	if !found || !closed || strings.ContainsAny(text, "[]") {
		b.WriteByte('[')
		return s[1:]
	}
	if page, own := strings.CutSuffix(target, ".md"); own {
		b.WriteString(`<a href="/fixes/` + html.EscapeString(page) + `">` + html.EscapeString(text) + "</a>")
		return after
	}
	_, place, _ := strings.Cut(target, "://")
	place, _, _ = strings.Cut(place, "/")
	b.WriteString(html.EscapeString(text + " (" + place + ")"))
	return after
}
