// Command demo provides both ends of tlslift where nothing real may be used: a
// pretend SMSPortal, and callers with the habits of old programs. docker compose
// and the Kubernetes tests run it. It is not part of a release.
//
//	demo setup -dir DIR -owner UID                 make a CA for tlslift and the folder for both certificates
//	demo portal -listen :8443 -stats :8080 -ca F   run the pretend SMSPortal
//	demo callers -proxy HOST -root F -portal F     make the sample applications call, until it is stopped
//	demo relay -listen :9127 -to 127.0.0.1:9128    make tlslift's status page reachable from outside its container
//	demo get URL                                   make one GET: a health check for an image without a shell
//	demo loop -after D -every D URL                make GETs with a number appended to URL, until D after SIGTERM;
//	                                               the first failure ends it with status 1
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"tlslift/deploy/demo/smsportal"
	"tlslift/proxy/authority"
)

var commands = map[string]func(context.Context, []string) error{
	"setup": setup, "get": get, "loop": loop, "portal": portal, "callers": call, "relay": relay,
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errors.New("usage: demo setup|portal|callers|relay|get|loop [flags]")
	if len(args) > 0 {
		if command := commands[args[0]]; command != nil {
			err = command(ctx, args[1:])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		return 1
	}
	return 0
}

// setup makes tlslift's CA unless it exists.
func setup(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	dir := flags.String("dir", "", "folder to make it in")
	owner := flags.Int("owner", os.Getuid(), "user the files belong to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ca := filepath.Join(*dir, "ca")
	if _, err := os.Stat(ca); errors.Is(err, os.ErrNotExist) {
		domains := []string{"smsportal.com", "mymobileapi.com"}
		if _, err := authority.Init(authority.InitOptions{Dir: ca, Domains: domains, Days: 30, Now: time.Now()}); err != nil {
			return err
		}
	}
	return filepath.WalkDir(*dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, *owner, *owner))
	})
}

// get makes one request and fails unless the answer is 200.
func get(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: demo get URL")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return fetch(ctx, args[0])
}

// loop calls until it is asked to stop, and for a while after that, like an
// application that still has to finish its work.
func loop(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("loop", flag.ContinueOnError)
	after := flags.Duration("after", 3*time.Second, "time to go on after SIGTERM")
	every := flags.Duration("every", 100*time.Millisecond, "time between calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *every <= 0 {
		return errors.New("usage: demo loop -after D -every D URL")
	}
	told, end := ctx.Done(), (<-chan time.Time)(nil)
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for n := 1; ; n++ {
		one, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		err := fetch(one, fmt.Sprint(flags.Arg(0), n))
		cancel()
		if err != nil {
			return fmt.Errorf("call %d: %w", n, err)
		}
		select {
		case <-told:
			fmt.Printf("%d calls answered, got SIGTERM, going on for %s\n", n, *after)
			told, end = nil, time.After(*after)
		case <-end:
			fmt.Printf("%d calls answered, ended\n", n)
			return nil
		case <-tick.C:
		}
	}
}

// fetch makes one GET; any status except 200 is an error.
func fetch(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return err
}

// portal runs the pretend SMSPortal until ctx ends. It serves its counts as JSON
// on the stats address.
func portal(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("portal", flag.ContinueOnError)
	listen := flags.String("listen", ":8443", "host:port of the API, TLS 1.2 and 1.3")
	stats := flags.String("stats", ":8080", "host:port of the counts; /ca.pem is the certificate to trust")
	caFile := flags.String("ca", "", "file to write the certificate to, that tlslift is to trust")
	delay := flags.Duration("delay", 0, "time between a request and its answer")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s, err := smsportal.Start(*listen, *delay)
	if err != nil {
		return err
	}
	defer s.Close()
	if *caFile != "" {
		if err := writeFile(*caFile, s.CAPEM()); err != nil {
			return fmt.Errorf("write the certificate: %w", err)
		}
	}
	ln, err := net.Listen("tcp", *stats)
	if err != nil {
		return fmt.Errorf("listen for the counts: %w", err)
	}
	server := &http.Server{Handler: counts(s), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	fmt.Printf("pretend SMSPortal on %s, counts on %s\n", s.Addr(), ln.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// writeFile replaces a file atomically, so a process that waits for it never
// reads half of it.
func writeFile(name string, data []byte) error {
	temp := filepath.Join(filepath.Dir(name), ".demo-new")
	if err := os.WriteFile(temp, data, 0o644); err != nil { //nolint:gosec // a certificate is public
		return err
	}
	return os.Rename(temp, name)
}

// counts serves what arrived, as numbers only, like the product does.
func counts(s *smsportal.Server) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ca.pem", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(s.CAPEM()) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		agents := map[string]int{}
		for _, r := range s.Requests() {
			agents[r.UserAgent]++
		}
		requests, messages, doubles := s.Counts()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"requests": requests, "messages": messages, "doubles": doubles, "user_agents": agents,
		})
	})
	return mux
}
