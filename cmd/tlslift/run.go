package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"tlslift/configs"
)

func newRunCommand() *cobra.Command {
	f := new(configFlags)
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
		RunE: f.run,
	}
	f.register(cmd)
	return cmd
}

// signals ask a running tlslift to do something. Those that ask it to stop have
// their own channel, which no number of others can fill. A nil channel never asks.
type signals struct {
	end     chan os.Signal // the first drains, the second stops without waiting
	reload  chan os.Signal // holds one: several signals ask for one reload
	upgrade chan os.Signal // holds one
}

func notifySignals() signals {
	on := signals{make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	// Never stopped: a second SIGTERM at the very end would kill the process with
	// the signal's status.
	signal.Notify(on.end, os.Interrupt, syscall.SIGTERM)
	signal.Notify(on.reload, syscall.SIGHUP)
	if len(upgradeSignals) > 0 { // without arguments, Notify would relay all signals
		signal.Notify(on.upgrade, upgradeSignals...)
	}
	return on
}

// run implements `tlslift run`, which is also the default command.
func (f *configFlags) run(cmd *cobra.Command, _ []string) error {
	on := notifySignals()
	before, err := previousProcess()
	if err != nil {
		return err
	}
	return serve(f.source(cmd, os.Environ()), before, cmd.ErrOrStderr(), on, func() {})
}

// serve runs the proxy until a signal asks it to stop. before is the process that
// this one replaces, or nil if there is none. serve calls started when it is ready.
func serve(src configs.Source, before *previous, log io.Writer, on signals, started func()) error {
	limitMemory()
	var accountKey []byte
	if before != nil {
		accountKey = before.AccountKey
	}
	in, err := load(src, accountKey)
	if err != nil {
		return usageError{err}
	}
	signal.Ignore(syscall.SIGPIPE) // if a log reader ends, lines are lost, but not the process
	a, err := newApp(in, before, log)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer a.close()
	if err := a.start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	started()
	return a.wait(on)
}
