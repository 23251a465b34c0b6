package main

import (
	"os"
	"strings"
	"testing"

	"tlslift/configs"
)

// A file that nobody named is not used, however usual its name. Its own process's
// working directory is changed, so it runs alone.
func TestUnusedConfigurationIsNoted(t *testing.T) {
	t.Chdir(t.TempDir())
	if notes := unused(configs.Source{}); len(notes) != 0 {
		t.Errorf("without a file: %q", notes)
	}
	if err := os.WriteFile("tlslift.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if notes := unused(configs.Source{}); len(notes) != 1 || !strings.Contains(notes[0], "write --config tlslift.yaml") {
		t.Errorf("with a file: %q", notes)
	}
	for _, src := range []configs.Source{{File: "x.yaml"}, {Env: []string{"TLSLIFT_CONFIG=x.yaml"}}} {
		if notes := unused(src); len(notes) != 0 {
			t.Errorf("%v: %q", src, notes)
		}
	}
}
