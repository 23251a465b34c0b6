package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"listen", "log_level", "no-proxy", "port"}
	for word, want := range map[string]string{
		"listne": "listen", "LISTEN": "listen", "log-level": "log_level", "no_prxy": "no-proxy", "prot": "port",
		"telnet": "", "": "", strings.Repeat("listen", 20): "",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// Of names that are equally near, the one that begins as the word does.
func TestNearestBeginsAsTheWordDoes(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"mixed", "failing"}, {"failing", "mixed"}} {
		for word, want := range map[string]string{"failed": "failing", "Failed": "failing", "mixing": "mixed"} {
			if got := Nearest(word, names); got != want {
				t.Errorf("%q of %q: %q, want %q", word, names, got, want)
			}
		}
	}
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"mixd":                           `unknown state "mixd"; did you mean mixed? Write insecure or mixed`,
		"fine":                           `unknown state "fine"; write insecure or mixed`,
		"\x1b" + strings.Repeat("a", 99): `unknown state "\x1b` + strings.Repeat("a", 63) + `..."; write insecure or mixed`,
	} {
		if got := Unknown("state", word, []string{"insecure", "mixed"}); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}

func TestOneOf(t *testing.T) {
	t.Parallel()
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"}} {
		if got := OneOf(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}
