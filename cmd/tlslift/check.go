package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tlslift/configs"
	"tlslift/proxy"
	"tlslift/proxy/upstream"
)

// expirySoon is when `check --online` begins to warn of a certificate.
const expirySoon = 14 * 24 * time.Hour

func newCheckCommand() *cobra.Command {
	f := new(configFlags)
	var online bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration; with --online also the upstreams",
		Long: `Check a configuration and report every problem at once, with file, line, key
and what to do. Nothing is started.

With --online each upstream that is a host (patterns cannot be connected to)
is resolved, connected to and verified, as the proxy would do it; its address,
TLS version, cipher, chain and days to expiry are printed.

Exit status: 0 all well, 1 an upstream cannot be reached or verified, 2 the
configuration has problems.`,
		Example: `  tlslift check --config tlslift.yaml
  tlslift check --online --upstream api.smsportal.com`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			src := f.source(cmd, os.Environ())
			cfg, err := configs.Load(src)
			if err != nil {
				return usageError{err}
			}
			if err := proxy.Check(cfg); err != nil {
				return usageError{err}
			}
			out := cmd.OutOrStdout()
			for _, w := range proxy.Warnings(cfg) {
				fmt.Fprintln(out, "note: "+w)
			}
			fmt.Fprintln(out, "configuration ok: "+describeSource(src))
			if !online {
				return nil
			}
			return checkOnline(cmd.Context(), out, cfg, timeout)
		},
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&online, "online", false, "also connect to every upstream that is a host")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long one upstream may take with --online")
	return cmd
}

func describeSource(src configs.Source) string {
	if p := src.Path(); p != "" {
		return p
	}
	return "built-in defaults"
}

// checkOnline probes every upstream that can be connected to.
func checkOnline(ctx context.Context, out io.Writer, cfg *configs.Config, timeout time.Duration) error {
	opts, err := proxy.UpstreamOptions(cfg)
	if err != nil {
		return err
	}
	opts.Warm = 0
	opts.Own = proxy.Listens(cfg) // a name that leads back here cannot work
	transport, err := upstream.New(opts)
	if err != nil {
		return err
	}
	defer transport.Close()
	failed, probed := 0, 0
	for _, u := range cfg.Upstreams {
		if strings.HasPrefix(u.Host, "*.") && u.To == "" {
			fmt.Fprintf(out, "%s: a pattern, not connected to\n", u.Host)
			continue
		}
		probed++
		if err := probe(ctx, out, transport, u, timeout); err != nil {
			failed++
			fmt.Fprintf(out, "%s: FAILED: %v\n", u.Host, err)
		}
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%d of %d upstreams cannot be used", failed, probed)
	case probed == 0:
		fmt.Fprintln(out, "every upstream is a pattern: name a host with --upstream to connect to it")
	}
	return nil
}

func probe(ctx context.Context, out io.Writer, t *upstream.Transport, u configs.Upstream, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	route, verdict := t.Route(strings.TrimPrefix(u.Host, "*."), 0)
	if verdict != upstream.Ours {
		route, verdict = t.Route("probe."+strings.TrimPrefix(u.Host, "*."), 0)
	}
	if verdict != upstream.Ours {
		return fmt.Errorf("no route")
	}
	res, err := t.Probe(ctx, route)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(out, "%s: ok\n", u.Host)
	fmt.Fprintf(tw, "  address\t%s\n", res.Address)
	fmt.Fprintf(tw, "  TLS\t%s, %s\n", tls.VersionName(res.TLSVersion), tls.CipherSuiteName(res.Cipher))
	for i, c := range res.Chain {
		name := c.Subject.CommonName
		if i == 0 && len(c.DNSNames) > 0 {
			name = strings.Join(c.DNSNames, ", ")
		}
		fmt.Fprintf(tw, "  chain %d\t%s\n", i, name)
	}
	left := time.Until(res.NotAfter)
	note := ""
	if left < expirySoon {
		note = "  EXPIRES SOON"
	}
	fmt.Fprintf(tw, "  expires\t%s, in %d days%s\n", res.NotAfter.UTC().Format(time.DateOnly), int(left.Hours()/24), note)
	return tw.Flush()
}
