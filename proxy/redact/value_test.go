package redact

import "testing"

func TestValue(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "",
		"10.0.0.7:8443":                         "10.0.0.7:8443",
		"me:hunter2@10.0.0.7":                   "...@10.0.0.7",
		"me:hun@ter2@10.0.0.7":                  "...@10.0.0.7",
		"http://me:hunter2@10.0.0.7:1/x":        "...@10.0.0.7:1/x",
		"@10.0.0.7":                             "...@10.0.0.7",
		"https://a.example/x?password=hunter2":  "https://a.example/x?...",
		"a.example?":                            "a.example",
		"me:hunter2@a.example?password=hunter2": "...@a.example?...",
		"me:hunter?2@a.example":                 "...",
		"a.example?me=a@b&password=hunter2":     "...",
		"me:hun\nter2@a.example":                "...@a.example",
	} {
		if got := Value(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
