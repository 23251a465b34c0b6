package rewrite

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestVia(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	Via(h, ViaElement("1.0", "tlslift-a"))
	Via(h, ViaElement("HTTP/1.1", "tlslift-b"))
	if want := []string{"1.0 tlslift-a", "1.1 tlslift-b"}; !slices.Equal(h["Via"], want) {
		t.Errorf("Via is %q, want %q", h["Via"], want)
	}
	if !HasVia(h, "tlslift-a") || !HasVia(h, "tlslift-b") || HasVia(h, "tlslift-c") {
		t.Error("HasVia does not find what Via wrote")
	}
}

func TestHasVia(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		value string
		want  bool
	}{
		{"1.1 us", true},
		{"HTTP/1.1 us", true},
		{"1.1 US", true},
		{"\t1.0  us ", true},
		{"1.0 fred, 1.1 us", true},
		{"1.1 us, 1.0 fred", true},
		{"1.1 us (tlslift)", true},
		{"1.1 us(tlslift)", true},
		{"1.1 fred (a, 1.1 b), 1.1 us", true},
		{`1.1 fred (a \) (nested), x), 1.1 us`, true},
		{",, ,1.1 us", true},
		{"1.1 fred x y, 1.1 us", true},
		// A comment without an end hides nothing.
		{"1.1 fred (, 1.1 us", true},
		{`1.1 fred (\, 1.1 us`, true},
		{"( ( (, 1.1 us", true},
		{"", false},
		{",", false},
		{"us", false},
		{"us 1.1", false},
		{"1.1 fred (us)", false},
		{"1.1 fred (x, 1.1 us)", false},
		{"1.1 fred us", false},
		{"1.1 us:3128", false},
		{"1.1 notus", false},
		{"1.1 us2", false},
	} {
		if got := HasVia(http.Header{"Via": {"1.0 other", tt.value}}, "us"); got != tt.want {
			t.Errorf("HasVia(%q) = %v, want %v", tt.value, got, tt.want)
		}
	}
}

// FuzzHasVia checks that nothing a caller writes before it hides our name.
func FuzzHasVia(f *testing.F) {
	f.Add("1.1 fred (a, b)")
	f.Add(`1.1 x (((\`)
	f.Add(",")
	f.Fuzz(func(t *testing.T, before string) {
		h := http.Header{"Via": {before}}
		Via(h, ViaElement("1.1", "tlslift-0123456789abcdef"))
		if !HasVia(h, "tlslift-0123456789abcdef") {
			t.Fatalf("not found after %q", before)
		}
		if open := strings.Count(before, "(") > 0; !open {
			if !HasVia(http.Header{"Via": {before + ", 1.1 tlslift-0123456789abcdef"}}, "tlslift-0123456789abcdef") {
				t.Fatalf("not found when joined to %q", before)
			}
		}
	})
}

func BenchmarkHasVia(b *testing.B) {
	h := http.Header{"Via": {"1.1 tlslift-fedcba9876543210 (sidecar)"}}
	b.ReportAllocs()
	for b.Loop() {
		HasVia(h, "tlslift-0123456789abcdef")
	}
}

func BenchmarkVia(b *testing.B) {
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		Via(h, ViaElement("1.1", "tlslift-0123456789abcdef"))
		delete(h, "Via")
	}
}

// A field full of open parentheses takes no longer than another one.
func BenchmarkHasViaHostile(b *testing.B) {
	h := http.Header{"Via": {strings.Repeat("(", 64<<10)}}
	b.ReportAllocs()
	for b.Loop() {
		HasVia(h, "tlslift-0123456789abcdef")
	}
}
