package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tlslift/proxy/redirect"
)

// Where status cannot work, in a sidecar, it says what can.
func TestRedirectStatusSaysWhereARuleCanBeRead(t *testing.T) {
	t.Parallel()
	err := explainStatus(fmt.Errorf("read: %w", redirect.ErrPermission))
	if !strings.Contains(err.Error(), "kubectl logs POD -c tlslift-redirect") {
		t.Error(err)
	}
	if err := explainStatus(redirect.ErrForeign); strings.Contains(err.Error(), "kubectl") {
		t.Error(err)
	}
}

func TestRedirectMistakes(t *testing.T) {
	t.Parallel()
	const port = "write a number from 1 to 65535, such as 3128; see tlslift redirect apply --help"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "needs a subcommand"},
		{[]string{"apply", "--to", "0"}, port},
		{[]string{"apply", "--to", "99999"}, port},
		{[]string{"apply", "--port", "70000"}, port},
		{[]string{"apply", "--port", "80,http"}, port},
		{[]string{"apply", "--except-uid", "root"}, `--except-uid "root": write the number of a user, 0 to 4294967295`},
		{[]string{"apply", "x"}, "takes no argument"},
		{[]string{"apply", "--port", "80,3128"}, "--port 3128 is where tlslift listens (--to 3128): --port names what is redirected"},
		{[]string{"apply", "--port", "8080", "--to", "8080"}, "--port 8080 is where tlslift listens (--to 8080)"},
	} {
		cmd := newRootCommand()
		cmd.SetOut(new(bytes.Buffer))
		cmd.SetArgs(append([]string{"redirect"}, tt.args...))
		var usage usageError
		if err := cmd.Execute(); !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v", tt.args, err)
		}
	}
}

// Naming ports replaces the default ones, once.
func TestRedirectPortsReplaceTheDefault(t *testing.T) {
	t.Parallel()
	ports := []uint16{80, 443}
	fl := pflag.NewFlagSet("", pflag.ContinueOnError)
	listFlag(fl, &ports, "port", "", parsePort)
	for _, text := range []string{"8080,8081", "8082"} {
		if err := fl.Set("port", text); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(ports, []uint16{8080, 8081, 8082}) {
		t.Error(ports)
	}
}
