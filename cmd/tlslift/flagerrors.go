package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tlslift/proxy/suggest"
)

// flagError says what is wrong with a flag: its name, the value that it was
// given, and what to write instead.
func flagError(cmd *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%s; see %s --help", sayFlag(cmd, err), cmd.CommandPath())}
}

func sayFlag(cmd *cobra.Command, err error) string {
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &missing):
		return fmt.Sprintf("--%s needs a value; write %s", missing.GetFlag().Name, accepted(missing.GetFlag()))
	case errors.As(err, &invalid):
		return fmt.Sprintf("--%s %q: write %s", invalid.GetFlag().Name, invalid.GetValue(), accepted(invalid.GetFlag()))
	case errors.As(err, &syntax):
		return fmt.Sprintf("%q is not a flag; write --NAME VALUE", syntax.GetSpecifiedFlag())
	}
	return err.Error()
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) string {
	flag, word := "--"+err.GetSpecifiedName(), err.GetSpecifiedName()
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		flag, word = "-"+word, letters // -listen is read as -l -i -s ...
		if len(letters) > 2 {
			flag = "-" + letters
		}
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

// kinds are what a flag's value can be, by the word that stands for the value in
// the help.
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

// accepted says what a flag can be given. The help of a flag with a closed set of
// values lists them after a colon.
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
