package problem

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs keeps docs/errors.md in step: its table and its bodies are those
// of the code, and every reason has a section that shows each of its bodies.
func TestDocs(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "errors.md")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	shown := map[string]bool{}
	want := regexp.MustCompile(`(?s)<!-- table -->\n.*?<!-- /table -->`).ReplaceAllLiteralString(doc,
		"<!-- table -->\n"+docTable()+"<!-- /table -->")
	block := regexp.MustCompile(`(?s)<!-- example (\w+) (\w+) -->\n.*?<!-- /example -->`)
	want = block.ReplaceAllStringFunc(want, func(old string) string {
		m := block.FindStringSubmatch(old)
		shown[m[1]+" "+m[2]] = true
		return "<!-- example " + m[1] + " " + m[2] + " -->\n" + docExample(t, m[1], m[2]) + "<!-- /example -->"
	})
	if *update && want != doc {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		doc = want
	}
	if want != doc {
		t.Errorf("%s is not what the code says: run go test ./proxy/problem -args -update", file)
	}
	for _, ex := range examples() {
		if !shown[ex.name+" text"] {
			t.Errorf("%s does not show %s", file, ex.name)
		}
		if section := "\n### `" + ex.p.Reason.String() + "`\n"; strings.Count(doc, section) != 1 {
			t.Errorf("%s has no section %q", file, section)
		}
	}
	for _, d := range dialects {
		if !shown["reset "+d.String()] {
			t.Errorf("%s does not show what %v looks like", file, d)
		}
	}
}

// String is the level as docs/errors.md shows it.
func (l Level) String() string {
	switch l {
	case LevelError:
		return "error"
	case LevelWarn:
		return "warn"
	default:
		return "info"
	}
}

// docTable is one row per answer.
func docTable() string {
	var b strings.Builder
	b.WriteString("| Tlslift-Error | status | Tlslift-Delivery | connection | level | what happened |\n|---|---|---|---|---|---|\n")
	for _, ex := range examples() {
		p, a := ex.p, ex.p.answer()
		connection := "stays"
		if a.Closes {
			connection = "closes"
		}
		fmt.Fprintf(&b, "| [`%s`](#%[1]s) | %d | `%s` | %s | %s | %s |\n", p.word(), p.status(), p.delivery(), connection,
			LevelOf(p.Reason, p.Delivery), p.text(a.what))
	}
	return b.String()
}

// docExample is a body as the page shows it.
func docExample(t *testing.T, name, dialect string) string {
	t.Helper()
	for _, ex := range examples() {
		for _, d := range dialects {
			if ex.name == name && d.String() == dialect {
				_, _, body := ex.p.Render(d)
				return "```" + strings.TrimPrefix(extension[d], ".") + "\n" + strings.TrimSuffix(string(body), "\n") + "\n```\n"
			}
		}
	}
	t.Errorf("there is no answer %s in %s", name, dialect)
	return ""
}
