// Command start is the first minutes of a real installation: two instances of
// the built binary in front of a pretend SMSPortal, callers old and new, and a
// Prometheus with the shipped rules that begins with them. It keeps Prometheus
// up, to look at the dashboards of a beginner or to draw them:
//
//	go run ./test/dashboards/start -binary bin/tlslift -for 20m
//
// Nothing leaves this machine. All callers stop after -for.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/dashboards/prom"
	"tlslift/test/smsportal"
)

func main() { os.Exit(run()) }

func run() int {
	binary := flag.String("binary", "bin/tlslift", "the built tlslift")
	listen := flag.String("listen", "127.0.0.1:0", "address of Prometheus")
	rules := flag.String("rules", "deploy/prometheus/rules.yml", "the recording rules")
	lasts := flag.Duration("for", 20*time.Minute, "how long the callers call, an hour at most")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, *binary, *listen, *rules, min(*lasts, time.Hour)); err != nil {
		fmt.Fprintln(os.Stderr, "start:", err)
		return 1
	}
	return 0
}

func start(ctx context.Context, binary, listen, rules string, lasts time.Duration) error {
	dir, err := os.MkdirTemp("", "tlslift-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := newFleet(ctx, dir, binary)
	if err != nil {
		return err
	}
	defer f.stop()
	if rules, err = filepath.Abs(rules); err != nil {
		return err
	}
	s, err := prom.Start(ctx, dir, listen, f.scrape(rules))
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintf(os.Stderr, "Prometheus answers at %s; the callers call for %v\n", s.URL, lasts)
	f.call(ctx, lasts)
	if ctx.Err() == nil {
		fmt.Println("ready", s.URL, time.Now().UnixMilli())
	}
	<-ctx.Done()
	return nil
}

// fleet is SMSPortal and two instances of tlslift.
type fleet struct {
	portal    *smsportal.Server
	portalPEM []byte
	liftPEM   []byte
	instances []*instance
}

type instance struct {
	name    string
	proxy   string // its address
	admin   string
	command *exec.Cmd
}

func newFleet(ctx context.Context, dir, binary string) (*fleet, error) {
	portal, err := smsportal.New(smsportal.Options{Keep: 10})
	if err != nil {
		return nil, err
	}
	f := &fleet{portal: portal, portalPEM: portal.CAPEM()}
	files, err := authority.Init(authority.InitOptions{Dir: dir, Domains: []string{"smsportal.com"}, Days: 300, Now: time.Now()})
	if err == nil {
		f.liftPEM, err = os.ReadFile(files.Root)
	}
	portalCA := filepath.Join(dir, "portal.pem")
	if err == nil {
		err = os.WriteFile(portalCA, f.portalPEM, 0o600)
	}
	for _, name := range []string{"gw-a:9129", "gw-b:9129"} {
		if err == nil {
			err = f.add(ctx, dir, binary, name, portalCA, files)
		}
	}
	if err != nil {
		f.stop()
		return nil, err
	}
	return f, nil
}

// add starts an instance.
func (f *fleet) add(ctx context.Context, dir, binary, name, portalCA string, ca authority.Files) error {
	i := &instance{name: name}
	for _, address := range []*string{&i.proxy, &i.admin} {
		var err error
		if *address, err = free(); err != nil {
			return err
		}
	}
	var names []string
	for _, c := range callers {
		if c.name != "" {
			names = append(names, fmt.Sprintf("{name: %s, match: [%s]}", c.name, c.from))
		}
	}
	file := filepath.Join(dir, strings.ReplaceAll(name, ":", "-")+".yaml")
	text := fmt.Sprintf("listen: [{address: %q, default_upstream: rest.smsportal.com}]\nadmin: {address: %q}\n"+
		"upstreams: [{host: \"*.smsportal.com\", address: %q, ca_file: %q}]\n"+
		"legacy_tls: {ca: {cert_file: %q, key_file: %q}}\nclients: {names: [%s]}\n",
		i.proxy, i.admin, f.portal.Addr(), portalCA, ca.CA, ca.Key, strings.Join(names, ", "))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	i.command = exec.CommandContext(ctx, binary, "run", "--config", file)
	i.command.Cancel = func() error { return i.command.Process.Signal(os.Interrupt) }
	i.command.WaitDelay = 10 * time.Second
	if err := i.command.Start(); err != nil {
		return err
	}
	f.instances = append(f.instances, i)
	return nil
}

// free is an address that nobody has right now.
func free() (string, error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// scrape is a configuration of Prometheus, with the intervals of the shipped one.
func (f *fleet) scrape(rules string) string {
	text := fmt.Sprintf("global: {scrape_interval: 30s, evaluation_interval: 1m}\nrule_files: [%q]\nscrape_configs:\n  - job_name: tlslift-gateway\n    static_configs:\n", rules)
	for _, i := range f.instances {
		text += fmt.Sprintf("      - {targets: [%q], labels: {instance: %q}}\n", i.admin, i.name)
	}
	return text
}

func (f *fleet) stop() {
	for _, i := range f.instances {
		_ = i.command.Process.Signal(os.Interrupt)
		_ = i.command.Wait()
	}
	_ = f.portal.Close()
}
