package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tlslift/configs"
	"tlslift/proxy/redact"
)

const rootLong = `tlslift keeps applications that cannot speak modern TLS working, and shows which
clients still need it. It accepts plaintext HTTP and TLS 1.0/1.1 from them and
forwards each request, once, over verified TLS 1.2 or 1.3.

Without a subcommand it runs the proxy on 127.0.0.1:3128, with metrics and the
status page on 127.0.0.1:9128:

  tlslift &
  http_proxy=http://127.0.0.1:3128 curl http://api.smsportal.com/api5/http5.aspx

Try it without an account: tlslift demo`

func newRootCommand() *cobra.Command {
	f := new(configFlags)
	root := &cobra.Command{
		Use:           "tlslift",
		Short:         "Forward old clients' calls over verified TLS 1.2+, and show which clients still need it",
		Long:          rootLong,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          f.run,
		Version:       versionLine(),

		PersistentPreRunE: noEmptyFile,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	f.register(root)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newRunCommand(),
		newCheckCommand(),
		newSchemaCommand(),
		newDemoCommand(),
		newCACommand(),
		newReportCommand(),
		newInjectCommand(),
		newRedirectCommand(),
		newServiceCommand(),
		newVersionCommand(),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = helpArgs
		case "completion":
			cmd.Args, cmd.RunE = nil, needsSubcommand("bash, fish, powershell or zsh")
			for _, shell := range cmd.Commands() {
				shell.Args = nil
			}
		}
	}
	refuseArgs(root)
	return root
}

// refuseArgs makes every command reject arguments if it does not say how to
// handle them.
func refuseArgs(cmd *cobra.Command) {
	if cmd.Args == nil {
		cmd.Args = noArgs
	}
	for _, sub := range cmd.Commands() {
		refuseArgs(sub)
	}
}

// needsSubcommand shows the help of a command that cannot run by itself. which
// lists its subcommands.
func needsSubcommand(which string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		_ = cmd.Help()
		return usageError{fmt.Errorf("%s needs a subcommand: %s", cmd.Name(), which)}
	}
}

// helpArgs rejects an unknown topic; cobra would print the help of the nearest
// parent command.
func helpArgs(cmd *cobra.Command, args []string) error {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) == 0 {
		return err
	}
	return unknownCommand(found, rest[0])
}

// unknownCommand returns the error for a word in place of a subcommand.
func unknownCommand(cmd *cobra.Command, word string) error {
	cmd.SuggestionsMinimumDistance = 2
	hint := missingFlag(cmd, word)
	if s := cmd.SuggestionsFor(word); len(s) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", s[0])
	}
	return usageError{fmt.Errorf("unknown command %q%s; see %s --help", redact.Value(word), hint, cmd.CommandPath())}
}

// configFlags are the flags of the commands that read a configuration. source
// finds the flags without a field by their names.
type configFlags struct {
	file      string
	upstreams []string
}

func (f *configFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "config", "c", "", "configuration `file` (YAML; TLSLIFT_CONFIG); without one, built-in defaults")
	fl.StringArray("listen", nil, "`address` to accept callers on, host:port; may be repeated; replaces the file's (TLSLIFT_LISTEN)")
	fl.String("admin", "", "`address` of metrics, probes and the status page (TLSLIFT_ADMIN); --admin \"\" turns it off")
	fl.StringArrayVar(&f.upstreams, "upstream", nil, "`host` or *.domain to upgrade requests to; may be repeated; replaces the file's")
	fl.String("log-level", "", "`level`: debug, info, warn or error (TLSLIFT_LOG_LEVEL)")
	fl.String("log-format", "", "`format`: json or console (TLSLIFT_LOG_FORMAT)")
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"json", "console"}, cobra.ShellCompDirectiveNoFileComp))
}

// source returns where the configuration comes from, including the given flags.
func (f *configFlags) source(cmd *cobra.Command, env []string) configs.Source {
	src := configs.Source{File: f.file, Env: env, Flags: make(configs.Flags)}
	cmd.Flags().Visit(func(given *pflag.Flag) {
		if list, ok := given.Value.(pflag.SliceValue); ok {
			src.Flags[given.Name] = list.GetSlice()
		} else {
			src.Flags[given.Name] = []string{given.Value.String()}
		}
	})
	return src
}
