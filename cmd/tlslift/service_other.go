//go:build !windows

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newServiceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "service",
		Short: "Install and control the Windows service (Windows)",
		Long: `Install and control the Windows service. On Linux, systemd does this: the
deb and rpm packages contain tlslift.service and tlslift.socket. See docs/hosts.md.`,
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(*cobra.Command, []string) error {
			return usageError{errors.New("service is for Windows; on Linux use systemd: systemctl enable --now tlslift")}
		},
	}
}
