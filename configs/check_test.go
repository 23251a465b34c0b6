package configs

import (
	"strings"
	"testing"
)

func TestClash(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "localhost:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"0.0.0.0:80", "127.0.0.2:80", true},
		{"0.0.0.0:80", "proxy.example:80", true}, // which may be an IPv4 address
		{"0.0.0.0:80", "[::1]:80", false},
		{"0.0.0.0:80", "[::]:80", true}, // [::] is both families
		{"0.0.0.0:80", ":80", true},
		{"[::]:80", "[::1]:80", true},
		{"[::]:80", "127.0.0.1:80", true},
	} {
		a, _ := endpoint(c.a)
		b, _ := endpoint(c.b)
		if clash(a, b) != c.want || clash(b, a) != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, !c.want)
		}
	}
}

// What is a configuration is recognized although it has mistakes; a report with
// clients in it, an owners file and anything that is not YAML are none.
func TestConfigurationsAreRecognized(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"others: pas\n":                         true,
		"lisen: []\nothers: auto\nlimits: {}\n": true,
		"others: auto\n---\nothers: auto\n":     true,
		"":                                      false,
		"# nothing\n":                           false,
		"shop/*: jane\nclients: jim\n":          false,
		`{"source": "", "summary": {}, "clients": []}`:      false,
		"client,state\nbilling,insecure\n":                  false,
		"<!doctype html>\n<html>":                           false,
		"others: " + strings.Repeat("a", maxFile):           false,
		"- others: auto\n- limits: {}\n":                    false,
		"apiVersion: v1\nkind: List\nmetadata: {}\nlog: {}": false,
	} {
		if got := Recognized([]byte(text)); got != want {
			t.Errorf("%.40q: %t", text, got)
		}
	}
}
