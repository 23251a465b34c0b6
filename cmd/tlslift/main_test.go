package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A word that stands where no argument belongs is shown without its password.
func TestArgumentsAreShownWithoutPasswords(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "ca", "report"} {
		for _, word := range []string{"http://me:hunter2@a.example", "http://a.example/?token=hunter2", "me:hunter2@a.example/x"} {
			root := newRootCommand()
			root.SetArgs(strings.Fields(command + " " + word))
			root.SetOut(io.Discard)
			root.SetErr(io.Discard)
			if err := root.Execute(); statusOf(err) != exitUsage || !strings.Contains(err.Error(), "a.example") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %s: %v", command, word, err)
			}
		}
	}
}

// A command whose answer cannot be printed has failed.
func TestAnAnswerThatIsNotPrintedFails(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	for _, args := range []string{"version", "schema", "--help"} {
		if status := run(strings.Fields(args), readOnly, stderr); status == exitDone {
			t.Errorf("%s: exit status %d", args, status)
		}
	}
	if said, err := os.ReadFile(stderr.Name()); err != nil || !strings.Contains(string(said), "tlslift: write "+name+": ") {
		t.Errorf("said %q, %v", said, err)
	}
}
