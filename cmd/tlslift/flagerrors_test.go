package main

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Every flag of every command can say what it accepts.
func TestEveryFlagSaysWhatItAccepts(t *testing.T) {
	t.Parallel()
	seen := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if seen++; accepted(f) == "" {
				kind, _ := pflag.UnquoteUsage(f)
				t.Errorf("%s --%s: kinds has nothing about %q", cmd.CommandPath(), f.Name, kind)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(newRootCommand())
	if seen < 40 {
		t.Errorf("only %d flags", seen)
	}
}
