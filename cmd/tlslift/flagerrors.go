package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tlslift/configs"
	"tlslift/proxy/host"
	"tlslift/proxy/redact"
	"tlslift/proxy/suggest"
)

// flagError says what is wrong with a flag: its name, its value, and what to
// write instead.
func flagError(cmd *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%s; see %s --help", sayFlag(cmd, err), cmd.CommandPath())}
}

func sayFlag(cmd *cobra.Command, err error) string {
	switch err := err.(type) { //nolint:errorlint // pflag wraps none of them
	case *pflag.NotExistError:
		return unknownFlag(cmd, err)
	case *pflag.ValueRequiredError:
		return fmt.Sprintf("--%s needs a value; write %s", err.GetFlag().Name, accepted(err.GetFlag()))
	case *pflag.InvalidValueError:
		return fmt.Sprintf("--%s %q: write %s", err.GetFlag().Name, err.GetValue(), accepted(err.GetFlag()))
	case *pflag.InvalidSyntaxError:
		return fmt.Sprintf("%q is not a flag; write --NAME VALUE", err.GetSpecifiedFlag())
	}
	return err.Error()
}

// noEmptyFile rejects an empty file name, as from --config "$FILE" if that
// variable is not set: the command would run as if the flag were missing.
func noEmptyFile(cmd *cobra.Command, _ []string) error {
	var empty error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		texts := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			texts = list.GetSlice()
		}
		if kind, _ := pflag.UnquoteUsage(f); kind == "file" && slices.Contains(texts, "") {
			empty = flagError(cmd, fmt.Errorf("--%s needs a value; write %s", f.Name, accepted(f)))
		}
	})
	return empty
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) string {
	flag, word := "--"+err.GetSpecifiedName(), err.GetSpecifiedName()
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		flag, word = "-"+word, letters // pflag reads -listen as -l -i -s ...
		if len(letters) > 2 {
			flag = "-" + letters
		}
	}
	if of := commandsWith(cmd, word); of != "" {
		return "unknown flag " + flag + "; it is a flag of " + of + ": write it after that command"
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := suggest.Nearest(word, names); near != "" && len(word) > 1 {
		return "unknown flag " + flag + "; did you mean --" + near + "?"
	}
	return "unknown flag " + flag
}

// commandsWith names the subcommands of cmd that have a flag; "" = there are none.
func commandsWith(cmd *cobra.Command, flag string) string {
	var have []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.LocalFlags().Lookup(flag) != nil {
			have = append(have, sub.Name())
		}
	}
	return suggest.OneOf(have)
}

// kinds describe what a flag's value can be, by the word for the value in the help.
var kinds = map[string]string{
	"address":   "a host and a port, such as 127.0.0.1:3128",
	"directory": "a directory, such as /etc/tlslift/ca",
	"domain":    "a domain, such as smsportal.com",
	"duration":  "a time with its unit, such as 10s or 2m",
	"file":      "the name of a file, such as ./tlslift.yaml",
	"host":      "a host or a pattern, such as api.smsportal.com or *.smsportal.com",
	"hosts":     "hosts and domains, such as localhost,.svc",
	"id":        "the number of a user, 0 to 4294967295, such as 47128",
	"image":     "an image, such as registry.example/tlslift:1.0",
	"name":      "a name, such as billing",
	"number":    "a whole number, such as 365",
	"port":      "a number from 1 to 65535, such as 3128",
	"quantity":  "a Kubernetes quantity, such as 64Mi",
	"states":    "one state or several, such as insecure,mixed",
	"time":      "a time, such as 14d or 36h",
	"URL":       "a URL, such as http://127.0.0.1:9128",
}

// accepted describes the values that a flag accepts. The help of a flag with a
// closed set of values lists them after a colon.
func accepted(f *pflag.Flag) string {
	kind, usage := pflag.UnquoteUsage(f)
	if f.Value.Type() == "bool" {
		return "--" + f.Name + ", --" + f.Name + "=true or --" + f.Name + "=false"
	}
	if values, is := strings.CutPrefix(usage, kind+": "); is {
		values, _, _ = strings.Cut(values, " (")
		return values
	}
	return kinds[kind]
}

// checkArgs rejects what the parser would misread. A long flag with one dash,
// such as -config, would be read as -c with the value onfig. For an unknown
// subcommand, the parser would report its flags as unknown.
func checkArgs(root *cobra.Command, args []string) error {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return nil // the parser says what is wrong
	}
	help := slices.Contains(rest, "--help") || slices.Contains(rest, "-h")
	if cmd.HasAvailableSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") && !help {
		return unknownCommand(cmd, rest[0])
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	for _, arg := range rest {
		if arg == "--" {
			return nil
		}
		word, is := strings.CutPrefix(arg, "-")
		name, _, _ := strings.Cut(word, "=")
		if is && len(name) > 1 && cmd.Flags().Lookup(name) != nil {
			return usageError{fmt.Errorf("unknown flag -%[1]s; did you mean --%[1]s?; see %[2]s --help", name, cmd.CommandPath())}
		}
	}
	return nil
}

// fileFlags are the flags that name what a command works on. At most one of them
// takes an argument without a flag.
var fileFlags = []struct{ name, write string }{
	{"config", "--config"}, {"filename", "-f"}, {"cert", "--cert"}, {"state", "--state"}, {"dir", "--dir"},
}

// missingFlag suggests the flag that an argument without one was meant for, or
// returns "" if it does not look like the value of one.
func missingFlag(cmd *cobra.Command, word string) string {
	if redact.Value(word) != word || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ""
	}
	for _, f := range fileFlags {
		if cmd.Flags().Lookup(f.name) != nil && (f.name == "dir" || fileName(word)) {
			return "; did you mean " + f.write + " " + word + "?"
		}
	}
	if cmd.Flags().Lookup("upstream") != nil && usualUpstream(word) {
		return "; did you mean --upstream " + word + "?"
	}
	return ""
}

// usualUpstream reports whether a word is an upstream of the built-in configuration.
func usualUpstream(word string) bool {
	name, _ := host.Parse(word)
	return slices.ContainsFunc(configs.Default().Upstreams, func(u configs.Upstream) bool {
		return u.Host.String() == word || u.Host.Matches(name)
	})
}

// fileName reports whether a word looks like the name of a file that tlslift reads.
func fileName(word string) bool {
	switch strings.ToLower(filepath.Ext(word)) {
	case ".yaml", ".yml", ".json", ".pem", ".crt", ".cer", ".der":
		return true
	}
	return strings.ContainsAny(word, `/\`) && !strings.Contains(word, "://")
}
