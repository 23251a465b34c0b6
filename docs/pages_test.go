// Package docs_test holds the documentation to its form: links that lead
// somewhere, how-tos that begin and end alike, plain words.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the paths of the documentation, from the root of the repository.
func pages(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"../*.md", "*.md", "fixes/*.md", "runbooks/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		paths = append(paths, found...)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fenced   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inline   = regexp.MustCompile("`[^`\n]*`")
	comment  = regexp.MustCompile(`(?s)<!--.*?-->`)
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	noAnchor = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// prose is a page without its code.
func prose(page string) string {
	return inline.ReplaceAllString(comment.ReplaceAllString(fenced.ReplaceAllString(page, ""), ""), "")
}

// anchors are the names of a page's headings, as GitHub makes them.
func anchors(page string) (names []string) {
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		name := noAnchor.ReplaceAllString(strings.ToLower(h[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			path, anchor, hasAnchor := strings.Cut(l[1], "#")
			if strings.Contains(l[1], "://") {
				continue
			}
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s: %v", page, l[1], err)
			} else if hasAnchor && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s: %s: no such heading; there are %q", page, l[1], anchors(read(t, target)))
			}
		}
	}
}

// TestHowTos: a how-to begins with what the reader needs and ends with how to
// see that it worked.
func TestHowTos(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"getting-started.md", "hosts.md", "kubernetes.md", "certificates.md", "migrating.md", "dashboards.md"} {
		text := read(t, page)
		if !strings.Contains(text, "ou need ") {
			t.Errorf("%s does not say what is needed", page)
		}
		if !strings.Contains(text, "o see that it worked") {
			t.Errorf("%s does not say how to see that it worked", page)
		}
	}
	fixes, err := filepath.Glob("fixes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range fixes {
		text := strings.ToLower(read(t, page))
		if page != "fixes/no-user-agent.md" && !strings.Contains(text, "see that it worked") && !strings.Contains(text, "## check ") {
			t.Errorf("%s does not say how to see that it worked", page)
		}
	}
}

// TestPlainWords: words that a native technical writer would not use here.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	words := regexp.MustCompile(`(?i)\b(heeds?|whoever|whom|somebody|lest|for want of|all else|stands? over|so that|told|taken over|takes? over|is no [a-z]+)\b`)
	// What is good English all the same, or comes from the interop tests.
	english := strings.NewReplacer("here is no ", "", " is no longer", "", "Who trusts whom", "")
	files := pages(t)
	for _, pattern := range []string{"../configs/*.yaml", "../deploy/*/*.yaml", "../deploy/*/*/*.yaml", "../deploy/systemd/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text := read(t, file)
		if strings.HasSuffix(file, ".md") {
			text = prose(text)
		}
		for line := range strings.Lines(english.Replace(text)) {
			if w := words.FindString(line); w != "" {
				t.Errorf("%s: %q in %s", file, w, line)
			}
		}
	}
}
