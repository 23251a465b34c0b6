package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tlslift/configs"
)

func newCheckCommand() *cobra.Command {
	f := new(configFlags)
	var online bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration; with --online also the upstreams",
		Long: `Check a configuration and report every problem at once, with file, line, key
and what to do. Nothing is started.

With --online, it resolves, connects to, and verifies each upstream that is a
host, and each pattern with "to", as the proxy does. It sends no request. It
prints the address, TLS version, cipher, chain, and days to expiry. For an
upstream that fails, it prints the reason, the certificates that it showed, and
what to do. It does not try other patterns: name hosts, below a pattern too, with
--upstream.

Exit status:
  0  the configuration is right; with --online, every upstream that was tried
     works, and none was tried if every upstream is a pattern
  1  an upstream cannot be reached or verified
  2  the configuration or a flag is wrong`,
		Example: `  tlslift check --config tlslift.yaml
  tlslift check --online --upstream api.smsportal.com`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if timeout <= 0 {
				return usageError{fmt.Errorf("--timeout %s: write a time longer than 0, such as 10s", timeout)}
			}
			src := f.source(cmd, os.Environ())
			src.Once = true
			var named []string
			if online {
				named = f.upstreams
				delete(src.Flags, "upstream") // here it selects among the upstreams
			}
			in, err := load(src, nil, wrongStateFile, func(in *loaded) configs.Problems { return outsideCA(in.cfg, in.settings.CA) })
			if err != nil {
				return usageError{err}
			}
			out := cmd.OutOrStdout()
			for _, w := range slices.Concat(unused(src), warnings(in)) {
				fmt.Fprintln(out, "note: "+w)
			}
			fmt.Fprintln(out, "configuration ok: "+describeSource(src))
			if !online {
				return nil
			}
			return checkOnline(cmd.Context(), out, in, named, timeout)
		},
	}
	f.register(cmd)
	cmd.Flags().Lookup("upstream").Usage += "; with --online, what to connect to"
	cmd.Flags().BoolVar(&online, "online", false, "also connect to every upstream that is a host")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long one upstream may take with --online")
	return cmd
}

// unused notes a configuration file in the working directory that is not in use.
func unused(src configs.Source) []string {
	const usual = "tlslift.yaml"
	if _, err := os.Stat(usual); src.Path() != "" || err != nil {
		return nil
	}
	return []string{"./" + usual + " is not used: to use it, write --config " + usual}
}

// describeSource says which configuration is in force.
func describeSource(src configs.Source) string {
	if p := src.Path(); p != "" {
		return p
	}
	return "built-in defaults"
}
