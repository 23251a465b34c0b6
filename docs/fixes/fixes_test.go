package fixes_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"tlslift/docs/fixes"
	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

func TestEveryVerdictHasAFix(t *testing.T) {
	t.Parallel()
	for _, v := range ledger.Verdicts {
		for f := range call.Families() {
			fix := fixes.For(v.String(), f.String())
			if fix.Sentence == "" || len(fix.Sentence) > 240 {
				t.Errorf("%s, %s: the sentence is %q", v, f, fix.Sentence)
			}
			for _, name := range []string{fix.Page, fix.Runtime} {
				if _, ok := fixes.Lookup(name); !ok && (name != "" || name == fix.Page) {
					t.Errorf("%s, %s: there is no page %q", v, f, name)
				}
			}
			if fix.Page == fix.Runtime {
				t.Errorf("%s, %s: the page %q is named twice", v, f, fix.Page)
			}
		}
	}
	if fix := fixes.For("", "Java 6"); fix != (fixes.Fix{}) {
		t.Errorf("a client never seen: %+v", fix)
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ verdict, library, page, runtime string }{
		{"plaintext", "Java 6 or older", "http-to-https", "java"},
		{"plaintext", "none", "http-to-https", ""},
		{"legacy-only", "OpenSSL 0.9.8", "curl-openssl", ""},
		{"legacy-only", "Schannel (Windows XP)", "dotnet", ""},
		{"legacy-only", "", "other", ""},
		{"sslv2-framed", "Java 6 (JSSE)", "java", ""},
		{"capable", "PHP", "drop-the-proxy", "php"},
		{"distrusts-ca", "Python requests", "trust-the-ca", "python"},
		{"no-shared-cipher", "Java 7", "shared-ciphers", "java"},
		{"legacy-only", "Mono", "dotnet", ""},
		{"legacy-only", "Indy", "delphi", ""},
		{"plaintext", "WinHTTP", "http-to-https", "winhttp"},
	} {
		if got := fixes.For(c.verdict, c.library); got.Page != c.page || got.Runtime != c.runtime {
			t.Errorf("%s, %q: pages %q and %q, want %q and %q", c.verdict, c.library, got.Page, got.Runtime, c.page, c.runtime)
		}
	}
}

// Each page has a title and says where to point the client, and the renderer
// leaves no mark of Markdown behind.
func TestPages(t *testing.T) {
	t.Parallel()
	tags := regexp.MustCompile(`<[^>]*>`)
	known := regexp.MustCompile(`^</?(h2|p|ul|ol|li|em|strong|code|pre|pre tabindex="0"|div|div class="scroll" tabindex="0"|table|thead|tbody|tr|td|th|th scope="col")>$`)
	names := fixes.Names()
	if len(names) < 14 {
		t.Fatalf("only %d pages: %v", len(names), names)
	}
	for _, name := range names {
		p, ok := fixes.Lookup(name)
		if !ok || p.Title == "" {
			t.Errorf("%s: no title", name)
		}
		for _, tag := range tags.FindAllString(string(p.HTML), -1) {
			if !known.MatchString(tag) {
				t.Errorf("%s: tag %s", name, tag)
			}
		}
		for _, pair := range []string{"p", "ul", "ol", "li", "code", "table", "td", "th", "tr"} {
			open := strings.Count(string(p.HTML), "<"+pair+">") + strings.Count(string(p.HTML), "<"+pair+" ")
			if closed := strings.Count(string(p.HTML), "</"+pair+">"); open != closed {
				t.Errorf("%s: %d <%s> and %d </%s>", name, open, pair, closed, pair)
			}
		}
		prose := html.UnescapeString(tags.ReplaceAllString(regexp.MustCompile(`(?s)<(code|pre)[^>]*>.*?</(code|pre)>`).ReplaceAllString(string(p.HTML), ""), ""))
		if strings.ContainsAny(prose, "`|#") || strings.Contains(prose, "**") {
			t.Errorf("%s: Markdown is left in %q", name, prose)
		}
	}
}

func TestLookupStaysInside(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", ".", "..", "../fixes", "java.md", "/etc/passwd", `..\x`, "nothing"} {
		if _, ok := fixes.Lookup(name); ok {
			t.Errorf("%q was found", name)
		}
	}
}
