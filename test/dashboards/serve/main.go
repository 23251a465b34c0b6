// Command serve fills a Prometheus with the scripted month and keeps it up, to
// look at the dashboards or to draw them:
//
//	go run ./test/dashboards/serve -listen 127.0.0.1:19090
//
// The month ends on 2026-07-01 at 12:00 UTC; that is now.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
)

func main() { os.Exit(run()) }

func run() int {
	listen := flag.String("listen", "127.0.0.1:19090", "address of Prometheus")
	rules := flag.String("rules", "deploy/prometheus/rules.yml", "the recording rules")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, *rules); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, listen, rules string) error {
	dir, err := os.MkdirTemp("", "tlslift-month-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := prom.Start(ctx, dir, listen, "")
	if err != nil {
		return err
	}
	defer s.Stop()
	fmt.Fprintln(os.Stderr, "filling Prometheus with the month; this takes about a minute")
	if _, err := thirty.Fill(ctx, s, rules); err != nil {
		return err
	}
	fmt.Println("ready", s.URL, thirty.Now.UnixMilli())
	<-ctx.Done()
	return nil
}
