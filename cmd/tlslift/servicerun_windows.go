package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"

	"tlslift/configs"
)

// eventID is the ID of all our events: their text says everything.
const eventID = 1

// newServiceRunCommand returns the command that the service manager starts.
func newServiceRunCommand(name *string) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:    "run",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			events, err := eventlog.Open(*name)
			if err != nil {
				return fmt.Errorf("open the event log: %w", err)
			}
			defer events.Close()
			s := &service{config: config, events: events}
			err = svc.Run(*name, s)
			if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
				return usageError{errors.New("service run is for the service manager; use tlslift run")}
			}
			if err != nil {
				return fmt.Errorf("run as a service: %w", err)
			}
			return s.err
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "configuration `file`")
	return cmd
}

// service is the running Windows service.
type service struct {
	config string
	events *eventlog.Log
	err    error
}

// Execute implements svc.Handler.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	status <- svc.Status{State: svc.StartPending}
	stop := make(chan os.Signal, 2)
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.serve(stop, started) }()
	for {
		select {
		case <-started:
			started = nil
			_ = s.events.Info(eventID, "tlslift "+version+" runs with "+s.config)
			status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptPreShutdown}
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				status <- request.CurrentStatus
			case svc.Stop, svc.PreShutdown, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: uint32(controlTimeout.Milliseconds())}
				select {
				case stop <- os.Interrupt:
				default: // two requests are already pending
				}
			}
		case s.err = <-ended:
			if s.err == nil {
				return false, exitDone
			}
			_ = s.events.Error(eventID, "tlslift ended: "+s.err.Error())
			return true, exitFailed
		}
	}
}

// serve runs the proxy until a signal arrives.
func (s *service) serve(stop chan os.Signal, started chan<- struct{}) error {
	log, err := os.OpenFile(filepath.Join(logDir(), "tlslift.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	return serve(configs.Source{File: s.config, Env: os.Environ()}, nil, log, signals{end: stop}, func() { close(started) })
}
