package configs

import (
	"fmt"
	"strings"
	"testing"
)

// hostile returns files of the greatest size that make the loader work hardest.
func hostile() map[string]string {
	fill := func(piece string) string { return strings.Repeat(piece, maxFile/len(piece)) }
	var listeners, names, brackets strings.Builder
	for i := range maxEntries {
		fmt.Fprintf(&listeners, "- {address: \"10.%d.%d.%d:1\", default_upstream: a.b}\n", i>>16, i>>8&255, i&255)
	}
	for i := range maxEntries {
		fmt.Fprintf(&names, " - {name: n%d, match: [10.%d.%d.%d]}\n", i, i>>16, i>>8&255, i&255)
	}
	for brackets.Len() < maxFile-10 {
		brackets.WriteString("[")
	}
	return map[string]string{
		"brackets":     brackets.String(),
		"braces":       fill("{a: "),
		"dashes":       fill("- "),
		"questions":    fill("? "),
		"comments":     fill("#\n"),
		"blank":        fill("\n"),
		"unknown keys": fill("a:\n"),
		"anchors":      fill("- &a a\n"),
		"aliases":      "a: &a x\nb: [" + strings.Repeat("*a ,", maxFile/4-10) + "]",
		"documents":    fill("---\n"),
		"too many":     "listen: [" + strings.Repeat("a,", maxFile/2-10) + "]",
		"wrong ones":   "listen: [" + strings.Repeat("a,", maxEntries) + "]",
		"one word":     fill("x"),
		"quoted":       "others: \"" + strings.Repeat(`\n`, maxFile/2-10) + "\"",
		"listeners":    "listen:\n" + listeners.String(),
		"names":        "clients:\n names:\n" + names.String(),
	}
}

// TestHostileFilesEnd loads each of them. None may take so long that the test's
// own deadline finds it.
func TestHostileFilesEnd(t *testing.T) {
	t.Parallel()
	for name, content := range hostile() {
		if len(content) > maxFile {
			t.Errorf("%s: %d bytes", name, len(content))
		}
		s := Source{Env: []string{"TLSLIFT_LISTEN=10.0.0.1:1,10.0.0.2:1"}}
		if _, err := load(s, []byte(content)); err != nil {
			expectPrintable(t, err)
		}
	}
}
