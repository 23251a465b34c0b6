package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, revision and Go version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), versionLine())
			return nil
		},
	}
}

// versionLine returns what `tlslift version` and --version print.
func versionLine() string {
	return fmt.Sprintf("tlslift %s (revision %s, %s, %s/%s)", version, sourceRevision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// sourceRevision returns the commit that was built: the one set by the linker,
// else the one recorded by the Go tool.
func sourceRevision() string {
	if revision != "" {
		return revision
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
