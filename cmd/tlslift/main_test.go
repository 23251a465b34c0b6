package main

import (
	"io"
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
