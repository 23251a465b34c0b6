package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"tlslift/deploy/inject"
	"tlslift/proxy/redirect"
)

func newRedirectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "redirect apply|remove|status",
		Short: "Redirect this network namespace's TCP 80 and 443 to tlslift (Linux)",
		Long: `Redirect outgoing TCP 80 and 443 of this network namespace (a pod, or a whole
host) to tlslift, for IPv4 and IPv6. The nftables rules exempt tlslift's own user
and the machine's own addresses.

tlslift must listen on 127.0.0.1 and [::1] with transparent: true. It relays
connections to other hosts unchanged to their original destination, except HTTP
that names no host and could be for an upstream.

Requires CAP_NET_ADMIN and Linux 5.2.`,
		RunE: needsSubcommand("apply, remove or status"),
	}
	cmd.AddCommand(newRedirectApplyCommand(), newRedirectRemoveCommand(), newRedirectStatusCommand())
	return cmd
}

func newRedirectApplyCommand() *cobra.Command {
	rules := redirect.Rules{Ports: []uint16{80, 443}, ExceptUIDs: []uint32{inject.UID}}
	to := inject.DefaultPort
	cmd := &cobra.Command{
		Use:   "apply [--to PORT] [--except-uid UID]...",
		Short: "Write the rules; existing rules are replaced in one step",
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules.To = uint16(to) // portFlag allows 1 to 65535
			if cmd.Flags().Changed("port") && to != 80 && to != 443 && slices.Contains(rules.Ports, rules.To) {
				return usageError{fmt.Errorf("--port %[1]d is where tlslift listens (--to %[1]d): --port names what is redirected, by default 80 and 443", to)}
			}
			if err := rules.Validate(); err != nil {
				return usageError{err}
			}
			if err := redirect.Apply(rules); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "redirected: "+rules.String())
			return nil
		},
	}
	fl := cmd.Flags()
	portFlag(fl, &to, "to", "`port` that tlslift listens on")
	listFlag(fl, &rules.Ports, "port", "destination `port` to redirect; may be repeated", parsePort)
	listFlag(fl, &rules.ExceptUIDs, "except-uid", "user `id` that is left alone: tlslift's own; may be repeated", parseUser)
	fl.BoolVar(&rules.IPv4Only, "ipv4-only", false, "leave IPv6 alone")
	return cmd
}

func newRedirectRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove",
		Short: "Remove the rules; no error when there are none",
		RunE: func(cmd *cobra.Command, _ []string) error {
			removed, err := redirect.Remove()
			if err != nil {
				return err
			}
			if removed {
				fmt.Fprintln(cmd.OutOrStdout(), "removed; existing connections stay redirected until they end")
			} else {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is redirected")
			}
			return nil
		},
	}
}

func newRedirectStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what is redirected, in one line; exit status 1 when nothing is",
		Long: `Show in one line what is redirected. The exit status is 1 when nothing is.
To see the rules themselves, run nft list table inet tlslift.

Requires CAP_NET_ADMIN, which a sidecar does not have. In a pod, read the log of
the init container that wrote the rules: kubectl logs POD -c tlslift-redirect.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rules, ok, err := redirect.Status()
			if err != nil {
				return explainStatus(err)
			}
			if !ok {
				return errors.New("nothing is redirected")
			}
			fmt.Fprintln(cmd.OutOrStdout(), "redirected: "+rules.String())
			return nil
		},
	}
}

// explainStatus says where to read a pod's rules without the capability.
func explainStatus(err error) error {
	if errors.Is(err, redirect.ErrPermission) {
		return fmt.Errorf("%w; in a pod, kubectl logs POD -c %s shows what was redirected", err, inject.RedirectName)
	}
	return err
}
