package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"time"
)

// relay makes what listens on one address reachable at another. It is for
// tlslift's status page, which is on the loopback of its container, where no
// published port leads. relay runs in tlslift's network namespace. A restarted
// container has a new one. So relay ends when nothing answers any more, and can
// be restarted in the new one.
func relay(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	listen := flags.String("listen", "", "host:port to listen on")
	to := flags.String("to", "", "host:port to connect to")
	patience := flags.Duration("patience", 20*time.Second, "ends when nobody has been at -to for so long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *listen == "" || *to == "" || *patience <= 0 {
		return errors.New("usage: demo relay -listen HOST:PORT -to HOST:PORT")
	}
	ln, err := net.Listen("tcp", *listen)
	if err != nil {
		return fmt.Errorf("listen for the relay: %w", err)
	}
	fmt.Printf("%s is %s\n", ln.Addr(), *to)
	return relayOn(ctx, ln, *to, *patience)
}

// relayOn relays what ln accepts until ctx ends, or the address to has not answered
// for as long as patience. The caller's Host stays.
func relayOn(ctx context.Context, ln net.Listener, to string, patience time.Duration) error {
	server := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", to
	}}}
	defer server.Close()
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(ln) }()
	go func() { failed <- watch(ctx, to, patience) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// watch returns an error once the address to has not answered for as long as patience.
func watch(ctx context.Context, to string, patience time.Duration) error {
	tick := time.NewTicker(patience / 10)
	defer tick.Stop()
	seen := time.Now()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err == nil {
			conn.Close()
			seen = time.Now()
		} else if time.Since(seen) >= patience {
			return fmt.Errorf("nobody at %s: %w", to, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
