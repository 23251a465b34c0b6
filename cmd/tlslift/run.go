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
		Long: `Run the proxy until SIGTERM or SIGINT. Flags stand over TLSLIFT_* variables,
those over the configuration file, that over the defaults.

SIGHUP, and any change of the file, reloads it: a configuration with an error
is refused and the old one stays. SIGUSR2 upgrades: the program is started anew
from its path and takes this process's place once it is ready; callers notice
nothing. SIGTERM drains: readiness goes off, what is in
flight is finished, and how many requests had to be cut is logged.`,
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
	defer signal.Stop(signals)
	before, err := previousProcess()
	if err != nil {
		return err
	}
	src := f.source(cmd, os.Environ())
	read := takeSnapshot(src.Path())
	cfg, err := configs.Load(src)
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
