package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// serviceAccount has no rights on the machine except to use the network.
const serviceAccount = `NT AUTHORITY\LocalService`

// Access to the service's files. The system and administrators have full access;
// the service's account may read, and write to its logs.
const (
	dataAccess = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;GRGX;;;LS)"
	logAccess  = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;GRGWGXSD;;;LS)"
)

// controlTimeout bounds a start or stop. A stop drains first.
const controlTimeout = 45 * time.Second

func newServiceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service install|uninstall|start|stop",
		Short: "Install and control the Windows service",
		Long: `Install and control tlslift as a Windows service. It runs as LocalService, starts
with the machine, and is started again after a failure. Its configuration is read
from %ProgramData%\tlslift\tlslift.yaml unless --config names another file, and
its log is written to %ProgramData%\tlslift\logs\tlslift.log.

Needs an elevated prompt.`,
		Example: `  tlslift service install
  tlslift service start`,
		RunE: needsSubcommand("install, uninstall, start or stop"),
	}
	var name string
	cmd.PersistentFlags().StringVar(&name, "name", "tlslift", "`name` of the service, for more than one on a machine")
	cmd.AddCommand(
		newServiceInstallCommand(&name),
		newServiceRunCommand(&name),
	)
	cmd.AddCommand(newServiceControlCommands(&name)...)
	return cmd
}

func newServiceInstallCommand(name *string) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "install [--config F]",
		Short: "Install the service; it starts with the machine",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				config = filepath.Join(dataDir(), "tlslift.yaml")
			}
			config, err := filepath.Abs(config)
			if err != nil {
				return fmt.Errorf("the configuration's path: %w", err)
			}
			if err := makeDirs(config); err != nil {
				return err
			}
			if err := installService(*name, config); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "installed; configuration %s\nnext: tlslift service start\n", config)
			return nil
		},
	}
	cmd.Flags().StringVarP(&config, "config", "c", "", "configuration `file` (default %ProgramData%\\tlslift\\tlslift.yaml)")
	return cmd
}

// dataDir asks the system, not the environment, because the service manager's
// environment may differ from the prompt's.
func dataDir() string {
	base, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0)
	if err != nil {
		base = os.Getenv("ProgramData")
	}
	return filepath.Join(base, "tlslift")
}

func logDir() string { return filepath.Join(dataDir(), "logs") }

// makeDirs creates the service's folders and, unless there is one, an empty
// configuration, which means the defaults.
func makeDirs(config string) error {
	for dir, access := range map[string]string{dataDir(): dataAccess, logDir(): logAccess} {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("make the service's folder: %w", err)
		}
		if err := protect(dir, access); err != nil {
			return fmt.Errorf("protect %s: %w", dir, err)
		}
	}
	file, err := os.OpenFile(config, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the configuration: %w", err)
	}
	defer file.Close()
	if _, err := file.WriteString("# The configuration of tlslift. Empty means the defaults.\r\n"); err != nil {
		return fmt.Errorf("make the configuration: %w", err)
	}
	return nil
}

// protect sets the access to a folder and to everything that will be in it.
func protect(dir, access string) error {
	sd, err := windows.SecurityDescriptorFromString(access)
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	return windows.SetNamedSecurityInfo(dir, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

func installService(name, config string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the program's path: %w", err)
	}
	return withManager(func(m *mgr.Mgr) error {
		s, err := m.CreateService(name, exe, mgr.Config{
			// Not delayed, because the services that call through it
			// start at boot too.
			StartType: mgr.StartAutomatic, ErrorControl: mgr.ErrorNormal,
			DisplayName: name, ServiceStartName: serviceAccount,
			Description: "Forward proxy that lifts old clients' calls to verified TLS 1.2 or later.",
		}, "service", "run", "--name", name, "--config", config)
		if err != nil {
			return fmt.Errorf("create the service %s: %w", name, err)
		}
		defer s.Close()
		restart := mgr.RecoveryAction{Type: mgr.ServiceRestart, Delay: 5 * time.Second}
		if err := s.SetRecoveryActions([]mgr.RecoveryAction{restart, restart, restart}, 3600); err != nil {
			return fmt.Errorf("set the service's recovery: %w", err)
		}
		if err := eventlog.InstallAsEventCreate(name, eventlog.Error|eventlog.Info); err != nil {
			return fmt.Errorf("register the event source %s: %w", name, err)
		}
		return nil
	})
}

// controls are the commands for an installed service. Each returns what it did.
var controls = []struct {
	use, short string
	do         func(s *mgr.Service) (string, error)
}{
	{"uninstall", "Stop and remove the service; configuration and log stay", uninstallService},
	{"start", "Start the service", startService},
	{"stop", "Stop the service; what is in flight is finished first", stopService},
}

func newServiceControlCommands(name *string) (all []*cobra.Command) {
	for _, c := range controls {
		all = append(all, &cobra.Command{
			Use:   c.use,
			Short: c.short,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return withService(*name, func(s *mgr.Service) error {
					done, err := c.do(s)
					if err == nil {
						fmt.Fprintln(cmd.OutOrStdout(), done)
					}
					return err
				})
			},
		})
	}
	return all
}

func uninstallService(s *mgr.Service) (string, error) {
	if _, err := stopService(s); err != nil {
		return "", err
	}
	if err := s.Delete(); err != nil {
		return "", fmt.Errorf("remove the service: %w", err)
	}
	if err := eventlog.Remove(s.Name); err != nil && !errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return "", fmt.Errorf("remove the event source: %w", err)
	}
	return "removed; configuration and log stay in " + dataDir(), nil
}

func startService(s *mgr.Service) (string, error) {
	if err := s.Start(); err != nil {
		return "", fmt.Errorf("start the service: %w", err)
	}
	if err := waitFor(s, svc.Running); err != nil {
		return "", fmt.Errorf("%w; the event log and %s say why", err, logDir())
	}
	return "running", nil
}

func withManager(do func(*mgr.Mgr) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("connect to the service manager (from an elevated prompt): %w", err)
	}
	defer func() { _ = m.Disconnect() }()
	return do(m)
}

func withService(name string, do func(*mgr.Service) error) error {
	return withManager(func(m *mgr.Mgr) error {
		s, err := m.OpenService(name)
		if err != nil {
			return fmt.Errorf("open the service %s: %w", name, err)
		}
		defer s.Close()
		return do(s)
	})
}

// stopService stops the service. A stopped service is not an error.
func stopService(s *mgr.Service) (string, error) {
	if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return "", fmt.Errorf("stop the service: %w", err)
	}
	return "stopped", waitFor(s, svc.Stopped)
}

// waitFor polls, because the service manager offers no other way.
func waitFor(s *mgr.Service, want svc.State) error {
	deadline := time.Now().Add(controlTimeout)
	for {
		status, err := s.Query()
		if err != nil {
			return fmt.Errorf("ask for the service's state: %w", err)
		}
		switch {
		case status.State == want:
			return nil
		case want == svc.Running && status.State == svc.Stopped:
			return errors.New("the service ended at once")
		case time.Now().After(deadline):
			return fmt.Errorf("the service did not reach that state within %s", controlTimeout)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
