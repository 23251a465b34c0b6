package configs

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// hostile returns files of the greatest size that make the loader work hardest.
func hostile() map[string]string {
	fill := func(piece string) string { return strings.Repeat(piece, (maxFile-20)/len(piece)) }
	var listeners, names, brackets, deep, keys, bomb strings.Builder
	for i := range maxEntries {
		fmt.Fprintf(&listeners, "- {address: \"10.%d.%d.%d:1\", default_upstream: a.b}\n", i>>16, i>>8&255, i&255)
	}
	for i := range maxEntries {
		fmt.Fprintf(&names, " - {name: n%d, match: [10.%d.%d.%d]}\n", i, i>>16, i>>8&255, i&255)
	}
	for i := 0; deep.Len() < maxFile-2000; i++ { // each deeper than the one before
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for i := 0; keys.Len() < maxFile-20; i++ {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	bomb.WriteString("a0: &a0 [x, x]\n")
	for i := range 60 { // 2^60 values, were they followed
		fmt.Fprintf(&bomb, "a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
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
		"nested":       strings.Repeat("[", maxFile/2) + strings.Repeat("]", maxFile/2),
		"sections":     deep.String(),
		"keys":         keys.String(),
		"plain":        "upstreams: [" + fill("a.b,") + "]",
		"colons":       fill(": "),
		"tabs":         "log:\n" + fill("\t"),
		"byte marks":   fill("\ufeff"),
		"alias bomb":   bomb.String(),
	}
}

// TestHostileFilesEnd loads each of them. None may take so long that the test's
// own deadline finds it, or take memory without measure.
func TestHostileFilesEnd(t *testing.T) {
	for name, content := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if len(content) > maxFile {
			t.Errorf("%s: %d bytes", name, len(content))
		}
		s := Source{Env: []string{"TLSLIFT_LISTEN=10.0.0.1:1,10.0.0.2:1"}}
		if _, err := load(s, []byte(content)); err != nil {
			expectPrintable(t, err)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 512 {
			t.Errorf("%s: %d MiB allocated", name, got)
		}
	}
}
