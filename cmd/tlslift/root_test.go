package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// Help and completion of what there is not are errors, not the help of something
// else.
func TestHelpOfWhatThereIsNot(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"help nosuch":       `unknown command "nosuch"; see tlslift --help`,
		"help ca shw":       `unknown command "shw"; did you mean "show"?; see tlslift ca --help`,
		"help ca":           "",
		"help":              "",
		"completion foo":    `unknown command "foo"; see tlslift completion --help`,
		"completion":        "completion needs a subcommand: bash, fish, powershell or zsh",
		"completion bash":   "",
		"completion bash x": `tlslift completion bash takes no argument "x"; see tlslift completion bash --help`,
	} {
		cmd := newRootCommand()
		cmd.SetOut(new(bytes.Buffer))
		cmd.SetErr(new(bytes.Buffer))
		cmd.SetArgs(strings.Fields(args))
		err := cmd.Execute()
		var usage usageError
		if want == "" && err != nil || want != "" && (!errors.As(err, &usage) || err.Error() != want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
