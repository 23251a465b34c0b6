package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"tlslift/configs"
)

// runFlags are those of `tlslift run`, which is also the default command.
type runFlags struct{ configFlags }

func newRunCommand() *cobra.Command {
	f := new(runFlags)
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the proxy (the default command)",
		Long: `Run the proxy until SIGTERM or SIGINT.

Precedence: flags, TLSLIFT_* variables, the configuration file, defaults.

SIGHUP, or a change of the file, reloads the configuration. A configuration with
an error is refused, and the old one stays in effect. SIGUSR2 upgrades: tlslift
starts the program at its own path, which replaces this process once it is ready.
Callers notice nothing. SIGTERM drains: tlslift reports that it is not ready,
finishes the requests in flight, and logs how many it had to cut off.`,
		Example: `  tlslift run
  tlslift run --config /etc/tlslift/tlslift.yaml
  tlslift run --listen 127.0.0.1:3128 --listen 127.0.0.1:80 --upstream api.smsportal.com`,
		Args: noArgs,
		RunE: f.run,
	}
	f.register(cmd)
	return cmd
}

func (f *runFlags) run(cmd *cobra.Command, _ []string) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, slices.Concat([]os.Signal{os.Interrupt, syscall.SIGTERM}, reloadSignals, upgradeSignals)...)
	// Not stopped: a second SIGTERM at the very end would end the process with the signal's status.
	before, err := previousProcess()
	if err != nil {
		return err
	}
	src := f.source(cmd, os.Environ())
	read := takeSnapshot(src.Path())
	cfg, err := configs.Load(src, contents)
	if err != nil {
		return usageError{err}
	}
	signal.Ignore(syscall.SIGPIPE) // a log reader that ended costs lines, not the process
	limitMemory()
	a, err := newApp(cfg, src, read, before, cmd.ErrOrStderr())
	if problems := configs.Problems(nil); errors.As(err, &problems) {
		return usageError{err}
	}
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer a.close()
	if err := a.start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return a.wait(context.Background(), signals)
}
