package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tlslift/metrics/figures"
	"tlslift/metrics/ledger"
	"tlslift/metrics/report"
	"tlslift/proxy/suggest"
)

const reportLong = `Report which clients still need tlslift, why, and what to change in each.

The source is one of:
  --admin URL        a running instance, by its admin address
  --state FILE       the state file of an instance, running or stopped
  --prometheus URL   any Prometheus-compatible API that scrapes the fleet

Repeat --admin and --state to read several instances. Clients with the same name
are then one client, with the newest times and the sums of the counts.

States: insecure, mixed, silent, unseen, migrated and no-calls, which stands for
addresses that connected and never made a call, such as scanners. "regressed"
selects clients that were declared migrated and have been insecure since, and
"misdeclared" those that were declared migrated and never seen making a call.
"failing" selects clients whose TLS handshakes fail, so none of their calls
arrives, and suspected ones, which leave after each TLS handshake without a call.

With --fail-if, the exit status is 1 when any client is in one of the states,
whatever --only selects. Use it to fail a build while a client needs tlslift.
The exit status is also 1 when the report cannot be made.`

const reportExample = `  tlslift report --admin http://127.0.0.1:9128
  tlslift report --admin 10.0.0.5:9128 --admin 10.0.0.6:9128 --state stopped.json --token-file token
  tlslift report --prometheus https://prometheus.example --token-file token --format html > report.html
  tlslift report --state ledger.json --only insecure,mixed,failing --by-owner
  tlslift report --admin http://127.0.0.1:9128 --fail-if insecure,mixed,regressed,failing`

type reportFlags struct {
	admin, state                  []string
	prometheus                    string
	tokenFile, user, passwordFile string
	format, ownersFile, output    string
	only, failIf                  []string
	byOwner                       bool
	migratedAfter, lookback       string
}

