package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"tlslift/configs"
	"tlslift/deploy/demo/callers"
	"tlslift/deploy/demo/smsportal"
	"tlslift/proxy/authority"
)

// demoPace is how often the callers of a running demo call.
const demoPace = 3 * time.Second

func newDemoCommand() *cobra.Command {
	var once, verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try tlslift with a pretend SMSPortal and sample callers",
		Long: `Start a pretend SMSPortal in this process (REST, api5 and SOAP, TLS 1.2 and
higher only, a throw-away CA), the proxy in front of it, and callers that stand
for a PHP 5 script, a Delphi program, a Java 6 service, a .NET job and a modern
one. It prints what came in and what went out for each request.

Nothing leaves this machine. Without --once, the callers keep calling until you
press Ctrl-C, so the status page has something to show.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), once, verbose)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "make each call once, then exit")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "also print the proxy's own log lines, to standard error")
	return cmd
}

// demo is what runs during the demo.
type demo struct {
	out     io.Writer
	portal  *smsportal.Server
	app     *app
	dir     string
	callers []callers.Caller // in the order of their listeners
	calls   int
}

func runDemo(ctx context.Context, out, stderr io.Writer, once, verbose bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !verbose {
		stderr = io.Discard
	}
	d, err := newDemo(out, stderr)
	if err != nil {
		return fmt.Errorf("start the demo: %w", err)
	}
	defer d.close()
	d.introduce()
	if err := d.tell(ctx); err != nil {
		return err
	}
	d.conclude(once)
	if once {
		return nil
	}
	tick := time.NewTicker(demoPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(out, "\nStopping.")
			return nil
		case <-tick.C:
			for n := range d.callers {
				_, _ = d.call(ctx, n)
			}
		}
	}
}

func newDemo(out, stderr io.Writer) (_ *demo, err error) {
	d := &demo{out: out}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.dir, err = os.MkdirTemp("", "tlslift-demo-"); err != nil {
		return nil, err
	}
	if d.portal, err = smsportal.Start("127.0.0.1:0", 0); err != nil {
		return nil, err
	}
	files, err := authority.Init(authority.InitOptions{Dir: d.dir, Domains: []string{"smsportal.com", "mymobileapi.com"}, Days: 2, Now: time.Now()})
	if err != nil {
		return nil, err
	}
	portalCA := filepath.Join(d.dir, "portal.pem")
	if err := os.WriteFile(portalCA, d.portal.CAPEM(), 0o600); err != nil {
		return nil, err
	}
	root, err := os.ReadFile(files.Root)
	if err != nil {
		return nil, err
	}
	lift, portal := x509.NewCertPool(), x509.NewCertPool()
	lift.AppendCertsFromPEM(root) // always valid: it was just made
	portal.AppendCertsFromPEM(d.portal.CAPEM())
	d.callers = callers.All(lift, portal)
	in, err := d.load(portalCA, files)
	if err != nil {
		return nil, err
	}
	if d.app, err = newApp(in, nil, stderr); err != nil {
		return nil, err
	}
	return d, d.app.start()
}

// load loads the demo's configuration: one port for each application, so that
// each has its name, one for visitors without a name, and the pretend SMSPortal
// in place of the real one.
func (d *demo) load(portalCA string, ca authority.Files) (*loaded, error) {
	var b strings.Builder
	b.WriteString("listen:\n")
	for _, c := range d.callers {
		fmt.Fprintf(&b, "  - {address: \"127.0.0.1:0\", client: %s}\n", c.Name)
	}
	b.WriteString("  - {address: \"127.0.0.1:0\"}\nadmin: {address: \"127.0.0.1:0\"}\nupstreams:\n")
	for _, h := range []string{"api.smsportal.com", "www.mymobileapi.com", "*.smsportal.com", "*.mymobileapi.com"} {
		fmt.Fprintf(&b, "  - {host: %q, address: %q, ca_file: %q}\n", h, d.portal.Addr(), portalCA)
	}
	fmt.Fprintf(&b, "legacy_tls: {ca: {cert_file: %q, key_file: %q}}\n", ca.CA, ca.Key)
	file := filepath.Join(d.dir, "tlslift.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	return load(configs.Source{File: file}, nil)
}

func (d *demo) close() {
	if d.app != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		d.app.server.Shutdown(ctx)
		cancel()
		d.app.close()
	}
	if d.portal != nil {
		_ = d.portal.Close()
	}
	_ = os.RemoveAll(d.dir)
}

// address returns the address of the n-th caller's listener; the last one
// is for visitors.
func (d *demo) address(n int) string { return d.app.server.Bound()[n].Addr.String() }

func (d *demo) introduce() {
	fmt.Fprintf(d.out, `A pretend SMSPortal listens on %s and accepts TLS 1.2 and 1.3 only.
tlslift stands in front of it, with one port for each application.

`, d.portal.Addr())
}

func (d *demo) call(ctx context.Context, n int) (answer string, err error) {
	d.calls++
	return d.callers[n].Call(ctx, d.address(n), d.calls)
}

// tell makes every caller call once, and prints what happened.
func (d *demo) tell(ctx context.Context) error {
	for i, c := range d.callers {
		before := len(d.portal.Requests())
		answer, err := d.call(ctx, i)
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		fmt.Fprintf(d.out, "%d. %s\n", i+1, c.Who)
		fmt.Fprintf(d.out, "   came in:   %s\n", c.CameIn)
		for _, r := range d.portal.Requests()[before:] {
			fmt.Fprintf(d.out, "   went out:  %s %s, %s, to %s\n", r.Method, pathOnly(r.Target), tls.VersionName(r.TLSVersion), r.ServerName)
		}
		fmt.Fprintf(d.out, "   answered:  %s\n\n", answer)
	}
	return nil
}

func (d *demo) conclude(once bool) {
	_, sends, doubles := d.portal.Counts()
	fmt.Fprintf(d.out, "The pretend SMSPortal was asked to send %d messages; %d of them twice.\n", sends, doubles)
	if once {
		return
	}
	fmt.Fprintf(d.out, `
Look at
  http://%[1]s/          who still needs tlslift, why, and what to change
  http://%[1]s/metrics   what Prometheus sees
Call it yourself, at a port without a name: the page lists you by your address
  curl -x http://%[2]s 'http://api.smsportal.com/api5/http5.aspx?Type=credits&Username=me&Password=secret'
  curl -x http://%[2]s http://check.tlslift.test/
The callers are written in Go, so for java6-crm the page names Go's TLS library.
The callers keep calling. Press Ctrl-C to stop the demo.
`, d.app.adminListeners[0].Addr(), d.address(len(d.callers)))
}

func pathOnly(target string) string {
	path, _, found := strings.Cut(target, "?")
	if found {
		return path + "?..."
	}
	return path
}
