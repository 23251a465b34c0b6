// Command tlslift is a forward proxy and Kubernetes sidecar for applications that
// cannot speak modern TLS. This package only wires the parts together: the proxy is
// in package proxy, its metrics in package metrics, its configuration in configs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"tlslift/proxy/redact"
)

// Set by the linker; see the Makefile.
var (
	version  = "dev"
	revision = ""
)

// The exit statuses (design, section 7).
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// usageError is a mistake in the command line or the configuration: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(args []string, stdout, stderr *os.File) int {
	root := newRootCommand()
	root.SetArgs(args)
	out := &output{file: stdout}
	root.SetOut(out)
	root.SetErr(stderr)
	err := checkArgs(root, args)
	if err == nil {
		err = root.ExecuteContext(context.Background())
	}
	if err == nil {
		err = out.err
	}
	if err != nil {
		printLast(stderr, "tlslift: "+err.Error())
	}
	return statusOf(err)
}

// output is standard output. It keeps the first write error, because a command
// whose output was not written has failed.
type output struct {
	file *os.File
	err  error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// Fd returns the file descriptor, for terminalColumns.
func (o *output) Fd() uintptr { return o.file.Fd() }

// statusOf returns the exit status of a command that returned err.
func statusOf(err error) int {
	if err == nil {
		return exitDone
	}
	if _, usage := errors.AsType[usageError](err); usage {
		return exitUsage
	}
	return exitFailed
}

// lastWords is how long the process waits for the reader of standard
// error before it exits.
const lastWords = time.Second

// printLast prints the last line of a process. A reader that is stuck does not
// keep the process from exiting.
func printLast(out io.Writer, line string) {
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		fmt.Fprintln(out, line)
	}()
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-printed:
	case <-timer.C:
	}
}

// noArgs rejects arguments with a hint, as a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		if cmd.HasSubCommands() {
			return unknownCommand(cmd, args[0])
		}
		return usageError{fmt.Errorf("%s takes no argument %q%s; see %s --help", cmd.CommandPath(), redact.Value(args[0]), missingFlag(cmd, args[0]), cmd.CommandPath())}
	}
	return nil
}