func newReportCommand() *cobra.Command {
	f := new(reportFlags)
	cmd := &cobra.Command{
		Use:     "report {--admin URL | --state FILE}... | --prometheus URL",
		Short:   "Report which clients still need tlslift, why, and what to change",
		Long:    reportLong,
		Example: reportExample,
		RunE:    f.run,
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.admin, "admin", nil, "admin `URL` of an instance, such as http://127.0.0.1:9128 or 127.0.0.1:9128; may be repeated")
	fl.StringArrayVar(&f.state, "state", nil, "state `file` of an instance; may be repeated")
	fl.StringVar(&f.prometheus, "prometheus", "", "`URL` of a Prometheus-compatible API, without /api/v1")
	fl.StringVar(&f.tokenFile, "token-file", "", "`file` with a bearer token for every --admin, or for --prometheus")
	fl.StringVar(&f.user, "user", "", "`name` for basic authentication at --prometheus")
	fl.StringVar(&f.passwordFile, "password-file", "", "`file` with the password for --user")
	fl.StringVar(&f.format, "format", "table", "`format`: "+suggest.OneOf(report.Formats[:]))
	fl.StringVarP(&f.output, "output", "o", "", "`file` to write, - or none for standard output; never replaces a key, a ledger, a configuration or a file that it reads")
	fl.StringSliceVar(&f.only, "only", nil, "show only clients in these `states`")
	fl.StringSliceVar(&f.failIf, "fail-if", nil, "exit with status 1 when a client is in one of these `states`")
	fl.BoolVar(&f.byOwner, "by-owner", false, "group clients by owner (table, markdown, html)")
	fl.StringVar(&f.ownersFile, "owners", "", "`file` of owners: YAML, client pattern to owner; default: namespaces")
	fl.StringVar(&f.migratedAfter, "migrated-after", "", "`time` without insecure traffic after which a client counts as migrated, for several instances, --state or --prometheus; default: the source's own, 14d for --prometheus")
	fl.StringVar(&f.lookback, "lookback", "90d", "how far back --prometheus looks for series, a `time`")
	for flag, words := range map[string][]string{
		"format":  report.Formats[:],
		"only":    ledger.Selections(),
		"fail-if": ledger.Selections(),
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

func (f *reportFlags) run(cmd *cobra.Command, _ []string) error {
	only, failIf, err := f.selections()
	if err != nil {
		return usageError{err}
	}
	if err := f.withoutEffect(cmd); err != nil {
		return usageError{err}
	}
	if f.output == standardOutput {
		f.output = ""
	}
	if err := f.spare(); err != nil {
		return usageError{err}
	}
	owners, err := f.owners()
	if err != nil {
		return err
	}
	r, err := f.read(cmd)
	if errors.Is(err, report.ErrAddress) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	failing := 0
	if len(failIf) > 0 {
		failing = r.Count(failIf)
	}
	r.Assign(owners)
	r.Only(only)
	columns := 0
	if f.format == "table" && f.output == "" {
		columns = terminalColumns(cmd.OutOrStdout())
	}
	var text bytes.Buffer
	if columns > 0 {
		err = r.WriteTerminal(&text, f.byOwner, columns)
	} else {
		err = r.Write(&text, f.format, f.byOwner)
	}
	if err != nil {
		return err
	}
	if f.output == "" {
		_, err = text.WriteTo(cmd.OutOrStdout())
	} else {
		if err = os.WriteFile(f.output, text.Bytes(), 0o644); err != nil { //nolint:gosec // a report is to be read
			err = fmt.Errorf("--output: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if failing > 0 {
		return fmt.Errorf("%s %s", figures.Plural(failing, "client is", "clients are"), suggest.OneOf(f.failIf))
	}
	return nil
}

func (f *reportFlags) selections() (only, failIf ledger.Selection, err error) {
	if only, err = report.ParseSelection(f.only); err != nil {
		return only, failIf, fmt.Errorf("--only: %w", err)
	}
	if failIf, err = report.ParseSelection(f.failIf); err != nil {
		return only, failIf, fmt.Errorf("--fail-if: %w", err)
	}
	if !slices.Contains(report.Formats[:], f.format) {
		return only, failIf, fmt.Errorf("--format %q is not one of the values; write %s", f.format, suggest.OneOf(report.Formats[:]))
	}
	return only, failIf, nil
}

func (f *reportFlags) read(cmd *cobra.Command) (*report.Report, error) {
	access, err := f.access()
	if err != nil {
		return nil, err
	}
	after, err := duration("--migrated-after", f.migratedAfter)
	if err != nil {
		return nil, err
	}
	lookback, err := duration("--lookback", f.lookback)
	if err != nil {
		return nil, err
	}
	switch instances := len(f.admin) + len(f.state); {
	case f.prometheus != "" && instances == 0:
		return report.FromPrometheus(cmd.Context(), report.PrometheusOptions{
			URL: f.prometheus, Access: access, Now: time.Now(), MigratedAfter: after, Lookback: lookback,
		})
	case f.prometheus != "" || instances == 0:
		return nil, usageError{errors.New("give one source: --admin URL and --state FILE, which you can repeat and mix, or --prometheus URL")}
	case after != 0 && instances == 1 && len(f.admin) == 1:
		return nil, usageError{errors.New("--migrated-after is for several instances, --state, and --prometheus: one instance has its own policy.migrated_after")}
	}
	return report.FromInstances(cmd.Context(), report.InstancesOptions{
		Admin: f.admin, State: f.state, Access: access, Now: time.Now(), MigratedAfter: after,
	})
}

func (f *reportFlags) access() (report.Access, error) {
	a := report.Access{User: f.user}
	var err error
	if a.Token, err = secretFile("--token-file", f.tokenFile); err != nil {
		return a, err
	}
	a.Password, err = secretFile("--password-file", f.passwordFile)
	return a, err
}

// secretFile reads a file that holds one secret, or returns "" if name is "".
func secretFile(flag, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	data, err := readFile(name)
	if err != nil {
		return "", usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	return strings.TrimSpace(string(data)), nil
}

func duration(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := report.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, usageError{fmt.Errorf("%s %q: give a time such as 14d or 36h", flag, text)}
	}
	return d, nil
}

// withoutEffect returns an error for a given flag that has no effect with the
// other flags.
func (f *reportFlags) withoutEffect(cmd *cobra.Command) error {
	given := func(flag string) bool { return cmd.Flags().Changed(flag) }
	switch {
	case given("only") && len(f.only) == 0:
		return errors.New("--only names no state: give at least one, or leave it out")
	case given("fail-if") && len(f.failIf) == 0:
		return errors.New("--fail-if names no state, so nothing could fail: give at least one, such as insecure")
	case f.prometheus == "" && (given("user") || given("password-file")):
		return errors.New("--user and --password-file are for --prometheus: an admin address takes --token-file")
	case given("password-file") && !given("user"):
		return errors.New("--password-file needs --user")
	case given("token-file") && given("user"):
		return errors.New("give --token-file, or --user and --password-file")
	case given("token-file") && f.prometheus == "" && len(f.admin) == 0:
		return errors.New("--token-file is for --admin and --prometheus: a state file needs no token")
	case given("lookback") && f.prometheus == "":
		return errors.New("--lookback is for --prometheus")
	case f.byOwner && (f.format == "csv" || f.format == "json"):
		return fmt.Errorf("--by-owner: %s has the owner of each client, and no groups; use it with table, markdown or html", f.format)
	}
	return nil
}

// spare refuses an --output that would overwrite what cannot be made again.
func (f *reportFlags) spare() error {
	read := []named{{"owners", f.ownersFile}, {"token-file", f.tokenFile}, {"password-file", f.passwordFile}}
	for _, file := range f.state {
		read = append(read, named{"state", file})
	}
	return spareFiles("output", f.output, read...)
}

func (f *reportFlags) owners() (report.Owners, error) {
	if f.ownersFile == "" {
		return nil, nil
	}
	data, err := readFile(f.ownersFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("--owners: %w", err)}
	}
	owners, err := report.ParseOwners(bytes.NewReader(data))
	if err != nil {
		return nil, usageError{fmt.Errorf("--owners %s: %w", f.ownersFile, err)}
	}
	return owners, nil
}
