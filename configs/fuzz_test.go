package configs

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzLoad feeds files, variables and flags to the loader. Whatever they hold,
// it ends, with a configuration that loads to the same again or with problems
// that can be printed.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(exampleFile), "127.0.0.1:1,[::1]:2", "*.example.com")
	f.Add([]byte(everyValue), "127.0.0.1:3128", "api.example.com")
	f.Add([]byte("listen: [{address: \"127.0.0.1:0\"}]\n---\nlog: *x"), "", "")
	f.Add([]byte("a: &a [*a, *a]\n<<: *a\n"), ",,", "bücher.example")
	f.Add([]byte("listen: 127.0.0.1:1\nupstreams: [a.example, {host: '*.b'}]\n"), "127.0.0.1:1", "a.example")
	f.Add([]byte("\ufeffa: &a [x]\nb: &b [*a, *a]\n---\n--- \"\n"), "", "")
	f.Add([]byte("listen:\n\t- a\nlog: {level: [\n? x\n"), ":0", "*.x")
	f.Fuzz(func(t *testing.T, data []byte, listen, upstream string) {
		if len(data) > maxFile {
			return
		}
		s := Source{
			Env:   []string{"TLSLIFT_LISTEN=" + listen, "TLSLIFT_" + upstream, "TLSLIFT_WORKLOAD=" + upstream},
			Flags: Flags{"upstream": {upstream}, "admin": {listen}},
		}
		expectSettled(t, Source{}, data)
		expectSettled(t, s, data)
	})
}

// load loads as Load does, with every file that a key names at hand.
func load(s Source, data []byte) (*Config, error) {
	l := newLoader("tlslift.yaml")
	l.readable = func(string) error { return nil }
	return l.finish(s, data)
}

func expectSettled(t *testing.T, s Source, data []byte) {
	t.Helper()
	c, err := load(s, data)
	if err != nil {
		expectPrintable(t, err)
		return
	}
	if len(c.Listen) == 0 || len(c.Upstreams) == 0 {
		t.Errorf("nothing to listen on, or no upstream: %+v", c)
	}
	for _, u := range c.Upstreams {
		if again, err := parsePattern(u.Host.String()); err != nil || again != u.Host {
			t.Errorf("%q becomes %q, which becomes %q, %v", u.Host, u.Host, again, err)
		}
	}
	again, err := load(s, data)
	if err != nil || !reflect.DeepEqual(c, again) || len(again.RestartDiff(c)) > 0 {
		t.Errorf("loads differently again: %v", err)
	}
}

func expectPrintable(t *testing.T, err error) {
	t.Helper()
	problems, ok := errors.AsType[Problems](err)
	if !ok || len(problems) == 0 || len(problems) > maxProblems {
		t.Fatalf("%d problems, %T", len(problems), err)
	}
	for _, p := range problems {
		text := p.Error()
		if p.Message == "" || len(text) > 8192 || !utf8.ValidString(text) ||
			strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("problem %q", text)
		}
		if p.Line < 0 {
			t.Errorf("line %d: %s", p.Line, text)
		}
	}
}
