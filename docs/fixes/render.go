package fixes

import (
	"bytes"
	"html/template"
	"net/url"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	tables "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// render turns a page of this package into HTML and takes out its title. It is
// only for our own pages, not for outside input.
func render(page []byte) (title string, out template.HTML, err error) {
	markdown := goldmark.New(goldmark.WithExtensions(extension.Table),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(pageRenderer{}, 1))))
	doc := markdown.Parser().Parse(text.NewReader(page))
	for node := doc.FirstChild(); node != nil; {
		next := node.NextSibling()
		if heading, ok := node.(*ast.Heading); ok && heading.Level == 1 {
			title = string(heading.Lines().Value(page))
			doc.RemoveChild(doc, node)
		}
		node = next
	}
	var b bytes.Buffer
	err = markdown.Renderer().Render(&b, page, doc)
	return title, template.HTML(b.String()), err //nolint:gosec // our own text, escaped by goldmark
}

// pageRenderer changes what the admin page needs: wide content scrolls on a
// phone, with the keyboard too, and nothing links to other hosts.
type pageRenderer struct{}

func (pageRenderer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, renderCode)
	r.Register(ast.KindHTMLBlock, renderNothing)
	r.Register(ast.KindLink, renderLink)
	r.Register(tables.KindTable, renderTable)
}

func renderNothing(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

func renderCode(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(`<pre tabindex="0"><code>`)
		_, _ = w.Write(util.EscapeHTML(node.Lines().Value(source)))
		_, _ = w.WriteString("</code></pre>\n")
	}
	return ast.WalkContinue, nil
}

func renderTable(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString("<div class=\"scroll\" tabindex=\"0\"><table>\n")
	} else {
		_, _ = w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}

// renderLink links to other pages of this package. For any other link it
// shows the host.
func renderLink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	target := string(node.(*ast.Link).Destination)
	page, own := strings.CutSuffix(target, ".md")
	own = own && !strings.Contains(target, "://")
	switch {
	case own && entering:
		_, _ = w.WriteString(`<a href="/fixes/` + template.HTMLEscapeString(page) + `">`)
	case own:
		_, _ = w.WriteString("</a>")
	case !entering:
		if u, err := url.Parse(target); err == nil {
			_, _ = w.WriteString(" (" + template.HTMLEscapeString(u.Host) + ")")
		}
	}
	return ast.WalkContinue, nil
}
